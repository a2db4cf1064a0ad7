/**
 * Counts of fixed windows of time, as [0, 5 min), [5 min, 10 min). Times may come in any order, live ones between those of a backlog; a fixed
 * window costs the same for each, and misses by at most a factor of two what falls across its end.
 */

/** A backlog and what is live, with some to spare for clocks that are off. */
const MOST_WINDOWS = 16;

export class Tally {
  readonly #windowMs: number;
  readonly #counts = new Map<number, number>();
  /** The window used last. */
  #last: number | undefined;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** @returns how many have been counted in this time's window, this one among them. */
  add(atMs: number, by: number): number {
    const window = Math.floor(atMs / this.#windowMs);
    const counted = (this.#counts.get(window) ?? 0) + by;
    // The window used last is the last in the map; the first is the one that has been idle longest.
    if (window !== this.#last) this.#counts.delete(window);
    this.#last = window;
    this.#counts.set(window, counted);
    if (this.#counts.size > MOST_WINDOWS) this.#counts.delete(this.#counts.keys().next().value ?? window);
    return counted;
  }
}
