/** Root may read and write everything; whoever owns the data directory of a kiosk may not: what such a one meets. */
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** @returns a directory that another user reaches, too: where this checkout lies, only its owner may be let in. */
export function reachableDirectory(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'vestibule-'));
  t.teardown(() => {
    if (isRoot) process.seteuid?.(0);
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

/** Until the test's end; where it is not root's, it is somebody like that already. @param names of files in `dir` that stay as they are. */
export function becomeNobody(dir: string, ...names: readonly string[]): void {
  if (!isRoot) return;
  for (const name of ['.', ...readdirSync(dir)].filter((one) => !names.includes(one))) chownSync(join(dir, name), NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
}
