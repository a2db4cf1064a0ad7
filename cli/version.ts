/** What this software is called and which version it is. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** From package.json. */
export const VERSION = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;

/** How a person starts it here: Debian's package brings a command, and data that only its own user may read. */
export const COMMAND = root === '/opt/vestibule' && existsSync('/usr/bin/vestibule') ? 'sudo -u vestibule vestibule' : 'npx vestibule';
