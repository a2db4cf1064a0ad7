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
  /** A sticker, a clinician's code or a result, where this kiosk is no clinic's desk: nothing was kept. */
  | 'not-a-clinic'
  /** At a clinic's desk: a sticker was read, and its card is wanted. */
  | 'scan-card-now'
  /** A card was read, and a sticker for it is wanted. */
  | 'scan-sticker-now'
  | 'sticker-linked'
  /** Linked before, or its test is over: nothing was kept. */
  | 'sticker-used'
  | 'sticker-expired'
  | 'sticker-void'
  /** One of our stickers in form, and not of an issuer that is known here. */
  | 'sticker-refused'
  /** Neither sticker, nor card, nor clinician's code, or a card where a sticker is wanted. */
  | 'not-a-sticker'
  | 'clinician-unknown'
  /** A clinician is known, and the sticker of the test is wanted. */
  | 'scan-test-sticker'
  /** A clinician and a sticker are read, and an explicit result is wanted. */
  | 'choose-result'
  /** A result without a clinician and a sticker before it: nothing was kept. */
  | 'no-test-yet'
  | 'result-recorded'
  | 'result-there-already'
  /** What was begun was not gone on with in time, and is forgotten. */
  | 'took-too-long'
  | 'desk-cleared'
  /** This kiosk has no identity yet: it waits for its enrolment code, and takes no card. */
  | 'not-enrolled'
  | 'enrolling'
  /** The code is kept, the gateway was not reached, and is tried again. */
  | 'enrol-unreached'
  | 'enrolled'
  /** The gateway refuses the code: another is needed. */
  | 'enrol-refused'
  /** Holder's mode: a key code is waited for, to look … */
  | 'holder-scan-key'
  /** … or to take the card back. */
  | 'holder-scan-to-revoke'
  | 'holder-asking'
  | 'holder-notice'
  | 'holder-no-notice'
  /** The card was taken back, and not every tier has erased it yet. */
  | 'holder-erasing'
  | 'holder-erased'
  | 'holder-refused'
  /** Gateway or core could not be asked. */
  | 'holder-unreached'
  | 'holder-left'
  /** The staff took the kiosk out of use: nothing was kept. */
  | 'out-of-order'
  /** A card of the staff's notes was kept with the time that they stated, … */
  | 'paper-kept'
  /** … or it was noted for that time already, and nothing was kept. */
  | 'paper-known'
  /** The outbox or the disk is full: nothing was kept. */
  | 'refused-full'
  /** The outbox does not work: nothing was kept. */
  | 'refused-store';

export interface Feedback {
  readonly kind: FeedbackKind;
  /** Whether what was kept waits here for the gateway, because the link is down. */
  readonly isStoredOffline: boolean;
  /** Whether there is a notice for whoever holds the card: one wording for all kinds. */
  readonly hasNotice?: true;
  readonly at: { readonly wallMs: EpochMillis; readonly monotonicMs: MonotonicMillis };
  /** The row that was kept before this was said; `undefined` when nothing was. */
  readonly seq: Seq | undefined;
  readonly keyId: KeyId | undefined;
}

/** Answers to a card that was served. */
export const PASSAGES: readonly FeedbackKind[] = ['welcome', 'already-in', 'goodbye', 'already-out'];
