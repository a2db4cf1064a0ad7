/**
 * Which sequence numbers of an epoch have come, as ranges. Two lanes bring them out of order, so that only what stays between
 * ranges is missing.
 */
import type { KioskId } from '../protocol/ids.ts';
import type { Db } from './database.ts';

interface Span {
  first_seq: number;
  last_seq: number;
}

/** Notes that `seq` came; noting it twice changes nothing. Inside the caller's transaction. */
export function addSpan(db: Db, epochNo: number, seq: number): void {
  // At most two ranges touch it: the last that begins at or before it, and the one that begins right behind it.
  const before = db
    .prepare('SELECT first_seq, last_seq FROM spans WHERE epoch_no = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1')
    .get(epochNo, seq) as Span | undefined;
  if (before !== undefined && before.last_seq >= seq) return;
  const behind = db.prepare('SELECT first_seq, last_seq FROM spans WHERE epoch_no = ? AND first_seq = ?').get(epochNo, seq + 1) as
    | Span
    | undefined;
  const last = behind?.last_seq ?? seq;
  if (behind !== undefined) db.prepare('DELETE FROM spans WHERE epoch_no = ? AND first_seq = ?').run(epochNo, behind.first_seq);
  if (before !== undefined && before.last_seq === seq - 1)
    db.prepare('UPDATE spans SET last_seq = ? WHERE epoch_no = ? AND first_seq = ?').run(last, epochNo, before.first_seq);
  else db.prepare('INSERT INTO spans (epoch_no, first_seq, last_seq) VALUES (?, ?, ?)').run(epochNo, seq, last);
}

/** @returns how many sequence numbers below the highest that came are missing, over all epochs of a kiosk. */
export function missingOf(db: Db, kiosk: KioskId): number {
  return Number(
    db
      .prepare(
        `SELECT coalesce(sum(missing), 0) FROM (
           SELECT max(last_seq) - sum(last_seq - first_seq + 1) AS missing
           FROM spans JOIN epochs USING (epoch_no) WHERE kiosk = ? GROUP BY epoch_no)`,
      )
      .pluck()
      .get(kiosk),
  );
}
