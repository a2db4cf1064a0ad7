/** What an outbox holds and is bounded by, as values. */
import type { KeyId, Seq } from '../protocol/ids.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';

export interface OutboxLimits {
  /** Unsent rows; one more is refused. */
  readonly maxRows: number;
  /** Of the database file; the write-ahead log comes on top. */
  readonly maxBytes: number;
  /** Unsent rows older than this are dropped and counted. */
  readonly retentionMs: number;
  /** Settled rows are kept this long of running time … */
  readonly keepSettledMs: number;
  /** … and no more than these. */
  readonly maxSettledRows: number;
}

/** The local number of a key record; means nothing outside this file. */
export type KeyNumber = number;

export interface OutboxRow {
  /** Where the row lies in this outbox; ascends with time. Below 1: salvaged from a damaged outbox. */
  readonly position: number;
  readonly key: KeyNumber;
  readonly seq: Seq;
  readonly row: Uint8Array;
}

/** One that the gateway has acknowledged. */
export type SettledRow = Omit<OutboxRow, 'row'>;

export interface KeptKey {
  readonly keyId: KeyId;
  readonly record: Uint8Array;
}

/** A key of a damaged outbox, and the rows under it that could be read, oldest first. */
export interface AdoptedKey extends KeptKey {
  /** `ageMs`: running time since it was appended. */
  readonly rows: readonly (Pick<OutboxRow, 'seq' | 'row'> & { readonly ageMs: number })[];
}

/** When a row was appended: by the wall clock where that is to be believed, and by monotonic time always. */
export interface AppendTime {
  readonly wallMs: EpochMillis | undefined;
  readonly monotonicMs: MonotonicMillis;
}

export interface Pruned {
  readonly settled: number;
  readonly droppedUnsent: number;
}
