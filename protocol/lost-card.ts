/**
 * The lost-card filter: lets one kiosk tell whether a card in front of it was reported lost, and lets nobody list the cards. A strange
 * card is taken for a lost one with probability n / 2^40: at most 10^-8 with 10,000 lost cards.
 * Source: docs/protocol.md, "Policy".
 */
import type { VisitorUuid } from './ids.ts';
import { digestFor, MARK_BYTES, markNumbers, marksOf, readMarks } from './marks.ts';

/** 50,000 bytes of marks: a policy document stays within one batch's size. */
export const MOST_LOST_CARDS = 10_000;

export interface LostCardFilter {
  /** 32 random bytes, of one kiosk. */
  readonly key: Uint8Array;
  /** 5 bytes a card, ascending, each once. */
  readonly marks: Uint8Array;
}

/** @returns 16 bytes: what is kept of a lost card in its UUID's place. Who has the card can find it here; it leads back to no card. */
export const lostDigestOf = (card: VisitorUuid): Uint8Array => digestFor('vestibule-lost-card-1', card);

/** @param digests of `lostDigestOf`, in any order. @param key 32 random bytes. @returns the same filter for the same cards and key. */
export const makeLostCardFilter = (digests: readonly Uint8Array[], key: Uint8Array): LostCardFilter => ({
  key,
  marks: marksOf(markNumbers(digests, key)),
});

/** @returns whether the card was reported lost; wrongly so for at most one strange card in a million. */
export function isLost(card: VisitorUuid, { key, marks }: LostCardFilter): boolean {
  const [sought = Number.NaN] = markNumbers([lostDigestOf(card)], key);
  const held = Buffer.from(marks.buffer, marks.byteOffset, marks.byteLength);
  let from = 0;
  let to = held.length / MARK_BYTES;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const mark = held.readUIntBE(middle * MARK_BYTES, MARK_BYTES);
    if (mark === sought) return true;
    if (mark < sought) from = middle + 1;
    else to = middle;
  }
  return false;
}

/** @throws DecodeError `decode.malformed` unless they are whole, and ascend. */
export function checkMarks(marks: Uint8Array): Uint8Array {
  readMarks(marks, 'lost-card filter');
  return marks;
}
