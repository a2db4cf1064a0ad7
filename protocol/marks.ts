/**
 * Marks: 40 bits of a card under a kiosk's own key, so that one kiosk can tell whether a card in front of it is on a list, nobody can list
 * the cards, and two kiosks' lists have nothing in common.
 *
 *     card -> SHA-256 of a context and it, cut to 16 bytes (the digest) -> one AES-256 block under the key -> cut to 5 bytes (the mark)
 *
 * A strange card is taken for one of n listed ones with probability n / 2^40. One block and not an HMAC, because a gateway makes every
 * mark anew for every kiosk: docs/decisions/0019-policy.md has the figures.
 * Source: FIPS 197 (AES), FIPS 180-4 (SHA-256).
 */
import { createCipheriv, createHash } from 'node:crypto';
import { DecodeError } from './errors.ts';

export const FILTER_KEY_BYTES = 32;
export const DIGEST_BYTES = 16;
export const MARK_BYTES = 5;

/** @param context of one kind of list, so that no digest of one fits another. @returns 16 bytes that lead back to no card. */
export const digestFor = (context: string, name: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(`${context}\0`).update(name).digest().subarray(0, DIGEST_BYTES));

/** @param digests 16 bytes each. @param key 32 bytes. @returns the mark of each as a number, in their order. */
export const markNumbers = (digests: readonly Uint8Array[], key: Uint8Array): Float64Array => markRun(Buffer.concat(digests), key);

/** @param run of digests, 16 bytes each, one behind the other: joined once where many keys are to mark them. @returns as `markNumbers`. */
export function markRun(run: Uint8Array, key: Uint8Array): Float64Array {
  // One block each, without chaining: each digest is a block of its own and no two are the same.
  const blocks = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(run);
  // Buffer's own readers and writers of 5 bytes take twice as long, and a gateway makes a million marks for one case.
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const numbers = new Float64Array(blocks.length / DIGEST_BYTES);
  for (let index = 0, at = 0; index < numbers.length; index++, at += DIGEST_BYTES)
    numbers[index] = view.getUint32(at) * 256 + view.getUint8(at + 4);
  return numbers;
}

/** @returns 5 bytes a number, ascending, each once. */
export function marksOf(numbers: Float64Array): Uint8Array {
  const sorted = numbers.toSorted();
  const bytes = new DataView(new ArrayBuffer(sorted.length * MARK_BYTES));
  let length = 0;
  let last = -1;
  for (const mark of sorted) {
    if (mark === last) continue;
    last = mark;
    bytes.setUint32(length, mark / 256);
    bytes.setUint8(length + 4, mark % 256);
    length += MARK_BYTES;
  }
  return new Uint8Array(bytes.buffer, 0, length);
}

/** Their numbers, ascending. @throws DecodeError `decode.malformed` unless they are whole, and ascend. */
export function readMarks(marks: Uint8Array, subject: string): Float64Array {
  if (marks.length % MARK_BYTES !== 0)
    throw new DecodeError('decode.malformed', `${subject}: ${marks.length} bytes are no whole marks of ${MARK_BYTES}`);
  const held = Buffer.from(marks.buffer, marks.byteOffset, marks.byteLength);
  const numbers = new Float64Array(marks.length / MARK_BYTES);
  let last = -1;
  for (let index = 0; index < numbers.length; index++) {
    const mark = held.readUIntBE(index * MARK_BYTES, MARK_BYTES);
    if (mark <= last) throw new DecodeError('decode.malformed', `${subject}: marks do not ascend`);
    numbers[index] = last = mark;
  }
  return numbers;
}
