/**
 * How large a slower suite runs, and from which seed: told by `npm run test:<name> -- [--full] [--seed N]`. A small run is the
 * same each time, so that one that fails blames the change before it; `--full` explores, from another seed each time.
 */

export interface SuiteSize {
  readonly isFull: boolean;
  /** Repeats a run; printed by the suite. */
  readonly seed: number;
}

const SMALL_SEED = 1;

export function suiteSize(): SuiteSize {
  const { VESTIBULE_SUITE_FULL, VESTIBULE_SUITE_SEED } = process.env;
  const isFull = VESTIBULE_SUITE_FULL === '1';
  const unasked = isFull ? Math.floor(Math.random() * 2 ** 31) : SMALL_SEED;
  return { isFull, seed: VESTIBULE_SUITE_SEED ? Number(VESTIBULE_SUITE_SEED) : unasked };
}

/** A small seeded generator (mulberry32), so that a failing run can be repeated. @returns numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
