/** A copy of this tree with one line made wrong, to see that a test finds it. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const ROOMS = ['cli', 'kiosk', 'gateway', 'core', 'cards', 'protocol', 'disk', 'hardware', 'package.json'];

/** @returns the copy. @throws Error when `right` is not in that file, once. */
export function brokenTree(directory: string, file: string, right: string, wrong: string): string {
  for (const room of ROOMS) cpSync(join(root, room), join(directory, room), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  const path = join(directory, file);
  const parts = readFileSync(path, 'utf8').split(right);
  if (parts.length !== 2) throw new Error(`${file}: ${parts.length - 1} times ${right}`);
  writeFileSync(path, parts.join(wrong));
  return directory;
}
