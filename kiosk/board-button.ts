/** What a board's one button says: pressed once, twice, three times, or held. Counted, so that nobody has to see anything to use it. */
import type { Clock } from '../protocol/time.ts';

/** `once`: the last signal again. `twice`: the last scan is taken back. `thrice`: the door is turned round. `held`: out of order, or in use again. */
export type Press = 'once' | 'twice' | 'thrice' | 'held';

/** A next press comes sooner; whoever pressed once waits so long for what it says. */
export const PRESSES_WITHIN_MS = 600;
export const HELD_MS = 5_000;

export class ButtonPresses {
  readonly #clock: Clock;
  readonly #said: (press: Press) => void;
  #count = 0;
  #cancel: () => void = () => {};

  constructor(clock: Clock, said: (press: Press) => void) {
    this.#clock = clock;
    this.#said = said;
  }

  down(): void {
    this.#cancel();
    this.#count += 1;
    this.#cancel = this.#clock.after(HELD_MS, () => this.#say('held'));
  }

  up(): void {
    this.#cancel();
    if (this.#count === 0) return;
    const press = this.#count === 1 ? 'once' : this.#count === 2 ? 'twice' : 'thrice';
    this.#cancel = this.#clock.after(PRESSES_WITHIN_MS, () => this.#say(press));
  }

  /** Nothing is said after this. */
  stop(): void {
    this.#cancel();
    this.#count = 0;
  }

  #say(press: Press): void {
    this.#count = 0;
    this.#said(press);
  }
}
