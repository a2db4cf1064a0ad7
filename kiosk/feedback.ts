/** What the door answers, as values: for the page, the terminal, lights and sounds. Never a card, a code or a temperature. */
import type { KeyId, Seq } from '../protocol/ids.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';

export type FeedbackKind =
  | 'welcome'
  | 'already-in'
  | 'goodbye'
  | 'already-out'
  | 'undone'
  | 'nothing-to-undo'
  | 'door-in'
  | 'door-out'
  | 'door-both'
  | 'staff-menu'
  | 'thank-you'
  | 'please-measure-again'
  | 'please-see-staff'
  /** Not one of our codes: a product's barcode, a cut or smudged scan. */
  | 'not-a-card'
  /** One of our codes, but not a card this venue takes: forged, of an unknown issuer, unsigned, a staff code that is not known. */
  | 'card-refused'
  /** A card that was reported lost: nothing was kept. */
  | 'card-withdrawn'
  /** A key code: it belongs at home and nothing was done with it. */
  | 'keep-at-home'
  /** This kiosk has no identity yet: it waits for its enrolment code, and takes no card. */
  | 'not-enrolled'
  | 'enrolling'
  /** The code is kept, the gateway was not reached, and is tried again. */
  | 'enrol-unreached'
  | 'enrolled'
  /** The gateway refuses the code: another is needed. */
  | 'enrol-refused'
  /** The outbox or the disk is full: nothing was kept. */
  | 'refused-full'
  /** The outbox does not work: nothing was kept. */
  | 'refused-store';

export interface Feedback {
  readonly kind: FeedbackKind;
  /** Whether what was kept waits here for the gateway, because the link is down. */
  readonly isStoredOffline: boolean;
  readonly at: { readonly wallMs: EpochMillis; readonly monotonicMs: MonotonicMillis };
  /** The row that was kept before this was said; `undefined` when nothing was. */
  readonly seq: Seq | undefined;
  readonly keyId: KeyId | undefined;
}
