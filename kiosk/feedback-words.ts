/** How each answer looks and sounds, in every language; what it says is one of `screen/languages/`. For screen and terminal. */
import type { FeedbackKind } from './feedback.ts';
import { type Language, WORDS } from './screen/languages.ts';
import type { Said } from './screen/words.ts';

/** `good`: go on. `note`: nothing to do. `wait`: one more step. `stop`: nothing was kept. */
export type Tone = 'good' | 'note' | 'wait' | 'stop';

/** Each has a rhythm of its own: screen/page/sounds.js. */
export type Sound = 'in' | 'out' | 'note' | 'again' | 'staff' | 'go-on' | 'stop' | 'none';

export interface Look {
  readonly tone: Tone;
  /** One character, for a terminal. */
  readonly icon: string;
  /** Of the signs in screen/page/index.html. */
  readonly sign: string;
  readonly sound: Sound;
}

export interface Answer extends Look {
  readonly text: string;
  readonly more: string;
}

const look = (tone: Tone, icon: string, sign: string, sound: Sound): Look => ({ tone, icon, sign, sound });

export const LOOKS: Readonly<Record<FeedbackKind, Look>> = {
  welcome: look('good', '✓', 'check', 'in'),
  'already-in': look('note', '✓', 'inside', 'note'),
  goodbye: look('good', '→', 'leave', 'out'),
  'already-out': look('note', '→', 'leave', 'note'),
  undone: look('note', '↶', 'undo', 'note'),
  'nothing-to-undo': look('note', '↶', 'undo', 'note'),
  'door-in': look('note', '⇥', 'enter', 'note'),
  'door-out': look('note', '⇤', 'leave', 'note'),
  'door-both': look('note', '⇄', 'both', 'note'),
  'staff-menu': look('note', '≡', 'menu', 'note'),
  'thank-you': look('good', '✓', 'thermometer', 'in'),
  'please-measure-again': look('wait', '↻', 'measure-again', 'again'),
  'please-see-staff': look('wait', '☺', 'person', 'staff'),
  'not-a-card': look('stop', '✕', 'cross', 'stop'),
  'card-refused': look('stop', '✕', 'card-cross', 'stop'),
  'card-withdrawn': look('stop', '✕', 'card-struck', 'stop'),
  'keep-at-home': look('stop', '⌂', 'home', 'stop'),
  'not-a-clinic': look('stop', '✕', 'flask', 'stop'),
  'scan-card-now': look('wait', '1', 'card', 'go-on'),
  'scan-sticker-now': look('wait', '1', 'sticker', 'go-on'),
  'sticker-linked': look('good', '✓', 'link', 'in'),
  'sticker-used': look('stop', '✕', 'sticker-cross', 'stop'),
  'sticker-expired': look('stop', '✕', 'clock', 'stop'),
  'sticker-void': look('stop', '✕', 'void', 'stop'),
  'sticker-refused': look('stop', '✕', 'sticker-cross', 'stop'),
  'not-a-sticker': look('stop', '✕', 'cross', 'stop'),
  'clinician-unknown': look('stop', '✕', 'key', 'stop'),
  'scan-test-sticker': look('wait', '1', 'sticker', 'go-on'),
  'choose-result': look('wait', '2', 'question', 'go-on'),
  'no-test-yet': look('stop', '✕', 'flask', 'stop'),
  'result-recorded': look('good', '✓', 'check', 'out'),
  'result-there-already': look('stop', '✕', 'flask', 'stop'),
  'took-too-long': look('note', '○', 'clock', 'note'),
  'desk-cleared': look('note', '○', 'void', 'note'),
  'not-enrolled': look('wait', '⚿', 'label', 'stop'),
  enrolling: look('note', '⚿', 'label', 'note'),
  'enrol-unreached': look('wait', '↻', 'unplugged', 'again'),
  enrolled: look('good', '✓', 'check', 'in'),
  'enrol-refused': look('stop', '✕', 'label', 'stop'),
  'holder-scan-key': look('wait', '⚷', 'key', 'go-on'),
  'holder-scan-to-revoke': look('wait', '⚷', 'key', 'go-on'),
  'holder-asking': look('note', '…', 'clock', 'none'),
  'holder-notice': look('note', '✉', 'mail', 'note'),
  'holder-no-notice': look('good', '✓', 'check', 'note'),
  'holder-erasing': look('good', '✓', 'card-struck', 'note'),
  'holder-erased': look('good', '✓', 'card-struck', 'note'),
  'holder-refused': look('stop', '✕', 'cross', 'stop'),
  'holder-unreached': look('wait', '↻', 'unplugged', 'again'),
  'holder-left': look('note', '⇥', 'card', 'none'),
  'out-of-order': look('stop', '✕', 'wrench', 'stop'),
  'paper-kept': look('good', '✓', 'paper', 'in'),
  'paper-known': look('note', '✓', 'paper', 'note'),
  'refused-full': look('stop', '✕', 'store', 'stop'),
  'refused-store': look('stop', '✕', 'store', 'stop'),
};

/** @returns how an answer looks, and what it says in a language. */
export function answerIn(language: Language, kind: FeedbackKind): Answer {
  const [text, more]: Said = WORDS[language].answers[kind];
  return { ...LOOKS[kind], text, more };
}
