/** What one process runs side by side. The first that fails ends all; all have ended before anybody is told. */

export class Tasks {
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  /** Aborts when all are to end. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Adds one that is already running. */
  add(task: Promise<void>): void {
    const watched: Promise<void> = task
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#ending.abort();
      })
      .finally(() => this.#running.delete(watched));
    this.#running.add(watched);
  }

  /** Tells all to end. */
  end(): void {
    this.#ending.abort();
  }

  /** Resolves once all have ended. @throws what the first of them threw. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** @returns at the first abort of any. */
export const aborted = (...signals: readonly AbortSignal[]): Promise<void> =>
  new Promise((resolve) => {
    const any = AbortSignal.any([...signals]);
    if (any.aborted) resolve();
    any.addEventListener('abort', () => resolve(), { once: true });
  });
