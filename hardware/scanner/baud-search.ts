/** Which speed a serial scanner speaks at, found by whether what it sends can be read. Pure. */

/** As scanners leave the shop, the most usual first; 9,600 and 115,200 are nearly all of them. */
export const USUAL_RATES: readonly [number, ...number[]] = [9_600, 115_200, 19_200, 38_400, 57_600, 4_800, 2_400, 1_200];

/** At a wrong speed a few bytes may look like text by chance; a code of ours has 16 letters at least. */
const LEAST_TELLING = 8;
/** A speed that was right stays until so many in a row can not be read: a brown-out garbles a code, too. */
const MOST_BAD_WHEN_KNOWN = 3;

/** Tries the next speed after each unreadable frame, round and round, until one can be read: a person scans again meanwhile. */
export class BaudSearch {
  #at = 0;
  #isKnown = false;
  #badInARow = 0;

  /** What to speak now. */
  get rate(): number {
    return USUAL_RATES[this.#at] ?? USUAL_RATES[0];
  }

  /** @param length of a text that was read. */
  legible(length: number): void {
    this.#badInARow = 0;
    if (length >= LEAST_TELLING) this.#isKnown = true;
  }

  /** Something came that can not be read. @returns whether `rate` is another one now. */
  illegible(): boolean {
    this.#badInARow += 1;
    if (this.#isKnown && this.#badInARow < MOST_BAD_WHEN_KNOWN) return false;
    this.#isKnown = false;
    this.#badInARow = 0;
    this.#at = (this.#at + 1) % USUAL_RATES.length;
    return true;
  }
}
