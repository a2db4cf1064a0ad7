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

/**
 * Notes that these sequence numbers came; noting one twice changes nothing. Inside the caller's transaction.
 * @param seqs strictly ascending.
 */
export function addToSpans(db: Db, epochNo: number, seqs: readonly number[]): void {
  let first = seqs[0];
  for (const [index, seq] of seqs.entries()) {
    if (seqs[index + 1] === seq + 1) continue;
    addSpan(db, epochNo, first ?? seq, seq);
    first = seqs[index + 1];
  }
}

function addSpan(db: Db, epochNo: number, first: number, last: number): void {
  // Those that overlap it or touch it become one with it. Ranges do not touch each other, so that the first of them is the last
  // to begin at or before it, if that one reaches so far.
  const before = db
    .prepare('SELECT first_seq, last_seq FROM spans WHERE epoch_no = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1')
    .get(epochNo, first) as Span | undefined;
  if (before !== undefined && before.last_seq >= last) return;
  const isJoined = before !== undefined && before.last_seq >= first - 1;
  const from = isJoined ? before.first_seq : first;
  const behind = db.prepare('SELECT max(last_seq) FROM spans WHERE epoch_no = ? AND first_seq BETWEEN ? AND ?');
  const to = Math.max(last, Number(behind.pluck().get(epochNo, from, last + 1) ?? 0));
  db.prepare('DELETE FROM spans WHERE epoch_no = ? AND first_seq BETWEEN ? AND ?').run(epochNo, from, last + 1);
  db.prepare('INSERT INTO spans (epoch_no, first_seq, last_seq) VALUES (?, ?, ?)').run(epochNo, from, to);
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
