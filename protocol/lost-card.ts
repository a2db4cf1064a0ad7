/**
 * The lost-card filter: lets one kiosk tell whether a card in front of it was reported lost, and lets nobody list the cards. It holds 40
 * bits of each card under a key of that kiosk's own, so that two kiosks' filters have nothing in common.
 *
 *     card -> SHA-256, cut to 16 bytes (the digest) -> one AES-256 block under the filter's key -> cut to 5 bytes (the mark)
 *
 * A strange card is taken for a lost one with probability n / 2^40: at most 10^-8 with 10,000 lost cards. One block and not an HMAC,
 * because a gateway makes every mark anew for every kiosk: docs/decisions/0019-policy.md has the figures.
 * Source: FIPS 197 (AES), FIPS 180-4 (SHA-256).
 */
import { createCipheriv, createHash } from 'node:crypto';
import { DecodeError } from './errors.ts';
import type { VisitorUuid } from './ids.ts';

export const FILTER_KEY_BYTES = 32;
export const LOST_DIGEST_BYTES = 16;
export const MARK_BYTES = 5;
/** 50,000 bytes of marks: a policy document stays within one batch's size. */
export const MOST_LOST_CARDS = 10_000;

export interface LostCardFilter {
  /** 32 random bytes, of one kiosk. */
  readonly key: Uint8Array;
  /** 5 bytes a card, ascending, each once. */
  readonly marks: Uint8Array;
}

const CONTEXT = 'vestibule-lost-card-1\0';

/** @returns 16 bytes: what is kept of a lost card in its UUID's place. Who has the card can find it here; it leads back to no card. */
export const lostDigestOf = (card: VisitorUuid): Uint8Array =>
  new Uint8Array(createHash('sha256').update(CONTEXT).update(card).digest().subarray(0, LOST_DIGEST_BYTES));

/** @param digests of `lostDigestOf`, in any order. @param key 32 random bytes. @returns the same filter for the same cards and key. */
export function makeLostCardFilter(digests: readonly Uint8Array[], key: Uint8Array): LostCardFilter {
  const blocks = encrypted(Buffer.concat(digests), key);
  const marks = Float64Array.from(digests, (_digest, index) => blocks.readUIntBE(index * LOST_DIGEST_BYTES, MARK_BYTES)).sort();
  const bytes = Buffer.alloc(marks.length * MARK_BYTES);
  let length = 0;
  for (const [index, mark] of marks.entries()) if (mark !== marks[index - 1]) length = bytes.writeUIntBE(mark, length, MARK_BYTES);
  return { key, marks: new Uint8Array(bytes.subarray(0, length)) };
}

/** @returns whether the card was reported lost; wrongly so for at most one strange card in a million. */
export function isLost(card: VisitorUuid, { key, marks }: LostCardFilter): boolean {
  const sought = encrypted(lostDigestOf(card), key).readUIntBE(0, MARK_BYTES);
  const held = asBuffer(marks);
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
  if (marks.length % MARK_BYTES !== 0)
    throw new DecodeError('decode.malformed', `lost-card filter: ${marks.length} bytes are no whole marks of ${MARK_BYTES}`);
  const held = asBuffer(marks);
  let last = -1;
  for (let at = 0; at < held.length; at += MARK_BYTES) {
    const mark = held.readUIntBE(at, MARK_BYTES);
    if (mark <= last) throw new DecodeError('decode.malformed', 'lost-card filter: marks do not ascend');
    last = mark;
  }
  return marks;
}

/** One block each, without chaining: each digest is a block of its own and no two are the same. */
function encrypted(blocks: Uint8Array, key: Uint8Array): Buffer {
  return createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(blocks);
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
