/** What ends a gateway, in order. */

/**
 * What was opened, to be closed in the opposite order: ingest first, so that what it has commits and is acknowledged, then the
 * broker and its listeners, then the loops that read the stores, and the stores last.
 */
export class Closers {
  readonly #closers: (() => void | Promise<void>)[] = [];

  add(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  async closeAll(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
