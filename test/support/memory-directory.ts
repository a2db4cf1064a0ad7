/** A directory in memory, where there is one: an fsync costs nothing there. For tests that ask what is found, and not what a crash leaves. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

const MEMORY = '/dev/shm';

/** @returns an empty directory, gone with the test. */
export function memoryDirectory(t: Test): string {
  const dir = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'vestibule-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
