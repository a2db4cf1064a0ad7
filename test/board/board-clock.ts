/**
 * Time as the board lives it, for the kiosk beside it: a machine that is too busy to execute the board's program in time slows both down, and
 * what is measured stays what it would be.
 */
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

export class BoardClock implements Clock {
  #nowMs = 60_000;
  readonly #timers = new Set<Timer>();

  wall(): EpochMillis {
    return (Date.UTC(2026, 10, 22) + this.#nowMs) as EpochMillis;
  }

  monotonic(): MonotonicMillis {
    return this.#nowMs as MonotonicMillis;
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
    const timer = { dueMs: this.#nowMs + waitMs, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
    const due = [...this.#timers].filter(({ dueMs }) => dueMs <= this.#nowMs).sort((a, b) => a.dueMs - b.dueMs);
    for (const timer of due) {
      // One that fired before may have cancelled it.
      if (this.#timers.delete(timer)) timer.fire();
    }
  }
}
