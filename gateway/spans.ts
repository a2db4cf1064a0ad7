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

/** The last range of an epoch, to which nearly all that comes is added; written at a transaction's end. */
interface Tail {
  /** 0 when the epoch has none. */
  readonly first: number;
  last: number;
  isChanged: boolean;
}

const MOST_HELD = 10_000;

/** Adds to the ranges of many epochs, inside the caller's transaction. */
export class SpanTails {
  readonly #db: Db;
  readonly #tails = new Map<number, Tail>();

  constructor(db: Db) {
    this.#db = db;
  }

  /** The highest sequence number that ever came; 0 when none did. */
  lastOf(epochNo: number): number {
    return this.#tail(epochNo).last;
  }

  /** Notes that these sequence numbers came; noting one twice changes nothing. @param seqs strictly ascending. */
  add(epochNo: number, seqs: readonly number[]): void {
    let first = seqs[0];
    for (let at = 0; at < seqs.length; at++) {
      const seq = seqs[at] ?? 0;
      if (seqs[at + 1] === seq + 1) continue;
      this.#addOne(epochNo, first ?? seq, seq);
      first = seqs[at + 1];
    }
  }

  /** Writes what was changed. */
  flush(): void {
    for (const [epochNo, tail] of this.#tails) if (tail.isChanged) this.#write(epochNo, tail);
    if (this.#tails.size > MOST_HELD) this.#tails.clear();
  }

  /** Forgets what is held. */
  forget(): void {
    this.#tails.clear();
  }

  #addOne(epochNo: number, first: number, last: number): void {
    const tail = this.#tail(epochNo);
    const isInside = tail.first > 0 && first >= tail.first;
    if (isInside && last <= tail.last) return;
    if (isInside && first <= tail.last + 1) {
      tail.last = last;
      tail.isChanged = true;
      return;
    }
    if (tail.isChanged) this.#write(epochNo, tail);
    addSpan(this.#db, epochNo, first, last);
    this.#tails.delete(epochNo);
  }

  #tail(epochNo: number): Tail {
    let tail = this.#tails.get(epochNo);
    if (tail === undefined) {
      const find = 'SELECT first_seq, last_seq FROM spans WHERE epoch_no = ? ORDER BY first_seq DESC LIMIT 1';
      const found = this.#db.prepare(find).get(epochNo) as Span | undefined;
      tail = { first: found?.first_seq ?? 0, last: found?.last_seq ?? 0, isChanged: false };
      this.#tails.set(epochNo, tail);
    }
    return tail;
  }

  #write(epochNo: number, tail: Tail): void {
    this.#db.prepare('UPDATE spans SET last_seq = ? WHERE epoch_no = ? AND first_seq = ?').run(tail.last, epochNo, tail.first);
    tail.isChanged = false;
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
  boundSpans(db, epochNo);
}

/** Of one epoch. Two lanes leave a few; every second number left out leaves as many as there are rows. */
const MOST_SPANS = 1_000;

/** Past the bound the two lowest become one; what lay between them is counted, and is missing for good. */
function boundSpans(db: Db, epochNo: number): void {
  if (Number(db.prepare('SELECT count(*) FROM spans WHERE epoch_no = ?').pluck().get(epochNo)) <= MOST_SPANS) return;
  const lowest = db.prepare('SELECT first_seq, last_seq FROM spans WHERE epoch_no = ? ORDER BY first_seq LIMIT 2').all(epochNo) as Span[];
  const [first, second] = lowest;
  if (first === undefined || second === undefined) return;
  db.prepare('DELETE FROM spans WHERE epoch_no = ? AND first_seq = ?').run(epochNo, second.first_seq);
  db.prepare('UPDATE spans SET last_seq = ? WHERE epoch_no = ? AND first_seq = ?').run(second.last_seq, epochNo, first.first_seq);
  const given = second.first_seq - first.last_seq - 1;
  db.prepare('UPDATE epochs SET given_up = given_up + ? WHERE epoch_no = ?').run(given, epochNo);
}

/** @returns how many sequence numbers below the highest that came are missing, over all epochs of a kiosk. */
export function missingOf(db: Db, kiosk: KioskId): number {
  return Number(
    db
      .prepare(
        `SELECT coalesce(sum(missing), 0) FROM (
           SELECT max(last_seq) - sum(last_seq - first_seq + 1) + max(given_up) AS missing
           FROM spans JOIN epochs USING (epoch_no) WHERE kiosk = ? GROUP BY epoch_no)`,
      )
      .pluck()
      .get(kiosk),
  );
}
