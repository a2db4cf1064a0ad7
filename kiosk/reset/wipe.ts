/**
 * Makes a data directory empty again: keys first, then all else, each file overwritten, synced and taken away. It begins with a mark that goes
 * last, so that one that was killed is gone on with at the next start, and there is never half a kiosk.
 *
 * What it can not promise: flash writes beside what it overwrites, and a card may keep old copies in cells that nobody can address. What may lie
 * there: docs/technician.md, "Reset".
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { onDisk } from '../../disk/faults.ts';
import { writeWhole } from '../../disk/files.ts';
import { ConfigError } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';

const MARK = 'reset';
/** Held open by this process; nothing of anybody is in it. */
const LOCK = /^kiosk\.lock/;
/** Without it whatever else is left is nobody's. */
const FIRST = 'kiosk.key';
const CHUNK_BYTES = 65_536;

/** When this returns the kiosk is reset, whatever happens: the next start finishes it. The caller holds the directory's lock. @throws StoreError. */
export function beginReset(dir: string, log: Log): void {
  onDisk('reset', () => writeWhole(join(dir, MARK), Buffer.from('1\n'), 0o600));
  log.debug('reset.begun');
}

export const isResetBegun = (dir: string): boolean => existsSync(join(dir, MARK));

/**
 * @returns how many files went. Nothing that is no file of its own is touched: a link goes, and not what it leads to.
 * @throws ConfigError config.invalid where something can not be taken away, such as a directory that somebody put there; all else is gone.
 * StoreError where the disk refuses: begun as before, to be gone on with.
 */
export const wipe = (dir: string, log: Log): number => onDisk('reset', () => wipeAll(dir, log));

function wipeAll(dir: string, log: Log): number {
  const entries = readdirSync(dir, { withFileTypes: true }).filter(({ name }) => name !== MARK && !LOCK.test(name));
  const sorted = entries.toSorted((a, b) => Number(b.name.startsWith(FIRST)) - Number(a.name.startsWith(FIRST)));
  const left: string[] = [];
  let gone = 0;
  for (const entry of sorted) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      left.push(entry.name);
      continue;
    }
    if (entry.isFile()) overwrite(path);
    rmSync(path, { force: true });
    syncDirectory(dir);
    gone += 1;
    log.debug('reset.wiped', () => ({ file: entry.name.startsWith(FIRST) ? 'key' : 'other' }));
  }
  if (left.length > 0)
    throw new ConfigError('config.invalid', `reset: ${dir} holds directories that are not a kiosk's: take them away (${left.length})`);
  rmSync(join(dir, MARK), { force: true });
  syncDirectory(dir);
  log.info('kiosk.reset', { files: gone });
  return gone;
}

function overwrite(path: string): void {
  const file = openSync(path, 'r+');
  try {
    const noise = Buffer.alloc(CHUNK_BYTES);
    const { size } = fstatSync(file);
    for (let at = 0; at < size; at += CHUNK_BYTES) writeSync(file, randomFillSync(noise), 0, Math.min(CHUNK_BYTES, size - at), at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(dir: string): void {
  const directory = openSync(dir, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
