/**
 * Which rows go to the gateway next. Two lanes, so that a flag does not wait behind days: `live` rows as they are appended, and the
 * backlog, oldest first. A batch that was not acknowledged is held back for a while and halved, so that it delays nothing behind it and
 * one bad row ends up alone. Sends nothing and settles nothing; knows rows, never what is in them.
 *
 * Every unsent row is either beyond `cursor`, where the backlog finds it, or `busy`: in the live queue, in a batch, or held back.
 */
import type { MonotonicMillis } from '../protocol/units.ts';
import type { Outbox } from './outbox.ts';
import type { KeyNumber, OutboxRow } from './outbox-row.ts';

export interface Batch {
  readonly key: KeyNumber;
  /** Of one key, sequence numbers ascending. */
  readonly rows: readonly OutboxRow[];
  readonly lane: 'live' | 'backlog';
  /** How often these rows were sent without an answer. */
  readonly attempts: number;
}

interface Held {
  readonly positions: readonly number[];
  readonly attempts: number;
  readonly retryAtMs: number;
}

export interface LaneLimits {
  readonly batchRows: number;
  readonly liveBatchRows: number;
}

/** Rows of one batch together; a batch message holds 65,536 bytes with its key record (2,048) and its list (4,096). */
const MOST_BATCH_BYTES = 56_000;
const MOST_LIVE_ROWS = 256;
/** Reads of the outbox in one call, so that a long stretch of busy rows holds nothing up. */
const MOST_READS = 8;

export class Lanes {
  readonly #outbox: Outbox;
  readonly #limits: LaneLimits;
  #live: OutboxRow[] = [];
  #held: Held[] = [];
  readonly #busy = new Set<number>();
  #cursor = Number.MIN_SAFE_INTEGER;

  constructor(outbox: Outbox, limits: LaneLimits) {
    this.#outbox = outbox;
    this.#limits = limits;
  }

  /** Takes a row that was just appended into the live lane. One too many is left to the backlog. */
  offer(row: OutboxRow): void {
    if (this.#live.length >= MOST_LIVE_ROWS) return;
    this.#live.push(row);
    this.#busy.add(row.position);
  }

  /** @returns the next of the live lane. */
  nextLive(): Batch | undefined {
    const rows = fitting(this.#live, this.#limits.liveBatchRows);
    const [first] = rows;
    if (first === undefined) return undefined;
    this.#live = this.#live.slice(rows.length);
    return { key: first.key, rows, lane: 'live', attempts: 0 };
  }

  /** @returns what was held back and is due, else the oldest that was not sent yet. @throws StoreError. */
  nextBacklog(nowMs: MonotonicMillis): Batch | undefined {
    return this.#nextHeld(nowMs) ?? this.#nextUnsent();
  }

  /** When something held back is due; `undefined` when nothing is held. */
  get retryAtMs(): number | undefined {
    return this.#held.reduce<number | undefined>((earliest, { retryAtMs }) => Math.min(retryAtMs, earliest ?? retryAtMs), undefined);
  }

  /** Holds a batch back until `retryAtMs`; from the second time on in two halves. */
  putBack(batch: Batch, retryAtMs: number): void {
    const positions = batch.rows.map(({ position }) => position);
    const attempts = batch.attempts + 1;
    const middle = attempts > 1 ? Math.ceil(positions.length / 2) : positions.length;
    for (const part of [positions.slice(0, middle), positions.slice(middle)]) {
      if (part.length > 0) this.#held.push({ positions: part, attempts, retryAtMs });
    }
  }

  /** Rows that were settled are to be sent again: the backlog begins anew. */
  rewind(): void {
    this.#cursor = Number.MIN_SAFE_INTEGER;
  }

  /** These are settled in the outbox. */
  forget(positions: readonly number[]): void {
    for (const position of positions) this.#busy.delete(position);
  }

  #nextHeld(nowMs: MonotonicMillis): Batch | undefined {
    for (;;) {
      const at = this.#held.findIndex(({ retryAtMs }) => retryAtMs <= nowMs);
      const held = this.#held[at];
      if (held === undefined) return undefined;
      // Some may be settled by a late answer, or dropped by retention.
      const rows = this.#outbox.unsentAt(held.positions);
      this.#held.splice(at, 1);
      const taken = fitting(rows, this.#limits.batchRows);
      const kept = new Set(rows.map(({ position }) => position));
      this.forget(held.positions.filter((position) => !kept.has(position)));
      if (taken.length < rows.length) {
        this.#held.push({ ...held, positions: rows.slice(taken.length).map(({ position }) => position) });
      }
      const [first] = taken;
      if (first !== undefined) return { key: first.key, rows: taken, lane: 'backlog', attempts: held.attempts };
    }
  }

  #nextUnsent(): Batch | undefined {
    for (let reads = 0; reads < MOST_READS; reads++) {
      const read = this.#outbox.unsentAfter(this.#cursor, this.#limits.batchRows);
      const last = read.at(-1);
      if (last === undefined) return undefined;
      const rows = fitting(
        read.filter(({ position }) => !this.#busy.has(position)),
        this.#limits.batchRows,
      );
      const [first] = rows;
      if (first === undefined) {
        this.#cursor = last.position;
        continue;
      }
      this.#cursor = rows.at(-1)?.position ?? last.position;
      for (const { position } of rows) this.#busy.add(position);
      return { key: first.key, rows, lane: 'backlog', attempts: 0 };
    }
    return undefined;
  }
}

/** @returns as many from the front as go into one batch: of one key, ascending, bounded in rows and bytes. */
function fitting(rows: readonly OutboxRow[], most: number): OutboxRow[] {
  const taken: OutboxRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    const before = taken.at(-1);
    bytes += row.row.length;
    if (taken.length >= most || bytes > MOST_BATCH_BYTES) break;
    if (before !== undefined && (before.key !== row.key || before.seq >= row.seq)) break;
    taken.push(row);
  }
  return taken;
}
