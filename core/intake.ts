/**
 * The one interface at which a gateway meets the tracing core. Values only, so that the core may run in the gateway's
 * process, on another machine, or behind a distributed log. Entries come in the order of the gateway's ledger.
 */
import type { HolderAction } from '../protocol/holder.ts';
import type { LedgerEntry, RowIdentity } from '../protocol/ledger-entry.ts';
import type { NoticeNews, StickerNews } from '../protocol/notice-news.ts';
import type { RevocationNews, RevocationReport } from '../protocol/revocation-news.ts';

export type {
  BatchEntry,
  Direction,
  DoubtEntry,
  FlagEntry,
  FlagRule,
  LedgerEntry,
  Placement,
  RowIdentity,
} from '../protocol/ledger-entry.ts';

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
  /**
   * Forgets rows that were given to it, because their holders took their cards back; what it does not have changes nothing. When the promise
   * resolves they are gone for good. Left out by one that hears of taken-back cards by itself. @param rows 1 to 1,000.
   * @throws StoreError, SinkError: it is asked again later.
   */
  erase?(rows: readonly RowIdentity[]): Promise<void>;
}

/** From whom a gateway hears for which cards there are notices, and which stickers are of no more use. */
export interface NoticeSource {
  /**
   * @param after the version that was told last; `undefined` begins anew. @param waitMs how long it waits for something new, at most.
   * @returns what changed since; nothing when nothing did, or on abort. @throws StoreError, SinkError.
   */
  noticeNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<NoticeNews>;
  /** As `noticeNews`. */
  stickerNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<StickerNews>;
}

/** From whom a gateway hears which cards were taken back, and to whom it says how far it is. */
export interface RevocationSource {
  /**
   * @param after the version that was told last; `undefined`, or that of a core that was started anew, begins anew. @param waitMs how long it waits
   * for something new, at most. @returns what was taken back since and is not erased by every gateway yet, oldest first. @throws StoreError, SinkError.
   */
  revocations(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<RevocationNews>;
  /** @throws StoreError, SinkError. */
  report(report: RevocationReport): void | Promise<void>;
}

/** What a holder is shown of one notice: nothing about anybody else. */
export interface HolderNotice {
  readonly level: 'high' | 'medium' | 'flag';
  readonly order: 1 | 2;
  /** Of the overlap, UTC: YYYY-MM-DD. */
  readonly day: string;
  readonly overlapMinutes: number;
  /** Whether both clocks were right beyond doubt. */
  readonly isClockCertain: boolean;
  readonly raisedAtMs: number;
}

/** Where a holder's proof is answered; a gateway hands on what a kiosk asks, and reads none of it. */
export interface HolderDoor {
  /** @returns JSON (`encodeChallenge`). @throws StoreError, HolderError `holder.not_reached`. */
  challenge(): string | Promise<string>;
  /**
   * @param body JSON (`encodeProof`). @param from whom it came from, for the bound on tries. @returns JSON.
   * @param onProved called with what is asked for once the proof holds, before anything is told or done; what it throws ends it.
   * @throws DecodeError, HolderError; StoreError.
   */
  ask(body: string, from: string, onProved?: (action: HolderAction) => void): Promise<string>;
}
