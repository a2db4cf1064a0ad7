/** Waits that fire when a test says so. */

interface Timer {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** The waiting half of a Clock; whoever owns the time fires what is due. */
export class Timers {
  readonly #nowMs: () => number;
  #timers: readonly Timer[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Waits that have not fired. */
  get pending(): number {
    return this.#timers.length;
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
    const timer = { dueMs: this.#nowMs() + waitMs, fire };
    this.#timers = [...this.#timers, timer];
    return () => void this.#take(timer);
  }

  /** When the first is due of those that are by `untilMs`; `undefined` when none is. */
  nextDueMs(untilMs: number): number | undefined {
    return this.#dueBy(untilMs)[0]?.dueMs;
  }

  /** Fires the first that is due by `untilMs`. @returns whether there was one. */
  fireNext(untilMs: number): boolean {
    const [next] = this.#dueBy(untilMs);
    if (next === undefined) return false;
    this.#take(next);
    next.fire();
    return true;
  }

  /** Fires what is due now, in order: not what those set up, nor what one that fired before has cancelled. */
  fireDue(untilMs: number): void {
    for (const timer of this.#dueBy(untilMs)) if (this.#take(timer)) timer.fire();
  }

  #dueBy(untilMs: number): Timer[] {
    return this.#timers.filter(({ dueMs }) => dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs);
  }

  #take(timer: Timer): boolean {
    const left = this.#timers.filter((other) => other !== timer);
    const isThere = left.length < this.#timers.length;
    this.#timers = left;
    return isThere;
  }
}
