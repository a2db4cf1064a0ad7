/**
 * Time as the board lives it, for the kiosk beside it: a machine that is too busy to execute the board's program in time slows both down, and
 * what is measured stays what it would be.
 */
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { Timers } from '../support/timers.ts';

export class BoardClock implements Clock {
  #nowMs = 60_000;
  readonly #timers = new Timers(() => this.#nowMs);
  readonly sleep = this.#timers.sleep.bind(this.#timers);
  readonly after = this.#timers.after.bind(this.#timers);

  wall(): EpochMillis {
    return (Date.UTC(2026, 10, 22) + this.#nowMs) as EpochMillis;
  }

  monotonic(): MonotonicMillis {
    return this.#nowMs as MonotonicMillis;
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.pending;
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
    this.#timers.fireDue(this.#nowMs);
  }
}
