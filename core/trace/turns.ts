/** Lets others have their turn in the middle of long work: what waits behind it in this process, a PUBACK among them, waits some milliseconds at most. */
import type { Clock } from '../../protocol/time.ts';

/** A PUBACK takes some turns from its socket to the commit and back, and waits for as long as this, and a step, in each of them. */
const HOLD_MS = 1;
/** Others that took longer than this have work, and what they asked a thread or the disk for is back in about `REST_MS`. */
const BUSY_MS = 0.2;
const REST_MS = 1;

export class Turns {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #sinceMs: number;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    this.#sinceMs = clock.monotonic();
  }

  /** Whether it is time for `next`. */
  get isOver(): boolean {
    return this.#clock.monotonic() - this.#sinceMs >= HOLD_MS;
  }

  /** Resolves when others had their turn; where there is nobody, at once. @throws the reason of the signal when that is aborted. */
  async next(): Promise<void> {
    const beganMs = this.#clock.monotonic();
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#clock.monotonic() - beganMs >= BUSY_MS) await this.#clock.sleep(REST_MS, this.#signal);
    this.#signal.throwIfAborted();
    this.#sinceMs = this.#clock.monotonic();
  }
}
