/** One budget of bytes for all clients together, so that many who are each within their own fill no memory either. */

export class SharedBudget {
  readonly #mostBytes: number;
  #bytes = 0;
  /** In the order in which they came. */
  readonly #waiting = new Map<AbortSignal, () => void>();

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param untilGone of whoever takes it: each waits once, and no longer than until its abort.
   * @param onRoom called once, when there may be room.
   * @returns whether there was room, and it is taken; else `onRoom` is called later.
   */
  take(bytes: number, untilGone: AbortSignal, onRoom: () => void): boolean {
    // One packet at least, or one longer than the budget would wait for ever.
    if (this.#bytes > 0 && this.#bytes + bytes > this.#mostBytes) {
      if (!this.#waiting.has(untilGone)) this.#wait(untilGone, onRoom);
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
    for (const [untilGone, wake] of [...this.#waiting]) {
      if (this.#bytes >= this.#mostBytes) return;
      this.#waiting.delete(untilGone);
      wake();
    }
  }

  #wait(untilGone: AbortSignal, onRoom: () => void): void {
    const forget = () => this.#waiting.delete(untilGone);
    untilGone.addEventListener('abort', forget, { once: true });
    this.#waiting.set(untilGone, () => {
      untilGone.removeEventListener('abort', forget);
      onRoom();
    });
  }
}
