/** The two names that the core gives a card, never confused: one to find it by, one that a person may see. */
import { createHmac, type KeyObject } from 'node:crypto';
import type { VenueId, VisitorUuid } from '../protocol/ids.ts';
import type { Day } from './day.ts';

declare const pseudonym: unique symbol;

/** 16 bytes, the same for a card as long as the key stands. Never leaves the store. */
export type CardPseudonym = Uint8Array & { readonly [pseudonym]: 'CardPseudonym' };

/** 16 characters of lower-case base32hex: one card at one venue on one day, in one answer. Two answers, venues or days can not be joined by it. */
export type ContactPseudonym = string & { readonly [pseudonym]: 'ContactPseudonym' };

const PSEUDONYM_BYTES = 16;
const ALPHABET = '0123456789abcdefghijklmnopqrstuv';

/** @param key 32 bytes, of `CoreKeys`; for many cards as an object, because raw bytes are made one anew for each: 15 µs instead of 3. */
export const cardPseudonym = (key: Uint8Array | KeyObject, card: VisitorUuid): CardPseudonym =>
  new Uint8Array(createHmac('sha256', key).update(card).digest().subarray(0, PSEUDONYM_BYTES)) as CardPseudonym;

/** @param answerKey 32 random bytes, made for one answer and forgotten with it. */
export function contactPseudonym(answerKey: Uint8Array, card: CardPseudonym, venue: VenueId, day: Day): ContactPseudonym {
  const digest = createHmac('sha256', answerKey).update(`${venue}/${day}/`).update(card).digest();
  let text = '';
  for (const byte of digest.subarray(0, 16)) text += ALPHABET.charAt(byte % 32);
  return text as ContactPseudonym;
}
