/**
 * The cards a door has seen, as an immutable table: a change copies one bucket, not the table, because a scan waits for it.
 * In RAM only, and bounded: past its most, the card seen longest ago is forgotten.
 */
import type { Seen } from './check-in-state.ts';

/** By the first byte of the key: eight cards a bucket in a table of two thousand. */
const BUCKETS = 256;

interface Put {
  readonly key: string;
  readonly atMs: number;
}

/** So many that no longer count are borne before the order is written anew. */
const MOST_STALE = 256;

export class CardTable {
  readonly size: number;
  readonly #buckets: readonly ReadonlyMap<string, Seen>[];
  /** What was put, in order; shared with earlier tables, and only added to. One that the table does not hold as it says no longer counts. */
  readonly #order: Put[];
  /** Before it none counts. */
  readonly #first: number;

  constructor(buckets: readonly ReadonlyMap<string, Seen>[] = [], size = 0, order: Put[] = [], first = 0) {
    this.#buckets = buckets;
    this.size = size;
    this.#order = order;
    this.#first = first;
  }

  /** @param key a card in hex. */
  get(key: string): Seen | undefined {
    return this.#buckets[indexOf(key)]?.get(key);
  }

  /** @param seen `undefined` takes the card out. @param most one more than these makes the one put longest ago go. */
  with(key: string, seen: Seen | undefined, most: number): CardTable {
    const bucket = new Map(this.#buckets[indexOf(key)]);
    const before = bucket.size;
    if (seen === undefined) bucket.delete(key);
    else {
      bucket.set(key, seen);
      this.#order.push({ key, atMs: seen.atMs });
    }
    const changed = this.#replaced(indexOf(key), bucket, this.size + bucket.size - before);
    return changed.size > most ? changed.#withoutOldest() : changed;
  }

  /** @returns a table of those that `isKept` keeps, and of nothing else; this one when that is all. */
  filter(isKept: (seen: Seen) => boolean): CardTable {
    const buckets = this.#buckets.map((bucket) => {
      const kept = [...bucket].filter(([, seen]) => isKept(seen));
      return kept.length === bucket.size ? bucket : new Map(kept);
    });
    const size = buckets.reduce((sum, bucket) => sum + (bucket?.size ?? 0), 0);
    return (size === this.size ? this : new CardTable(buckets, size, this.#order, this.#first)).#tidy();
  }

  /** @returns a table without the cards that `isGone` names, whether or not it holds them; this one when it is the same. */
  without(isGone: (key: string) => boolean): CardTable {
    const gone = this.#buckets.flatMap((bucket) => [...bucket.keys()].filter(isGone));
    return gone.reduce<CardTable>((table, key) => table.with(key, undefined, Number.POSITIVE_INFINITY), this).#tidy();
  }

  #replaced(at: number, bucket: ReadonlyMap<string, Seen>, size: number): CardTable {
    const buckets = this.#buckets.length === 0 ? new Array<ReadonlyMap<string, Seen>>(BUCKETS).fill(new Map()) : [...this.#buckets];
    buckets[at] = bucket;
    const changed = new CardTable(buckets, size, this.#order, this.#first);
    return this.#order.length > 2 * size + MOST_STALE ? changed.#tidy() : changed;
  }

  #withoutOldest(): CardTable {
    for (let first = this.#first; first < this.#order.length; first++) {
      const put = this.#order[first];
      if (put === undefined || !this.#counts(put)) continue;
      return new CardTable(this.#buckets, this.size, this.#order, first + 1).with(put.key, undefined, Number.POSITIVE_INFINITY);
    }
    return this;
  }

  /** Nothing is left of cards that it does not hold. */
  #tidy(): CardTable {
    if (this.#order.length === this.size) return this;
    const order = this.#order.slice(this.#first).filter((put) => this.#counts(put));
    return new CardTable(this.#buckets, this.size, order);
  }

  #counts({ key, atMs }: Put): boolean {
    return this.get(key)?.atMs === atMs;
  }
}

const indexOf = (key: string): number => Number.parseInt(key.slice(0, 2), 16);
