/**
 * Names cards for what is kept in memory and compared there: under a random key of this process, so that a name says nothing outside
 * of it. A block of AES for each card, all of a batch by one call; only half of a block is the name, so that the key does not lead back.
 */
import { createCipheriv, randomBytes } from 'node:crypto';
import type { VisitorUuid } from '../../protocol/ids.ts';

const CARD_BYTES = 16;
const KEY_BYTES = 32;

/** 64 bits of a card's block. */
export interface CardName {
  readonly high: number;
  readonly low: number;
}

export class CardNames {
  readonly #cipher = createCipheriv('aes-256-ecb', randomBytes(KEY_BYTES), null);

  /** @returns the name of each, in their order. */
  of(cards: readonly VisitorUuid[]): CardName[] {
    const plain = Buffer.allocUnsafe(cards.length * CARD_BYTES);
    for (const [index, card] of cards.entries()) plain.set(card, index * CARD_BYTES);
    // Whole blocks come out as they go in: it never ends.
    const blocks = this.#cipher.update(plain);
    return cards.map((_, index) => ({ high: blocks.readUInt32LE(index * CARD_BYTES), low: blocks.readUInt32LE(index * CARD_BYTES + 4) }));
  }
}
