/** Who asks too often: a bucket for each name, which fills by the clock. Bounded: of too many names the one longest not heard of is forgotten. */
import type { Clock } from '../../protocol/time.ts';

export interface Rate {
  readonly perSecond: number;
  /** What may come at once after a long silence. */
  readonly burst: number;
}

export class Rates {
  readonly #rate: Rate;
  readonly #mostNames: number;
  readonly #clock: Clock;
  readonly #levels = new Map<string, { readonly level: number; readonly atMs: number }>();

  constructor(rate: Rate, mostNames: number, clock: Clock) {
    this.#rate = rate;
    this.#mostNames = mostNames;
    this.#clock = clock;
  }

  /** Takes one. @returns 0 when it may be; else how long until then, ms, and nothing was taken. */
  take(name: string): number {
    const { perSecond, burst } = this.#rate;
    const nowMs = this.#clock.monotonic();
    const before = this.#levels.get(name) ?? { level: burst, atMs: nowMs };
    const level = Math.min(burst, before.level + ((nowMs - before.atMs) * perSecond) / 1_000);
    const isFree = level >= 1;
    // Behind the others: a map keeps the order in which its names were set.
    this.#levels.delete(name);
    this.#levels.set(name, { level: isFree ? level - 1 : level, atMs: nowMs });
    const oldest = this.#levels.size > this.#mostNames ? this.#levels.keys().next().value : undefined;
    if (oldest !== undefined) this.#levels.delete(oldest);
    return isFree ? 0 : Math.ceil(((1 - level) * 1_000) / perSecond);
  }
}
