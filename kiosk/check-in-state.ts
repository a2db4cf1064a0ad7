/** What a door knows and is told, as values: the words of the check-in machine (check-in-machine.ts). */
import type { Happening, RowRef } from '../protocol/event.ts';
import type { VisitorUuid } from '../protocol/ids.ts';
import type { CentiCelsius, MonotonicMillis } from '../protocol/units.ts';
import { CardTable } from './card-table.ts';
import type { FeedbackKind } from './feedback.ts';

export type Direction = 'in' | 'out' | 'both';

export interface DoorPolicy {
  /** At a door for both ways, the same card again this soon is the same passage. */
  readonly againWindowMs: number;
  /** A card not seen for so long is no longer known to be in. */
  readonly dwellMs: number;
  readonly undoWindowMs: number;
  /** A reading belongs to the scan before it … */
  readonly pairAfterScanMs: number;
  /** … or, at a door where nobody is being served, to the scan that follows it. */
  readonly pairBeforeScanMs: number;
  readonly secondReadingMs: number;
  readonly maxCards: number;
  readonly temperature: TemperaturePolicy;
}

export interface TemperaturePolicy {
  readonly threshold: CentiCelsius;
  /** Added to what the sensor says. */
  readonly offset: CentiCelsius;
  readonly offsetId: number;
  readonly policyVersion: number;
  readonly roomLowest: CentiCelsius;
  readonly roomHighest: CentiCelsius;
}

/** A card that was read and whose signature was judged. */
export interface ReadCard {
  readonly card: VisitorUuid;
  readonly groupSize: number;
  readonly isSigned: boolean;
}

export interface RawReading {
  readonly objectRaw: CentiCelsius;
  readonly ambientRaw: CentiCelsius | undefined;
  readonly calibrationAgeDays: number | undefined;
}

export type StaffCommand = 'undo' | 'door-in' | 'door-out' | 'door-both';

export type Input =
  | ({ readonly kind: 'scan'; readonly atMs: MonotonicMillis } & ReadCard)
  /** A scan that is no card here: whoever was served before is so no longer. */
  | { readonly kind: 'stranger'; readonly atMs: MonotonicMillis }
  | { readonly kind: 'staff'; readonly command: StaffCommand; readonly atMs: MonotonicMillis }
  | { readonly kind: 'reading'; readonly reading: RawReading; readonly atMs: MonotonicMillis }
  | { readonly kind: 'tick'; readonly atMs: MonotonicMillis }
  /** The append that was asked for is durable. */
  | { readonly kind: 'appended'; readonly ref: RowRef }
  | { readonly kind: 'refused'; readonly why: 'refused-full' | 'refused-store' };

export type Effect =
  | { readonly kind: 'append'; readonly happening: Happening }
  | { readonly kind: 'feedback'; readonly feedback: FeedbackKind };

/** What is known of a card: in since, or out since. */
export interface Seen {
  readonly isIn: boolean;
  readonly atMs: MonotonicMillis;
}

/** Whom the next reading is of. */
export type Pairing =
  | { readonly kind: 'open'; readonly card: VisitorUuid; readonly of: RowRef; readonly untilMs: MonotonicMillis; readonly attempt: 1 | 2 }
  /** Somebody has been served: a reading is theirs again, or nobody's; never the next one's. */
  | { readonly kind: 'closed'; readonly untilMs: MonotonicMillis };

/** The last check-in or check-out, as long as it may be taken back. */
export interface Done {
  readonly of: RowRef;
  readonly key: string;
  readonly before: Seen | undefined;
  readonly atMs: MonotonicMillis;
}

/** What becomes true once the append is durable. */
export type Pending =
  | { readonly kind: 'passage'; readonly key: string; readonly card: VisitorUuid; readonly seen: Seen; readonly answer: FeedbackKind }
  | { readonly kind: 'undo' }
  | { readonly kind: 'temperature'; readonly isHigh: boolean; readonly attempt: 1 | 2; readonly atMs: MonotonicMillis };

export interface State {
  readonly policy: DoorPolicy;
  readonly direction: Direction;
  readonly cards: CardTable;
  readonly last: Done | undefined;
  readonly pairing: Pairing | undefined;
  /** A reading taken while nobody was being served. */
  readonly loose: { readonly reading: RawReading; readonly atMs: MonotonicMillis } | undefined;
  readonly pending: Pending | undefined;
}

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export const newState = (policy: DoorPolicy, direction: Direction): State => ({
  policy,
  direction,
  cards: new CardTable(),
  last: undefined,
  pairing: undefined,
  loose: undefined,
  pending: undefined,
});

/** A card in is known for the dwell, a card out for the again-window. */
export const isKnown = (seen: Seen, policy: DoorPolicy, atMs: MonotonicMillis): boolean =>
  atMs - seen.atMs < (seen.isIn ? policy.dwellMs : policy.againWindowMs);

export const answer = (state: State, feedback: FeedbackKind): Step => ({ state, effects: [{ kind: 'feedback', feedback }] });

export const closedUntil = (untilMs: number): Pairing => ({ kind: 'closed', untilMs: untilMs as MonotonicMillis });
