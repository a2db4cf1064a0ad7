/**
 * The cards a door has seen, as an immutable table: a change copies one bucket, not the table, because a scan waits for it.
 * In RAM only, and bounded: past its most, the card seen longest ago is forgotten.
 */
import type { Seen } from './check-in-state.ts';

/** By the first byte of the key: eight cards a bucket in a table of two thousand. */
const BUCKETS = 256;

export class CardTable {
  readonly size: number;
  /** Each in the order in which its cards were put. */
  readonly #buckets: readonly ReadonlyMap<string, Seen>[];

  constructor(buckets: readonly ReadonlyMap<string, Seen>[] = [], size = 0) {
    this.#buckets = buckets;
    this.size = size;
  }

  /** @param key a card in hex. */
  get(key: string): Seen | undefined {
    return this.#buckets[indexOf(key)]?.get(key);
  }

  /** @param seen `undefined` takes the card out. @param most one more than these makes the one put longest ago go. */
  with(key: string, seen: Seen | undefined, most: number): CardTable {
    const bucket = new Map(this.#buckets[indexOf(key)]);
    const before = bucket.size;
    bucket.delete(key);
    if (seen !== undefined) bucket.set(key, seen);
    const changed = this.#replaced(indexOf(key), bucket, this.size + bucket.size - before);
    return changed.size > most ? changed.#withoutOldest() : changed;
  }

  /** @returns a table of those that `isKept` keeps; this one when that is all. */
  filter(isKept: (seen: Seen) => boolean): CardTable {
    const buckets = this.#buckets.map((bucket) => {
      const kept = [...bucket].filter(([, seen]) => isKept(seen));
      return kept.length === bucket.size ? bucket : new Map(kept);
    });
    const size = buckets.reduce((sum, bucket) => sum + (bucket?.size ?? 0), 0);
    return size === this.size ? this : new CardTable(buckets, size);
  }

  /** @returns a table without the cards that `isGone` names; this one when there are none. */
  without(isGone: (key: string) => boolean): CardTable {
    const gone = this.#buckets.flatMap((bucket) => [...bucket.keys()].filter(isGone));
    return gone.reduce<CardTable>((table, key) => table.with(key, undefined, Number.POSITIVE_INFINITY), this);
  }

  #replaced(at: number, bucket: ReadonlyMap<string, Seen>, size: number): CardTable {
    const buckets = this.#buckets.length === 0 ? new Array<ReadonlyMap<string, Seen>>(BUCKETS).fill(new Map()) : [...this.#buckets];
    buckets[at] = bucket;
    return new CardTable(buckets, size);
  }

  #withoutOldest(): CardTable {
    let oldest: { key: string; atMs: number } | undefined;
    for (const bucket of this.#buckets) {
      for (const [key, { atMs }] of bucket) {
        if (oldest === undefined || atMs < oldest.atMs) oldest = { key, atMs };
        break;
      }
    }
    return oldest === undefined ? this : this.with(oldest.key, undefined, Number.POSITIVE_INFINITY);
  }
}

const indexOf = (key: string): number => Number.parseInt(key.slice(0, 2), 16);
