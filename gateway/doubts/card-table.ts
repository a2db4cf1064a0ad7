/**
 * Where each card was seen last, in tables of numbers: an object a card would live just long enough to be copied into the old part of
 * the heap, and collecting 100,000 of them again and again takes a gateway longer than all else it does with a row.
 * Two generations: when the younger is full the older is forgotten, so that between half and all of what it may hold is remembered.
 */
import type { KeyId, KioskId, Seq, VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { CardName } from './card-names.ts';

/** Whose rows they are: the same object for the same. */
export interface CardSource {
  readonly kiosk: KioskId;
  readonly keyId: KeyId;
  readonly venue: VenueId;
}

export interface CardSighting {
  readonly source: CardSource;
  readonly seq: Seq;
  readonly atMs: EpochMillis;
  /** A whole number below 2^32. */
  readonly uncertaintyMs: number;
}

/**
 * The first word of each name lies apart: of most cards nothing is known, and these words, of both generations, lie in a processor's own memory.
 * A line for each card, 32 bytes, so that one more look at memory is enough for one that is known:
 * ```
 *   0 name, low  4 number of its source  8 uncertainty, ms  16 when, ms (float64)  24 sequence number (float64)
 * ```
 */
const WORDS = 8;
const FLOATS = 4;
const [LOW, SOURCE, UNCERTAINTY] = [0, 1, 2] as const;
const [AT, SEQ] = [2, 3] as const;

class Generation {
  readonly #mask: number;
  /** 0 where nothing is. */
  readonly #highs: Uint32Array;
  readonly #words: Uint32Array;
  /** The same bytes. */
  readonly #floats: Float64Array;
  #sources: CardSource[] = [];
  readonly #sourceNos = new Map<CardSource, number>();
  count = 0;

  /** @param slots a power of 2, a quarter more than is to be held. */
  constructor(slots: number) {
    this.#mask = slots - 1;
    this.#highs = new Uint32Array(slots);
    this.#words = new Uint32Array(slots * WORDS);
    this.#floats = new Float64Array(this.#words.buffer);
  }

  /** Its memory is used again: made anew it would be given by the system page by page, each at a cost. */
  clear(): void {
    this.#highs.fill(0);
    this.#sources = [];
    this.#sourceNos.clear();
    this.count = 0;
  }

  /** @param high not 0. @returns its slot, or the empty one where it would be. */
  slotOf(high: number, low: number): number {
    const highs = this.#highs;
    const mask = this.#mask;
    let slot = low & mask;
    for (let there = highs[slot]; there !== 0; there = highs[slot]) {
      if (there === high && this.#words[slot * WORDS + LOW] === low) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  read(slot: number): CardSighting | undefined {
    if (this.#highs[slot] === 0) return undefined;
    const source = this.#sources[this.#words[slot * WORDS + SOURCE] ?? 0];
    if (source === undefined) return undefined;
    const atMs = this.#floats[slot * FLOATS + AT] as EpochMillis;
    return { source, seq: this.#floats[slot * FLOATS + SEQ] as Seq, atMs, uncertaintyMs: this.#words[slot * WORDS + UNCERTAINTY] ?? 0 };
  }

  write(slot: number, high: number, low: number, { source, seq, atMs, uncertaintyMs }: CardSighting): void {
    if (this.#highs[slot] === 0) this.count += 1;
    this.#highs[slot] = high;
    this.#words[slot * WORDS + LOW] = low;
    this.#words[slot * WORDS + SOURCE] = this.#sourceNo(source);
    this.#words[slot * WORDS + UNCERTAINTY] = uncertaintyMs;
    this.#floats[slot * FLOATS + AT] = atMs;
    this.#floats[slot * FLOATS + SEQ] = seq;
  }

  #sourceNo(source: CardSource): number {
    const known = this.#sourceNos.get(source);
    if (known !== undefined) return known;
    this.#sourceNos.set(source, this.#sources.length);
    return this.#sources.push(source) - 1;
  }

  /** Rows of many batches may be about few cards. */
  get sources(): number {
    return this.#sources.length;
  }
}

export class CardTable {
  readonly #mostCards: number;
  readonly #slots: number;
  #younger: Generation;
  #older: Generation | undefined;

  /** @param mostCards 2 or more, of both generations. */
  constructor(mostCards: number) {
    this.#mostCards = Math.floor(mostCards / 2);
    this.#slots = 2 ** Math.ceil(Math.log2(1.25 * this.#mostCards));
    this.#younger = new Generation(this.#slots);
  }

  /** Notes where a card is seen now. @returns where it was seen last. */
  see(name: CardName, sighting: CardSighting): CardSighting | undefined {
    const { low } = name;
    // Never 0, which says that nothing is there.
    const high = name.high || 1;
    if (this.#younger.count >= this.#mostCards || this.#younger.sources >= this.#slots) {
      const oldest = this.#older ?? new Generation(this.#slots);
      oldest.clear();
      this.#older = this.#younger;
      this.#younger = oldest;
    }
    const slot = this.#younger.slotOf(high, low);
    const before = this.#younger.read(slot) ?? this.#older?.read(this.#older.slotOf(high, low));
    this.#younger.write(slot, high, low, sighting);
    return before;
  }
}
