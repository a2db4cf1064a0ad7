/** Which speed a serial scanner speaks at, found by whether what it sends can be read. Pure. */
import type { MonotonicMillis } from '../../protocol/units.ts';

/** As scanners leave the shop, the most usual first; 9,600 and 115,200 are nearly all of them. */
export const USUAL_RATES: readonly [number, ...number[]] = [9_600, 115_200, 19_200, 38_400, 57_600, 4_800, 2_400, 1_200];

/** At a wrong speed a few bytes may look like text by chance; a code of ours has 16 letters at least. */
const LEAST_TELLING = 8;
/** One code at a wrong speed is many frames that can not be read, because bytes like line ends are among them; they count once. */
const BURST_MS = 500;
/** A card of 174 letters takes 1.45 s at 1,200 baud: what comes sooner after a change may be the end of a code whose beginning was noise. */
const SETTLE_MS = 1_500;
/** A speed that was right stays until so many in a row can not be read: a brown-out garbles a code, too. */
const MOST_BAD_WHEN_KNOWN = 3;

/** Tries the next speed after each burst that can not be read, round and round, until one can be read: a person scans again meanwhile. */
export class BaudSearch {
  #at = 0;
  #isKnown = false;
  #badInARow = 0;
  #lastBadMs = Number.NEGATIVE_INFINITY;
  #changedMs = Number.NEGATIVE_INFINITY;

  /** What to speak now. */
  get rate(): number {
    return USUAL_RATES[this.#at] ?? USUAL_RATES[0];
  }

  /** Whether a text that ended now may be part of a code only. */
  isSettling(nowMs: MonotonicMillis): boolean {
    return nowMs - this.#changedMs < SETTLE_MS;
  }

  /** @param length of a text that was read. */
  legible(length: number): void {
    this.#badInARow = 0;
    if (length >= LEAST_TELLING) this.#isKnown = true;
  }

  /** Something came that can not be read. @param nowMs monotonic. @returns whether `rate` is another one now. */
  illegible(nowMs: MonotonicMillis): boolean {
    const isSameBurst = nowMs - this.#lastBadMs < BURST_MS;
    this.#lastBadMs = nowMs;
    if (isSameBurst) return false;
    this.#badInARow += 1;
    if (this.#isKnown && this.#badInARow < MOST_BAD_WHEN_KNOWN) return false;
    this.#isKnown = false;
    this.#badInARow = 0;
    this.#changedMs = nowMs;
    this.#at = (this.#at + 1) % USUAL_RATES.length;
    return true;
  }
}
