/**
 * Forgets what is past its time, in small transactions between which kiosks are served. Retention wins over every sink: what one
 * had not taken is counted against it and shown.
 */
import type { EpochMillis } from '../protocol/units.ts';
import type { Db } from './database.ts';
import { forgetUnseen, type KeyOfEpoch } from './forget-epochs.ts';
import { DAY_MS, type Ledger } from './ledger.ts';

/**
 * How long the memory of what was seen lasts. A kiosk keeps a row for 21 days at most, so that it can come for the last time 21 days
 * after it came first; the rest is slack for clocks.
 */
const SEEN_DAYS = 60;
const MOST_AT_ONCE = 500;
/** Where the disk is full: what is deleted is written over, and goes through the write-ahead log page by page. */
export const FEW_AT_ONCE = 16;
/**
 * How far from the front what is past is looked for. A line keeps its place while it is written to: of kiosks that seldom send, and of a day
 * on which the clock was ahead, young ones lie before old ones. More than kiosks of one gateway.
 */
const MOST_LOOKED_AT = 10_000;

export interface Pruned {
  readonly entries: number;
  readonly quarantined: number;
  /** Lines of the memory of what was seen. */
  readonly forgotten: number;
  /** Entries that went before every sink had them, counted once for each such sink. */
  readonly untaken: number;
}

/**
 * One step, in one transaction.
 * @param nowMs as far as the clock is believed (disk/retention-clock.ts), not the wall clock.
 * @param most of quarantine and of the memory of what was seen, each.
 * @returns what went; when any number is not 0 there may be more.
 * @throws StoreError.
 */
export function pruneSome(db: Db, ledger: Ledger, retentionDays: number, nowMs: EpochMillis, most = MOST_AT_ONCE): Pruned {
  const beforeMs = (nowMs - retentionDays * DAY_MS) as EpochMillis;
  // A file is dropped whole, when its first entry is past its time: none is kept longer, and the last of a day is kept a day less.
  const past = ledger.segments.begunBefore(beforeMs, nowMs, ledger.lastPosition);
  const entries = past === undefined ? 0 : ledger.segments.countBetween(0, past.through);
  const pruned = ledger.transact(() => {
    const untaken = past === undefined ? 0 : countUntaken(db, ledger, past.through);
    if (past !== undefined) ledger.segments.drop(past.nos);
    const quarantined = db
      .prepare('DELETE FROM quarantine WHERE no IN (SELECT no FROM quarantine WHERE received_at_ms < ? ORDER BY no LIMIT ?)')
      .run(beforeMs, most).changes;
    db.prepare('DELETE FROM readings WHERE received_at_ms < ?').run(beforeMs);
    db.prepare("DELETE FROM flags WHERE state <> 'pending' AND raised_at_ms < ?").run(beforeMs);
    const forgotten = forgetSeen(db, Math.floor(nowMs / DAY_MS) - SEEN_DAYS, most);
    return { entries, quarantined, forgotten, untaken };
  });
  ledger.forgetSeen();
  if (past !== undefined) ledger.sweep(past.nos);
  return pruned;
}

/** Counts against each sink what of the entries up to `through` it had not taken, be it behind or what it refused. */
function countUntaken(db: Db, ledger: Ledger, through: number): number {
  let untaken = 0;
  for (const { name, position } of db.prepare('SELECT name, position FROM sinks').all() as { name: string; position: number }[]) {
    const refused = db.prepare('DELETE FROM set_aside WHERE sink = ? AND position <= ?').run(name, through).changes;
    const n = ledger.segments.countBetween(position, through) + refused;
    if (n > 0) db.prepare('UPDATE sinks SET dropped_entries = dropped_entries + ? WHERE name = ?').run(n, name);
    untaken += n;
  }
  return untaken;
}

/** @returns how many lines of what was seen it took: those that are past, of the oldest ones. */
function forgetSeen(db: Db, beforeDay: number, most: number): number {
  const dropped = db
    .prepare(
      `DELETE FROM seen_windows WHERE no IN (SELECT no FROM (SELECT no, day FROM seen_windows ORDER BY no LIMIT ?) WHERE day < ? LIMIT ?)
       RETURNING epoch_no, key_no`,
    )
    .all(MOST_LOOKED_AT, beforeDay, most) as KeyOfEpoch[];
  forgetUnseen(db, dropped);
  return dropped.length;
}
