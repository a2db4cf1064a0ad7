/**
 * Where each card was seen last, in tables of numbers: an object a card would live just long enough to be copied into the old part of
 * the heap, and collecting 100,000 of them again and again takes a gateway longer than all else it does with a row.
 * Two generations: when the younger is full the older is forgotten, so that between half and all of what it may hold is remembered.
 */
import type { KeyId, KioskId, Seq, VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';

/** Whose rows they are; one for each batch. */
export interface CardSource {
  readonly kiosk: KioskId;
  readonly keyId: KeyId;
  readonly venue: VenueId;
}

export interface CardSighting {
  readonly source: CardSource;
  readonly seq: Seq;
  readonly atMs: EpochMillis;
  readonly uncertaintyMs: number;
}

class Generation {
  readonly #mask: number;
  /** The first 8 bytes of a name; both 0 where nothing is. */
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #atMs: Float64Array;
  readonly #uncertaintyMs: Float64Array;
  readonly #seq: Float64Array;
  readonly #source: Uint32Array;
  readonly #sources: CardSource[] = [];
  count = 0;

  /** @param slots a power of 2, twice what is to be held. */
  constructor(slots: number) {
    this.#mask = slots - 1;
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#atMs = new Float64Array(slots);
    this.#uncertaintyMs = new Float64Array(slots);
    this.#seq = new Float64Array(slots);
    this.#source = new Uint32Array(slots);
  }

  /** @returns its slot, or the empty one where it would be. */
  slotOf(high: number, low: number): number {
    let slot = low & this.#mask;
    while (this.isTaken(slot) && (this.#high[slot] !== high || this.#low[slot] !== low)) slot = (slot + 1) & this.#mask;
    return slot;
  }

  isTaken(slot: number): boolean {
    return this.#high[slot] !== 0 || this.#low[slot] !== 0;
  }

  read(slot: number): CardSighting | undefined {
    const source = this.#sources[this.#source[slot] ?? 0];
    if (source === undefined || !this.isTaken(slot)) return undefined;
    const atMs = this.#atMs[slot] as EpochMillis;
    return { source, seq: this.#seq[slot] as Seq, atMs, uncertaintyMs: this.#uncertaintyMs[slot] ?? 0 };
  }

  write(slot: number, high: number, low: number, { source, seq, atMs, uncertaintyMs }: CardSighting): void {
    if (!this.isTaken(slot)) this.count += 1;
    // Rows of one batch follow each other.
    if (this.#sources.at(-1) !== source) this.#sources.push(source);
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#atMs[slot] = atMs;
    this.#uncertaintyMs[slot] = uncertaintyMs;
    this.#seq[slot] = seq;
    this.#source[slot] = this.#sources.length - 1;
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
    this.#slots = 2 ** Math.ceil(Math.log2(mostCards));
    this.#younger = new Generation(this.#slots);
  }

  /** Notes where a card is seen now. @param name as CardNames gives it. @returns where it was seen last. */
  see(name: string, sighting: CardSighting): CardSighting | undefined {
    const high = wordAt(name, 0);
    // Never both 0, which says that nothing is there.
    const low = wordAt(name, 4) || 1;
    if (this.#younger.count >= this.#mostCards || this.#younger.sources >= this.#slots) {
      this.#older = this.#younger;
      this.#younger = new Generation(this.#slots);
    }
    const slot = this.#younger.slotOf(high, low);
    const before = this.#younger.read(slot) ?? this.#older?.read(this.#older.slotOf(high, low));
    this.#younger.write(slot, high, low, sighting);
    return before;
  }
}

const wordAt = (name: string, at: number): number =>
  ((name.charCodeAt(at) << 24) | (name.charCodeAt(at + 1) << 16) | (name.charCodeAt(at + 2) << 8) | name.charCodeAt(at + 3)) >>> 0;
