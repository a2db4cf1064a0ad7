/**
 * What a board's light and buzzer say for each answer. Each has a rhythm of its own, so that nobody needs to tell colours apart or to hear:
 * long for a good answer, two short for a note, slow and even for one more step, fast for nothing kept.
 */
import type { Colour, Signal, Step } from '../hardware/board/signal.ts';
import type { FeedbackKind } from './feedback.ts';

const SHORT_MS = 150;
const LONG_MS = 1_200;

const lit = (light: Colour, forMs: number): Step => ({ light, forMs });
const loud = (light: Colour, forMs: number): Step => ({ light, isSounding: true, forMs });
const dark = (forMs: number): Step => ({ forMs });
const repeated = (times: number, ...steps: readonly Step[]): Step[] => Array.from({ length: times }, () => steps).flat();

/** One tone, one long light. */
const WELCOME: Signal = [loud('green', 120), lit('green', LONG_MS)];
/** Two tones, two lights. */
const GOODBYE: Signal = [loud('green', 120), dark(SHORT_MS), loud('green', 120), lit('green', LONG_MS / 2)];
/** Two short lights, without a sound: nothing changed. */
const NOTE: Signal = [lit('blue', SHORT_MS), dark(SHORT_MS), lit('blue', SHORT_MS)];
/** Slow and even. */
const AGAIN: Signal = [loud('yellow', 400), dark(400), ...repeated(3, lit('yellow', 400), dark(400))];
const SEE_STAFF: Signal = [loud('yellow', 400), dark(200), loud('yellow', 400), dark(400), ...repeated(3, lit('yellow', 400), dark(400))];
/** One tone, and even light while the next scan is waited for. */
const GO_ON: Signal = [loud('yellow', 120), ...repeated(3, lit('yellow', 400), dark(400))];
/** Fast. */
const STOP: Signal = [...repeated(3, loud('red', 100), dark(100)), ...repeated(7, lit('red', 100), dark(100))];
/** The door's new direction is counted out: one in, two out, three both. */
const counted = (times: number): Signal => repeated(times, loud('blue', 80), lit('blue', 220), dark(250));

export const BOARD_SIGNALS: Readonly<Record<FeedbackKind, Signal>> = {
  welcome: WELCOME,
  'already-in': NOTE,
  goodbye: GOODBYE,
  'already-out': NOTE,
  undone: NOTE,
  'nothing-to-undo': NOTE,
  'door-in': counted(1),
  'door-out': counted(2),
  'door-both': counted(3),
  'staff-menu': NOTE,
  'thank-you': WELCOME,
  'please-measure-again': AGAIN,
  'please-see-staff': SEE_STAFF,
  'not-a-card': STOP,
  'card-refused': STOP,
  'card-withdrawn': STOP,
  'keep-at-home': STOP,
  'not-a-clinic': STOP,
  'scan-card-now': GO_ON,
  'scan-sticker-now': GO_ON,
  'sticker-linked': WELCOME,
  'sticker-used': STOP,
  'sticker-expired': STOP,
  'sticker-void': STOP,
  'sticker-refused': STOP,
  'not-a-sticker': STOP,
  'clinician-unknown': STOP,
  'holder-scan-key': GO_ON,
  'holder-scan-to-revoke': GO_ON,
  'holder-asking': NOTE,
  // One for all answers: a light says nothing of a notice to whoever looks on.
  'holder-notice': NOTE,
  'holder-no-notice': NOTE,
  'holder-erasing': NOTE,
  'holder-erased': NOTE,
  'holder-refused': STOP,
  'holder-unreached': AGAIN,
  'holder-left': NOTE,
  'scan-test-sticker': GO_ON,
  'choose-result': AGAIN,
  'no-test-yet': STOP,
  'result-recorded': GOODBYE,
  'result-there-already': STOP,
  'took-too-long': NOTE,
  'desk-cleared': NOTE,
  'not-enrolled': STOP,
  enrolling: NOTE,
  'enrol-unreached': AGAIN,
  enrolled: WELCOME,
  'enrol-refused': STOP,
  'out-of-order': STOP,
  'paper-kept': WELCOME,
  'paper-known': NOTE,
  'refused-full': STOP,
  'refused-store': STOP,
};
