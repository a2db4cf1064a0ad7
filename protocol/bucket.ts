/**
 * Rates as buckets that fill by the clock: what is taken may leave a debt, and until that is paid nothing more goes. So one large
 * packet needs no bucket of its own size.
 */
import type { MonotonicMillis } from './units.ts';

export interface Rate {
  readonly perSecond: number;
  /** What may go at once after a long silence. */
  readonly burst: number;
}

export class Bucket {
  readonly #rate: Rate;
  #level: number;
  #atMs: MonotonicMillis;

  constructor(rate: Rate, nowMs: MonotonicMillis) {
    this.#rate = rate;
    this.#level = rate.burst;
    this.#atMs = nowMs;
  }

  /** @returns how long until something may be taken, ms; 0 for now. */
  waitMs(nowMs: MonotonicMillis): number {
    this.#fill(nowMs);
    // One at least: a debt of less would be waited for by no time at all, again and again.
    return this.#level > 0 ? 0 : Math.ceil(((1 - this.#level) * 1_000) / this.#rate.perSecond);
  }

  /** Takes it, whether it may be taken or not. */
  take(amount: number, nowMs: MonotonicMillis): void {
    this.#fill(nowMs);
    this.#level -= amount;
  }

  /** Takes one, if it may be taken. */
  takeOne(nowMs: MonotonicMillis): boolean {
    if (this.waitMs(nowMs) > 0) return false;
    this.take(1, nowMs);
    return true;
  }

  #fill(nowMs: MonotonicMillis): void {
    this.#level = Math.min(this.#rate.burst, this.#level + ((nowMs - this.#atMs) * this.#rate.perSecond) / 1_000);
    this.#atMs = nowMs;
  }
}

/** Buckets of one rate by name. Bounded: of too many, the one longest not asked for is forgotten. */
export class Buckets {
  readonly #rate: Rate;
  readonly #most: number;
  readonly #byName = new Map<string, Bucket>();

  constructor(rate: Rate, most: number) {
    this.#rate = rate;
    this.#most = most;
  }

  of(name: string, nowMs: MonotonicMillis): Bucket {
    const bucket = this.#byName.get(name) ?? new Bucket(this.#rate, nowMs);
    // Behind the others: a map keeps the order in which its names were set.
    this.#byName.delete(name);
    this.#byName.set(name, bucket);
    const oldest = this.#byName.size > this.#most ? this.#byName.keys().next().value : undefined;
    if (oldest !== undefined) this.#byName.delete(oldest);
    return bucket;
  }

  /** Takes one of a name's, if it may be taken. @returns 0 when it was; else how long until then, ms. */
  takeOne(name: string, nowMs: MonotonicMillis): number {
    const bucket = this.of(name, nowMs);
    return bucket.takeOne(nowMs) ? 0 : bucket.waitMs(nowMs);
  }
}
