/**
 * Opens a kiosk's outbox whatever state its file is in. A damaged one is never deleted: it is set aside under another name beside
 * it, a new outbox with a new epoch takes its place, and the rows that can still be read are carried over, so that they are sent.
 */
import { existsSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import { Outbox, type OutboxLimits } from './outbox.ts';
import { salvage } from './outbox-salvage.ts';
import { isCorrupt } from './sqlite.ts';

const FILE = 'outbox.db';
const SET_ASIDE = /^outbox\.damaged-(\d+)-\d+\.db$/;
/** A card that damages more than these is to be replaced, not written on. */
const MOST_SET_ASIDE = 8;

export interface OpenedOutbox {
  readonly outbox: Outbox;
  /** Rows carried over from a damaged outbox that this call has set aside; `undefined` when the outbox was sound. */
  readonly salvagedRows: number | undefined;
}

/**
 * @param dir the data directory, locked by the caller (data-lock.ts).
 * @throws StoreError store.corrupt once eight damaged files lie aside; store.newer, store.read_only, store.disk_full, store.failed.
 */
export function openOutbox(
  dir: string,
  limits: OutboxLimits,
  now: { wallMs: EpochMillis; monotonicMs: MonotonicMillis },
  log: Log,
): OpenedOutbox {
  const path = join(dir, FILE);
  try {
    return { outbox: new Outbox(path, limits, now.monotonicMs), salvagedRows: undefined };
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    const aside = setAside(dir, path, now.wallMs);
    const outbox = new Outbox(path, limits, now.monotonicMs);
    const salvagedRows = salvage(aside, outbox, now.monotonicMs);
    log.error('outbox.set_aside', { salvagedRows });
    return { outbox, salvagedRows };
  }
}

/**
 * Erases set-aside files older than `retentionMs` by the time in their names: what is in them is past retention, too.
 * @param wallMs to be believed. @returns how many were erased.
 */
export function eraseSetAside(dir: string, retentionMs: number, wallMs: EpochMillis): number {
  let erased = 0;
  for (const name of readdirSync(dir)) {
    const atMs = SET_ASIDE.exec(name)?.[1];
    if (atMs === undefined || Number(atMs) > wallMs - retentionMs) continue;
    for (const end of ['', '-wal', '-shm']) if (existsSync(join(dir, name + end))) unlinkSync(join(dir, name + end));
    erased += 1;
  }
  return erased;
}

function setAside(dir: string, path: string, wallMs: EpochMillis): string {
  const aside = readdirSync(dir).filter((name) => SET_ASIDE.test(name)).length;
  if (aside >= MOST_SET_ASIDE) throw new StoreError('store.corrupt', `outbox: damaged, and ${aside} damaged ones lie aside`);
  const name = join(dir, `outbox.damaged-${wallMs}-${aside + 1}.db`);
  // The log and its index first: a kill between leaves a damaged file that is set aside again, without them at worst.
  for (const end of ['-wal', '-shm', '']) if (existsSync(path + end)) renameSync(path + end, name + end);
  return name;
}
