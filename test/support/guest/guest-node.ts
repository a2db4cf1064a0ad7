/** Node in a guest, on an emulated processor that is ten times slower than this machine's. */
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { runCommand } from './run-command.ts';

/** What a kiosk loads when it has the device. */
const LATE = ['johnny-five', 'node-hid', 'noble/lib/hci-socket/hci.js', 'noble/lib/resolve-bindings.js']
  .map((name) => `await import('${name.startsWith('noble') ? '@stoprocent/' : ''}${name}').catch(() => {});`)
  .join('\n');

const root = resolve(import.meta.dirname, '../../..');

/**
 * Reads the product here once, and keeps what V8 made of it: a guest takes it from there.
 * @param directory is made; the guest reads it under the same path.
 * @returns what a guest's shell runs for `node`; `tree` has its `node_modules`.
 */
export async function guestNode(directory: string, tree = root): Promise<string> {
  const node = join(tree, 'node_modules/.bin/node');
  const keyless = join(directory, 'keyless');
  const cache = `NODE_COMPILE_CACHE=${directory}`;
  await runCommand('env', [cache, node, join(tree, 'cli/main.ts'), 'kiosk', 'key', '--data', keyless]);
  rmSync(keyless, { recursive: true });
  await runCommand('env', [cache, node, '--input-type=module', '--eval', LATE], { cwd: tree });
  return ['env', cache, node].join(' ');
}
