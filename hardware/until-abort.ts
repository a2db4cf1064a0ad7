/**
 * Waiting for a promise or an abort, whichever comes first, and leaving nothing behind on a signal that lives for weeks:
 * Promise.race against one long-lived promise would keep a reaction for every wait.
 */

/**
 * @returns what `promise` gives, or `undefined` as soon as `signal` aborts (at once if it has). The promise itself goes on; if it
 * rejects after that, nobody is told.
 * @throws whatever `promise` rejects with before the abort.
 */
export function untilAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const abandon = () => resolve(undefined);
    if (signal.aborted) {
      promise.catch(() => {});
      return abandon();
    }
    signal.addEventListener('abort', abandon, { once: true });
    const settle = () => signal.removeEventListener('abort', abandon);
    promise.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error) => {
        settle();
        reject(error);
      },
    );
  });
}

/** A signal of one's own that aborts with others and by itself: for work that they end, and that may end before them. */
export class Ending {
  readonly #controller = new AbortController();
  readonly #others: readonly AbortSignal[];
  /** Aborts it; doing so again changes nothing. */
  readonly end = (): void => this.#controller.abort();

  /** Aborted from the start where one of them is. */
  constructor(...others: readonly AbortSignal[]) {
    this.#others = others;
    for (const other of others) {
      other.addEventListener('abort', this.end, { once: true });
      if (other.aborted) this.end();
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Leaves nothing behind on the others. To be called when the work is over. */
  release(): void {
    for (const other of this.#others) other.removeEventListener('abort', this.end);
  }
}
