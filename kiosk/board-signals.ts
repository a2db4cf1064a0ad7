/**
 * What a board's light and buzzer say for each answer. Each has a rhythm of its own, so that nobody needs to tell colours apart or to hear:
 * long for a good answer, two short for a note, slow and even for one more step, fast for nothing kept.
 */
import type { Colour, Signal, Step } from '../hardware/board/signal.ts';
import type { Feedback, FeedbackKind } from './feedback.ts';
import { LOOKS, type Sound } from './feedback-words.ts';
import type { Rest } from './screen/words.ts';

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
/** Kept here until the gateway can be reached: three flickers behind the answer. */
const STORED: Signal = [dark(300), ...repeated(3, lit('blue', 60), dark(90))];

/** By the sound that the screen makes: board and screen go by one table (feedback-words.ts), so that they can not say different things. */
const SIGNALS: Readonly<Record<Sound, Signal>> = {
  in: WELCOME,
  out: GOODBYE,
  note: NOTE,
  again: AGAIN,
  staff: SEE_STAFF,
  'go-on': GO_ON,
  stop: STOP,
  none: [],
};
/** What a screen says in a word, a lamp has to count. */
const COUNTED: Partial<Readonly<Record<FeedbackKind, Signal>>> = { 'door-in': counted(1), 'door-out': counted(2), 'door-both': counted(3) };

/** @returns what the board says to an answer. */
export const signalOf = ({ kind, isStoredOffline }: Pick<Feedback, 'kind' | 'isStoredOffline'>): Signal => {
  const signal = COUNTED[kind] ?? SIGNALS[LOOKS[kind].sound];
  return isStoredOffline ? [...signal, ...STORED] : signal;
};

/** What it says again and again while nobody is answered: the screen's own rest, and what the screen has in a line, or in a strip, below. */
export type BoardRest = Rest | 'fault' | 'offline';
export const REST_EVERY_MS = 6_000;

/** Silent all: a door that beeps all night is unplugged. Each has another number of lights, or another length. */
export const REST_SIGNALS: Readonly<Record<BoardRest, Signal>> = {
  ready: [],
  'desk-ready': [],
  // One that has not heard of its kiosk does not hear it here either.
  starting: [],
  lost: [],
  'not-connected': [],
  offline: [lit('blue', SHORT_MS)],
  'device-missing': repeated(2, lit('yellow', SHORT_MS), dark(SHORT_MS)),
  fault: repeated(4, lit('yellow', SHORT_MS), dark(SHORT_MS)),
  'not-set-up': repeated(3, lit('blue', SHORT_MS), dark(SHORT_MS)),
  'out-of-order': [lit('red', 2_000)],
  'not-storing': repeated(10, lit('red', 100), dark(100)),
};
