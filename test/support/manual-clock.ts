/** A clock that moves only by hand: wall and monotonic time apart, so that a test can step one and not the other. */
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs: number;
  #timers: Timer[] = [];

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

  sleep(waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.after(waitMs, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  after(waitMs: number, fire: () => void): () => void {
    const timer = { dueMs: this.#monotonicMs + waitMs, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How many waits are pending: lets a test see that a loop has reached its next sleep. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves both clocks on, firing what falls due in order, and lets promises settle between. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#monotonicMs + byMs;
    await settled();
    for (;;) {
      const next = this.#timers.filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#move(next.dueMs);
      this.#timers = this.#timers.filter((other) => other !== next);
      next.fire();
      await settled();
    }
    this.#move(untilMs);
    await settled();
  }

  /** Moves both clocks on at one stroke, as a process sees that was not run for a while: what fell due meanwhile fires once, late. */
  async leap(byMs: number): Promise<void> {
    this.#move(this.#monotonicMs + byMs);
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#monotonicMs).sort((a, b) => a.dueMs - b.dueMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { fire } of due) fire();
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
