/**
 * Opens a kiosk's outbox whatever state its file is in. A damaged one is never deleted: it is set aside under another name beside
 * it, a new outbox with a new epoch takes its place, and the rows that can still be read are carried over, so that they are sent.
 */
import { existsSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import { Outbox } from './outbox.ts';
import { isLogDamaged, mendLog } from './outbox-log.ts';
import type { OutboxLimits } from './outbox-row.ts';
import { type KeyRecords, salvage } from './outbox-salvage.ts';
import { isCorrupt } from './sqlite.ts';

const FILE = 'outbox.db';
const SET_ASIDE = /^outbox\.damaged-(\d+)-\d+\.db$/;
/** A card that damages more than these is to be replaced, not written on. */
const MOST_SET_ASIDE = 8;

export interface RecordsKnown {
  readonly isSound: KeyRecords['isSound'];
  readonly inMemory: KeyRecords['inMemory'] | undefined;
}

const NO_RECORDS: RecordsKnown = { isSound: () => true, inMemory: undefined };

export interface OpenedOutbox {
  readonly outbox: Outbox;
  /** Rows carried over from a damaged outbox that this call has set aside; `undefined` when the outbox was sound. */
  readonly salvagedRows: number | undefined;
}

/**
 * @param dir the data directory, locked by the caller (data-lock.ts).
 * @param records `isSound` judges key records of damaged outboxes. `inMemory`: those of the outbox that was in use until damage was met in it,
 * which a look at the file may not find again; `undefined` when none was met. Left out, all are taken for sound: the gateway judges them.
 * @throws StoreError store.corrupt once eight damaged files lie aside; store.newer, store.read_only, store.disk_full, store.failed.
 */
export function openOutbox(
  dir: string,
  limits: OutboxLimits,
  now: { wallMs: EpochMillis; monotonicMs: MonotonicMillis },
  log: Log,
  records: RecordsKnown = NO_RECORDS,
): OpenedOutbox {
  finishSettingAside(dir);
  const outbox = openSound(dir, limits, now, records.inMemory !== undefined);
  let salvagedRows: number | undefined;
  // The newest one is that which was in use.
  let inMemory = records.inMemory ?? new Map();
  for (const name of setAsideIn(dir)) {
    try {
      if (outbox.hasAdopted(name)) continue;
      mendLog(`${join(dir, name)}-wal`);
      const { keys, adopted } = salvage(join(dir, name), { isSound: records.isSound, inMemory });
      inMemory = new Map();
      outbox.adopt([name, ...adopted], keys, now.monotonicMs);
      const rows = keys.reduce((sum, key) => sum + key.rows.length, 0);
      salvagedRows = (salvagedRows ?? 0) + rows;
      log.error('outbox.set_aside', { salvagedRows: rows });
    } catch (error) {
      // It lies there still, and is tried again at the next start.
      if (!(error instanceof StoreError)) throw error;
      log.error('outbox.not_salvaged', { code: error.code });
    }
  }
  return { outbox, salvagedRows };
}

function openSound(
  dir: string,
  limits: OutboxLimits,
  now: { wallMs: EpochMillis; monotonicMs: MonotonicMillis },
  isKnownDamaged: boolean,
): Outbox {
  const path = join(dir, FILE);
  try {
    if (isKnownDamaged || isLogDamaged(`${path}-wal`)) throw new StoreError('store.corrupt', 'outbox: damaged');
    return new Outbox(path, limits, now.monotonicMs);
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    setAside(dir, now.wallMs);
    return new Outbox(path, limits, now.monotonicMs);
  }
}

/** Newest first: it says which of the older ones it had taken in. */
const setAsideIn = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir)
        .filter((name) => SET_ASIDE.test(name))
        .sort()
        .reverse()
    : [];

/**
 * Erases set-aside files older than `retentionMs` by the time in their names: what is in them is past retention, too.
 * @param wallMs to be believed. @returns how many were erased.
 */
export function eraseSetAside(dir: string, retentionMs: number, wallMs: EpochMillis): number {
  let erased = 0;
  for (const name of readdirSync(dir)) {
    const atMs = SET_ASIDE.exec(name)?.[1];
    if (atMs === undefined || Number(atMs) > wallMs - retentionMs) continue;
    erase(dir, name);
    erased += 1;
  }
  return erased;
}

/** Erases set-aside files whose rows `outbox` has taken in. @returns whether none is left. @throws StoreError; an error of the file system. */
export function eraseAdopted(dir: string, outbox: Outbox): boolean {
  const names = setAsideIn(dir);
  const adopted = names.filter((name) => outbox.hasAdopted(name));
  for (const name of adopted) erase(dir, name);
  return adopted.length === names.length;
}

function erase(dir: string, name: string): void {
  for (const end of ['', '-wal', '-shm']) if (existsSync(join(dir, name + end))) unlinkSync(join(dir, name + end));
}

/** The log goes first and the file last: a kill between the two leaves a log without its file, by which it is known. */
function setAside(dir: string, wallMs: EpochMillis): void {
  const aside = setAsideIn(dir).length;
  if (aside >= MOST_SET_ASIDE) throw new StoreError('store.corrupt', `outbox: damaged, and ${aside} damaged ones lie aside`);
  move(dir, `outbox.damaged-${wallMs}-${aside + 1}.db`);
}

function finishSettingAside(dir: string): void {
  if (!existsSync(join(dir, FILE))) return;
  const names = readdirSync(dir);
  const half = names.find((name) => name.endsWith('-wal') && SET_ASIDE.test(name.slice(0, -4)) && !names.includes(name.slice(0, -4)));
  if (half !== undefined) move(dir, half.slice(0, -4));
}

function move(dir: string, name: string): void {
  for (const end of ['-shm', '-wal', '']) {
    const from = join(dir, FILE + end);
    if (existsSync(from)) renameSync(from, join(dir, name + end));
  }
}
