/** A case, as a value: whose card, how sure, who says so, and from when contacts are counted back. */
import type { VenueId } from '../../protocol/ids.ts';
import type { CardPseudonym } from '../pseudonym.ts';

export const CASE_STATES = ['suspected', 'confirmed', 'dismissed'] as const;
export type CaseState = (typeof CASE_STATES)[number];
export const CASE_SOURCES = ['sticker', 'officer', 'partner', 'temperature-flag'] as const;
export type CaseSource = (typeof CASE_SOURCES)[number];

export interface Case {
  readonly id: number;
  readonly card: CardPseudonym;
  readonly state: CaseState;
  readonly source: CaseSource;
  /** Whether a health officer has decided on it: then what its source says changes nothing. */
  readonly isDecided: boolean;
  /** What is known of the times that contacts may be counted back from. */
  readonly confirmedAtMs: number | undefined;
  readonly testedAtMs: number | undefined;
  readonly onsetAtMs: number | undefined;
  readonly raisedAtMs: number;
  /** When its state or times changed last. */
  readonly changedAtMs: number;
  /** Where it was recorded, where that is known, and whose region that is. */
  readonly venue: VenueId | undefined;
  readonly region: string | undefined;
}

export type Anchor = 'confirmation' | 'onset' | 'test';

/** @returns from when contacts are counted back: what is asked for, or the next best that is known; when it was raised at worst. */
export function anchorOf(of: Case, anchor: Anchor): number {
  const { confirmedAtMs, testedAtMs, onsetAtMs, raisedAtMs } = of;
  switch (anchor) {
    case 'confirmation':
      return confirmedAtMs ?? raisedAtMs;
    case 'onset':
      return onsetAtMs ?? testedAtMs ?? confirmedAtMs ?? raisedAtMs;
    case 'test':
      return testedAtMs ?? confirmedAtMs ?? raisedAtMs;
  }
}
