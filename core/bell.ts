/** Keeps those who ask for news waiting until there are some. */
import type { Clock } from '../protocol/time.ts';

export class Bell {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Everybody who waits goes on. */
  ring(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next ring, after `waitMs`, or on abort. */
  wait(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#waiting.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#clock.after(waitMs, end);
      this.#waiting.add(end);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}
