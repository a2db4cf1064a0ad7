/**
 * The one interface at which a gateway meets the tracing core. Values only, so that the core may run in the gateway's
 * process, on another machine, or behind a distributed log. Entries come in the order of the gateway's ledger.
 */
import type { LedgerEntry } from '../protocol/ledger-entry.ts';

export type { BatchEntry, Direction, DoubtEntry, FlagEntry, LedgerEntry, Placement, RowIdentity } from '../protocol/ledger-entry.ts';

export interface Offer {
  /** Entries that were set aside before and are tried again: they come out of order, and what `taken` says is not moved by them. */
  readonly isReplay?: boolean;
}

export interface Intake {
  /**
   * Takes entries of one ledger, in its order. When the promise resolves they are durable; taking an entry twice changes nothing.
   * An entry that is wrong in itself is set aside with its reason and does not stop those behind it.
   * @throws StoreError or SinkError when nothing can be taken now; the caller offers the same entries again later. Only SinkError
   * `sink.entry_refused` and `sink.too_large` speak of the entries: one of them, or their number, will not be taken however often it is tried.
   */
  accept(entries: readonly LedgerEntry[], offer?: Offer): Promise<void>;
  /**
   * @returns the position up to which everything was taken, or one before it; 0 when nothing was. One that lies before the gateway's own
   * cursor says that the core was brought back from a backup: it is to be offered what is behind that position again. `undefined` from one
   * that can not know.
   * @throws StoreError, SinkError.
   */
  taken(): Promise<number | undefined>;
}
