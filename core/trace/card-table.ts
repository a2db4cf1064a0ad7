/**
 * Cards numbered in the order in which they were first seen. Names are as good as random, so that their first bytes are a hash of them
 * already; a table of numbers finds one in some ten nanoseconds, where a map of texts would take as long to make the text.
 */
import { type CardPseudonym, PSEUDONYM_BYTES } from '../pseudonym.ts';

const WORDS = PSEUDONYM_BYTES / 4;

export class CardTable {
  #size = 0;
  /** A card's number and 1, or 0; a power of two of places. */
  #places: Int32Array;
  #words: Int32Array;

  constructor(expected = 64) {
    let places = 16;
    while (places < expected * 2) places *= 2;
    this.#places = new Int32Array(places);
    this.#words = new Int32Array((places / 2) * WORDS);
  }

  get size(): number {
    return this.#size;
  }

  /** @param at where 16 bytes of a name begin; need not be whole words. @returns the card's number, or -1. */
  find(names: Uint8Array, at: number): number {
    const found = this.#places[this.#placeOf(names, at)] ?? 0;
    return found - 1;
  }

  /** @returns the card's number, given to it if it had none: then it is what `size` was. */
  number(names: Uint8Array, at: number): number {
    const place = this.#placeOf(names, at);
    const held = this.#places[place] ?? 0;
    if (held > 0) return held - 1;
    const number = this.#size;
    for (let word = 0; word < WORDS; word++) this.#words[number * WORDS + word] = wordOf(names, at + word * 4);
    this.#size += 1;
    this.#places[place] = this.#size;
    if (this.#size * 2 >= this.#places.length) this.#widen();
    return number;
  }

  /** @param number from 0 up to and without `size`. @returns its bytes as they lie here: not to be written to. */
  name(number: number): CardPseudonym {
    // Names are only ever added behind, or moved into a wider table as they are.
    return new Uint8Array(this.#words.buffer, number * PSEUDONYM_BYTES, PSEUDONYM_BYTES) as CardPseudonym;
  }

  /** Where a card is, or would be. */
  #placeOf(names: Uint8Array, at: number): number {
    const mask = this.#places.length - 1;
    const first = wordOf(names, at);
    for (let place = first & mask; ; place = (place + 1) & mask) {
      const held = this.#places[place] ?? 0;
      if (held === 0 || this.#is(held - 1, first, names, at)) return place;
    }
  }

  #is(number: number, first: number, names: Uint8Array, at: number): boolean {
    const from = number * WORDS;
    return (
      this.#words[from] === first &&
      this.#words[from + 1] === wordOf(names, at + 4) &&
      this.#words[from + 2] === wordOf(names, at + 8) &&
      this.#words[from + 3] === wordOf(names, at + 12)
    );
  }

  #widen(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const places = new Int32Array(this.#places.length * 2);
    const mask = places.length - 1;
    for (let number = 0; number < this.#size; number++) {
      let place = (words[number * WORDS] ?? 0) & mask;
      while ((places[place] ?? 0) !== 0) place = (place + 1) & mask;
      places[place] = number + 1;
    }
    this.#places = places;
  }
}

/** Little-endian. */
const wordOf = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
