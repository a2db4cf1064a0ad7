/**
 * What a trace reads: the visits of one card, and the visits at one venue, each for a span of time. Nothing else, so that whatever can answer
 * these two, a distributed store too, can stand behind a trace. Each answer is of one moment: what is kept later is in the next.
 */
import type { VenueId } from '../protocol/ids.ts';
import type { RowNumber } from './notes.ts';
import type { CardPseudonym } from './pseudonym.ts';
import type { Turns } from './trace/turns.ts';
import type { Span, Visit } from './visit.ts';

/** A visit of one card, with the rows that made it. */
export type CardVisit = Omit<Visit, 'scans' | 'startMs' | 'endMs' | 'closedBy'> & { readonly rows: readonly RowNumber[] };

/**
 * Visits at one venue in columns, by the start of their possible span; times in milliseconds behind `baseMs`. Not to be written to.
 * Columns, because a look at whom somebody met passes over many more visits than it finds, at a few nanoseconds each.
 */
export interface VisitColumns {
  readonly count: number;
  readonly baseMs: number;
  /** Names of cards, 16 bytes each, one behind the other. */
  readonly names: Uint8Array;
  readonly fromMs: Int32Array;
  readonly toMs: Int32Array;
  /** Not before `certainFromMs` where nothing is certain. */
  readonly certainFromMs: Int32Array;
  readonly certainToMs: Int32Array;
  readonly lingeringMs: Uint32Array;
  readonly groupSizes: Uint8Array;
  /** 1 for a visit that rests on a doubtful scan. */
  readonly doubts: Uint8Array;
  /** Where the rows of each visit end in the two columns below; they begin where those of the one before end. */
  readonly rowEnds: Uint32Array;
  readonly rowStreams: Uint32Array;
  readonly rowSeqs: Float64Array;
  /** No possible span here is longer. */
  readonly longestMs: number;
}

/** Some visits at a venue. */
export interface VisitBlock {
  readonly columns: VisitColumns;
  /** Whether a visit of this card is told elsewhere in the same answer, and is to be passed over here. */
  isElsewhere(index: number): boolean;
}

export interface VisitStore {
  /** After no visit in it does the air linger for longer. */
  readonly mostLingeringMs: number;
  /**
   * Makes looks at a span quick: call before some of them, and what it gives behind the last. Others have their turn meanwhile.
   * @throws StoreError; the reason of the signal that `turns` was given, when it is aborted.
   */
  makeReady(span: Span, turns: Turns): Promise<() => void>;
  /** @returns every visit of a card whose possible span touches `span`, both ends included, and maybe others of it, each once. @throws StoreError. */
  visitsOf(card: CardPseudonym, span: Span): CardVisit[];
  /** @returns every visit at a venue whose possible span touches `span`, and maybe others, each once. @throws StoreError. */
  visitsAt(venue: VenueId, span: Span): VisitBlock[];
}
