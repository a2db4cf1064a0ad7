/**
 * Keeps a count that is told twice from telling who came in between, or who took their card back: a cell goes on to be told as it was until it
 * has changed by as many as are never told apart. In RAM, and bounded: of too many, what was longest not asked about is told anew.
 */
import { LruMap } from '../lru-map.ts';
import { FEW } from './small-counts.ts';

/** 25,000 venues on one day, or a thousand for all of retention: some megabytes. */
const MOST_TABLES = 25_000;

export class SteadyCounts {
  readonly #told: LruMap<string, number[]>;

  constructor(mostTables = MOST_TABLES) {
    this.#told = new LruMap(mostTables);
  }

  /** @param table names what is counted: a question, a venue and a day. @param counts as they are now. @returns as they are to be told. */
  steady(table: string, counts: readonly number[]): readonly number[] {
    const before = this.#told.get(table) ?? [];
    const steady = counts.map((count, cell) => {
      const told = before[cell];
      return told !== undefined && Math.abs(count - told) < FEW ? told : count;
    });
    this.#told.set(table, steady);
    return steady;
  }
}
