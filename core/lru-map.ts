/** A map of bounded size that lets go of what was used longest ago; each value counts 1, or as much as `sizeOf` says. */
export class LruMap<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #most: number;
  readonly #onDrop: (value: Value) => void;
  readonly #sizeOf: (value: Value) => number;
  #size = 0;
  /** What was used last, which is where it should be. */
  #last: { readonly key: Key; readonly value: Value } | undefined;

  /** @param most that is held in all, 1 or more. @param onDrop is called with each value that is let go of, also by `delete` and `clear`. */
  constructor(most: number, onDrop: (value: Value) => void = () => {}, sizeOf: (value: Value) => number = () => 1) {
    this.#most = most;
    this.#onDrop = onDrop;
    this.#sizeOf = sizeOf;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    if (this.#last?.key === key) return this.#last.value;
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#last = { key, value };
    return value;
  }

  set(key: Key, value: Value): void {
    this.#last = undefined;
    const before = this.#entries.get(key);
    if (before !== undefined) this.#size -= this.#sizeOf(before);
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#size += this.#sizeOf(value);
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#most || oldest === key) return;
      this.delete(oldest);
    }
  }

  /** @returns the value held, else the one that `make` gives, held from then on. */
  getOrMake(key: Key, make: () => Value): Value {
    const held = this.get(key);
    if (held !== undefined) return held;
    const made = make();
    this.set(key, made);
    return made;
  }

  delete(key: Key): void {
    this.#last = undefined;
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#size -= this.#sizeOf(value);
    this.#onDrop(value);
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.delete(key);
  }
}
