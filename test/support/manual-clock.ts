/** A clock that moves only by hand: wall and monotonic time apart, so that a test can step one and not the other. */
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import { Timers } from './timers.ts';

export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs: number;
  readonly #timers = new Timers(() => this.#monotonicMs);
  readonly sleep = this.#timers.sleep.bind(this.#timers);
  readonly after = this.#timers.after.bind(this.#timers);

  constructor(wallMs = Date.UTC(2026, 10, 21, 9), monotonicMs = 60_000) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
  }

  wall(): EpochMillis {
    return this.#wallMs as EpochMillis;
  }

  monotonic(): MonotonicMillis {
    return this.#monotonicMs as MonotonicMillis;
  }

  /** How many waits are pending: lets a test see that a loop has reached its next sleep. */
  get pending(): number {
    return this.#timers.pending;
  }

  /** Moves both clocks on, firing what falls due in order, and lets promises settle between. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs;
    await settled();
    for (let dueMs = this.#timers.nextDueMs(untilMs); dueMs !== undefined; dueMs = this.#timers.nextDueMs(untilMs)) {
      this.#move(dueMs);
      this.#timers.fireNext(dueMs);
      await settled();
    }
    this.#move(untilMs);
    await settled();
  }

  /** Moves both clocks on at one stroke, as a process sees that was not run for a while: what fell due meanwhile fires once, late. */
  async leap(byMs: number): Promise<void> {
    this.#move(this.#monotonicMs + byMs);
    this.#timers.fireDue(this.#monotonicMs);
    await settled();
  }

  /** Steps the wall clock alone, as NTP or a person would. */
  stepWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  #move(toMonotonicMs: number): void {
    this.#wallMs += toMonotonicMs - this.#monotonicMs;
    this.#monotonicMs = toMonotonicMs;
  }
}

/** Lets every promise and immediate that is ready run. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
};
