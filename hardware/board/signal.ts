/** What a light and a buzzer say, step by step; colour is never the only sign, so each meaning has a rhythm of its own. */
import type { Clock } from '../../protocol/time.ts';

export type Colour = 'green' | 'blue' | 'yellow' | 'red';

export interface Step {
  /** Dark when left out. */
  readonly light?: Colour;
  /** Silent when left out. */
  readonly isSounding?: boolean;
  readonly forMs: number;
}

export type Signal = readonly Step[];

/** Plays one signal at a time: a new one replaces what is playing. Dark and silent after the last step. */
export class SignalPlayer {
  readonly #clock: Clock;
  readonly #put: (light: Colour | undefined, isSounding: boolean) => void;
  #cancel: () => void = () => {};

  constructor(clock: Clock, put: (light: Colour | undefined, isSounding: boolean) => void) {
    this.#clock = clock;
    this.#put = put;
  }

  play([step, ...rest]: Signal): void {
    this.#cancel();
    this.#put(step?.light, step?.isSounding ?? false);
    if (step !== undefined) this.#cancel = this.#clock.after(step.forMs, () => this.play(rest));
  }

  /** Dark and silent at once. */
  stop(): void {
    this.play([]);
  }
}
