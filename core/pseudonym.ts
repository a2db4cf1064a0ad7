/** The two names that the core gives a card, never confused: one to find it by, one that a person may see. */
import { type Cipheriv, createCipheriv, createDecipheriv, createHmac, type Decipheriv } from 'node:crypto';
import type { VenueId, VisitorUuid } from '../protocol/ids.ts';
import type { Day } from './day.ts';

declare const pseudonym: unique symbol;

/** 16 bytes, the same for a card as long as the key stands. Never leaves the store. */
export type CardPseudonym = Uint8Array & { readonly [pseudonym]: 'CardPseudonym' };

/** 16 characters of lower-case base32hex: one card at one venue on one day, in one answer. Two answers, venues or days can not be joined by it. */
export type ContactPseudonym = string & { readonly [pseudonym]: 'ContactPseudonym' };

export const PSEUDONYM_BYTES = 16;
const ALPHABET = '0123456789abcdefghijklmnopqrstuv';

/**
 * Cards by the name that the stores hold: the UUID as one block of AES-256 under the core's own key. A keyed permutation: no two cards share
 * a name, whoever lacks the key can not tell which card one is, and who has it can. A block of its own for each, so that there is
 * neither chaining nor padding: the 16 bytes of a UUID are exactly one.
 * Source: FIPS 197; NIST SP 800-38A, section 6.1, of which the repetition that it warns of is what is wanted here.
 */
export class CardNames {
  readonly #toName: Cipheriv;
  readonly #toCard: Decipheriv;

  /** @param key 32 bytes, of `CoreKeys`. */
  constructor(key: Uint8Array) {
    this.#toName = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
    this.#toCard = createDecipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  }

  /** @returns the name of a card. */
  of(card: VisitorUuid): CardPseudonym {
    return new Uint8Array(this.#toName.update(card)) as CardPseudonym;
  }

  /** @param cards 16 bytes each, one behind the other. @returns their names, likewise: a thousand in one call cost as much as twenty alone. */
  ofMany(cards: Uint8Array): Uint8Array {
    const names = this.#toName.update(cards);
    return new Uint8Array(names.buffer, names.byteOffset, names.byteLength);
  }

  /** @returns the card of a name: for telling a gateway whom a notice is for, and nothing else. */
  cardOf(name: CardPseudonym): VisitorUuid {
    return new Uint8Array(this.#toCard.update(name)) as VisitorUuid;
  }
}

/** @returns a name as a key of maps: a character for each byte. */
export const nameText = (name: Uint8Array): string => Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('latin1');

/** @param answerKey 32 random bytes, made for one answer and forgotten with it. */
export function contactPseudonym(answerKey: Uint8Array, card: CardPseudonym, venue: VenueId, day: Day): ContactPseudonym {
  const digest = createHmac('sha256', answerKey).update(`${venue}/${day}/`).update(card).digest();
  let text = '';
  for (const byte of digest.subarray(0, 16)) text += ALPHABET.charAt(byte % 32);
  return text as ContactPseudonym;
}
