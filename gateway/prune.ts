/**
 * Forgets what is past its time, in small transactions between which kiosks are served. Retention wins over every sink: what one
 * had not taken is counted against it and shown.
 */
import type { EpochMillis } from '../protocol/units.ts';
import type { Db } from './database.ts';
import { DAY_MS, type Ledger } from './ledger.ts';

/**
 * How long the memory of what was seen lasts. A kiosk keeps a row for 21 days at most, so that it can come for the last time 21 days
 * after it came first; the rest is slack for clocks.
 */
const SEEN_DAYS = 60;
const MOST_AT_ONCE = 500;

export interface Pruned {
  readonly entries: number;
  readonly quarantined: number;
  /** Entries that went before every sink had them, counted once for each such sink. */
  readonly untaken: number;
}

/**
 * One step, in one transaction.
 * @returns what went; when any number is not 0 there may be more.
 * @throws StoreError.
 */
export function pruneSome(db: Db, ledger: Ledger, retentionDays: number, nowMs: EpochMillis): Pruned {
  const beforeMs = nowMs - retentionDays * DAY_MS;
  return ledger.transact(() => {
    const heads = db.prepare('SELECT position, received_at_ms FROM entries ORDER BY position LIMIT ?').all(MOST_AT_ONCE) as {
      position: number;
      received_at_ms: number;
    }[];
    const kept = heads.findIndex(({ received_at_ms }) => received_at_ms >= beforeMs);
    const past = kept === -1 ? heads : heads.slice(0, kept);
    const untaken = past.length === 0 ? 0 : dropEntries(db, past.at(-1)?.position ?? 0);
    const quarantined = db
      .prepare('DELETE FROM quarantine WHERE no IN (SELECT no FROM quarantine WHERE received_at_ms < ? ORDER BY no LIMIT ?)')
      .run(beforeMs, MOST_AT_ONCE).changes;
    db.prepare('DELETE FROM readings WHERE received_at_ms < ?').run(beforeMs);
    db.prepare("DELETE FROM flags WHERE state <> 'pending' AND raised_at_ms < ?").run(beforeMs);
    forgetSeen(db, Math.floor(nowMs / DAY_MS) - SEEN_DAYS);
    return { entries: past.length, quarantined, untaken };
  });
}

function dropEntries(db: Db, through: number): number {
  const records = db.prepare('SELECT DISTINCT record_no FROM batches WHERE position <= ?').pluck().all(through);
  const behind = db.prepare(
    'SELECT name, (SELECT count(*) FROM entries WHERE position > sinks.position AND position <= ?) AS n FROM sinks',
  );
  let untaken = 0;
  for (const { name, n } of behind.all(through) as { name: string; n: number }[]) {
    db.prepare('UPDATE sinks SET dropped_entries = dropped_entries + ? WHERE name = ?').run(n, name);
    untaken += n;
  }
  db.prepare('DELETE FROM entries WHERE position <= ?').run(through);
  const forget = db.prepare('DELETE FROM key_records WHERE record_no = ? AND NOT EXISTS (SELECT 1 FROM batches WHERE record_no = ?)');
  for (const record of records) forget.run(record, record);
  return untaken;
}

/**
 * Takes from each epoch its oldest run only: sequence numbers rise with time but for the two lanes, and what a lane brought late
 * is found by a later step.
 */
function forgetSeen(db: Db, beforeDay: number): void {
  for (const epochNo of db.prepare('SELECT epoch_no FROM epochs').pluck().all()) {
    const oldest = db.prepare('SELECT seq, day FROM seen WHERE epoch_no = ? ORDER BY seq LIMIT ?').all(epochNo, MOST_AT_ONCE) as {
      seq: number;
      day: number;
    }[];
    const kept = oldest.findIndex(({ day }) => day >= beforeDay);
    const past = (kept === -1 ? oldest : oldest.slice(0, kept)).at(-1);
    if (past !== undefined) db.prepare('DELETE FROM seen WHERE epoch_no = ? AND seq <= ? AND day < ?').run(epochNo, past.seq, beforeDay);
  }
}
