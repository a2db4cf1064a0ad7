/** Things that happen, and waiting for them. */
export class Happenings<T> {
  readonly all: T[] = [];
  #waiting: (() => void)[] = [];

  readonly add = (thing: T): void => {
    this.all.push(thing);
    for (const wake of this.#waiting.splice(0)) wake();
  };

  /** Resolves when `isThere` holds, looked at after each that is added. */
  async until(isThere: (all: readonly T[]) => boolean): Promise<void> {
    while (!isThere(this.all)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
