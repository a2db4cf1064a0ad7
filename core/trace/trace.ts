/**
 * What a trace is asked and what it answers. The definitions are in docs/tracing.md; nothing here names anybody but by the store's own name.
 */
import type { VenueId } from '../../protocol/ids.ts';
import type { RowNumber } from '../notes.ts';
import type { CardPseudonym } from '../pseudonym.ts';
import type { Span } from '../visit.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** What decides a trace besides the rows; kept with each of its results. How long the air lingers is each venue's own. */
export interface TracePolicy {
  /** Steps up with each change. */
  readonly version: number;
  /** Before the anchor: contacts in it are high, and theirs in it medium. */
  readonly highWindowMs: number;
  /** Before the anchor, `highWindowMs` or more: contacts in it that are not high are medium. */
  readonly farWindowMs: number;
  /** Before the anchor: where a case may have been infected itself. */
  readonly backwardWindowMs: number;
  /** How long two must have been together for a contact; 1 or more. */
  readonly minimumOverlapMs: number;
  /** How long for each of the two meetings of a second-order contact; 1 or more. */
  readonly mediumMinimumOverlapMs: number;
  /** What of a case is its anchor. */
  readonly anchor: 'confirmation' | 'onset' | 'test';
}

/** The minimum overlaps are argued in docs/decisions/0027-tracing-engine.md. */
export const DEFAULT_TRACE_POLICY: TracePolicy = {
  version: 1,
  highWindowMs: 48 * HOUR_MS,
  farWindowMs: 96 * HOUR_MS,
  backwardWindowMs: 14 * 24 * HOUR_MS,
  minimumOverlapMs: 15 * MINUTE_MS,
  mediumMinimumOverlapMs: 60 * MINUTE_MS,
  anchor: 'confirmation',
};

/** A case as a trace sees it. */
export interface TracedCase {
  readonly card: CardPseudonym;
  /** No later than now. */
  readonly anchorMs: number;
}

/** An overlap of two visits at one venue, of the earlier infected person's and of the other's. */
export interface Meeting {
  readonly venue: VenueId;
  /** Of the overlap, as wide as the clocks are unsure. */
  readonly span: Span;
  /** The length of the span. */
  readonly overlapMs: number;
  /** Whether the minimum is reached whatever the clocks were; a dwell that was presumed is taken as it is. */
  readonly isCertain: boolean;
  /** Whether it rests on a scan that the gateway's triage doubts. */
  readonly isDoubtful: boolean;
  /** How many people were in on the other card. */
  readonly groupSize: number;
  /** The scans that made the two visits, those that ended them among them: each once, by stream and number. */
  readonly rows: readonly RowNumber[];
}

export type Priority = 'high' | 'medium';

/** The person between a case and a second-order contact. */
export interface Via {
  readonly card: CardPseudonym;
  /** Their first with the case of those that count. */
  readonly meeting: Meeting;
}

/** One exposed card: by the shorter way where there are two, and there once. */
export interface Exposure {
  readonly card: CardPseudonym;
  readonly priority: Priority;
  readonly order: 1 | 2;
  /** With the case, all that count, by their start; of the second order the weightiest with the person between, alone. */
  readonly meetings: readonly [Meeting, ...Meeting[]];
  /** Of the second order. */
  readonly via?: Via;
}

/** A venue where a case may have been infected: one of the case's visits, and how many it met there. */
export interface BackwardCluster {
  readonly venue: VenueId;
  /** The case's visit, as wide as the clocks are unsure. */
  readonly span: Span;
  /** Cards that the case met there, each once. */
  readonly visitors: number;
  /** How many of them are cases. */
  readonly cases: number;
}
