/**
 * What the thread that opens batches is asked and answers: flat bytes and numbers for many batches at once, since each object that is handed from
 * one thread to another takes longer than a row.
 * ```
 * request  bytes    of each batch: public key (32), message            lengths  of each message
 * answer   bytes    of each batch: epoch (8), key id (8), boot id (16); of each row of it: digest (32), event
 *          numbers  of each batch: rows, or 0 where it is left to whoever asked; monotonic time; key record from, to; list from, to;
 *                   of each row of it: sequence number; row from, to; length of the event
 * ```
 * Places are counted from the beginning of the message, which whoever asked still has.
 */
import type { BootId, Epoch, KeyId, Seq } from '../../protocol/ids.ts';
import type { MonotonicMillis } from '../../protocol/units.ts';
import { type OpenedBatch, type UnreadBatch, type UnsealedRow, withEvent } from '../open-batch.ts';

export const PUBLIC_KEY_BYTES = 32;
const [EPOCH_AT, KEY_ID_AT, BOOT_ID_AT, HEAD_BYTES] = [0, 8, 16, 32] as const;
const DIGEST_BYTES = 32;
const HEAD_NUMBERS = 6;
const ROW_NUMBERS = 4;

export interface OpenRequest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lengths: readonly number[];
  readonly topics: readonly string[];
  readonly kiosks: readonly string[];
}

export interface OpenAnswer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly numbers: Float64Array<ArrayBuffer>;
}

export interface UnsealedBatch {
  readonly message: Uint8Array;
  /** `undefined`: left to whoever asked. */
  readonly unsealed: OpenedBatch<UnsealedRow> | undefined;
}

export function encodeAnswer(batches: readonly UnsealedBatch[]): OpenAnswer {
  let byteCount = 0;
  let numberCount = 0;
  for (const { unsealed } of batches) {
    numberCount += unsealed === undefined ? 1 : HEAD_NUMBERS + ROW_NUMBERS * unsealed.rows.length;
    if (unsealed !== undefined) byteCount += HEAD_BYTES;
    for (const { plaintext } of unsealed?.rows ?? []) byteCount += DIGEST_BYTES + plaintext.length;
  }
  const bytes = Buffer.from(new ArrayBuffer(byteCount));
  const numbers = new Float64Array(numberCount);
  let at = 0;
  let numbersAt = 0;
  const tell = (value: number) => {
    numbers[numbersAt++] = value;
  };
  for (const { message, unsealed } of batches) {
    if (unsealed === undefined) {
      tell(0);
      continue;
    }
    const tellPlace = (part: Uint8Array) => {
      const from = part.byteOffset - message.byteOffset;
      tell(from);
      tell(from + part.length);
    };
    const { keyRecord, sign1, epoch, keyId, sentAt, rows } = unsealed;
    tell(rows.length);
    tell(sentAt.monotonicMs);
    tellPlace(keyRecord);
    tellPlace(sign1);
    bytes.set(epoch, at + EPOCH_AT);
    bytes.set(keyId, at + KEY_ID_AT);
    bytes.set(sentAt.bootId, at + BOOT_ID_AT);
    at += HEAD_BYTES;
    for (const { seq, row, digest, plaintext } of rows) {
      tell(seq);
      tellPlace(row);
      tell(plaintext.length);
      bytes.write(digest, at, DIGEST_BYTES, 'latin1');
      bytes.set(plaintext, at + DIGEST_BYTES);
      at += DIGEST_BYTES + plaintext.length;
    }
  }
  return { bytes, numbers };
}

/** @param messages that were asked about, in their order. @returns each opened; `undefined` for one that is left to whoever asked. */
export function decodeAnswer({ bytes: { buffer }, numbers }: OpenAnswer, messages: readonly Uint8Array[]): (UnreadBatch | undefined)[] {
  const bytes = Buffer.from(buffer);
  let at = 0;
  let numbersAt = 0;
  return messages.map((message) => {
    const from: Place = { message, bytes, at, numbers, numbersAt };
    const count = numbers[numbersAt] ?? 0;
    if (count === 0) {
      numbersAt += 1;
      return undefined;
    }
    at += HEAD_BYTES;
    numbersAt += HEAD_NUMBERS;
    for (let row = 0; row < count; row++, numbersAt += ROW_NUMBERS) at += DIGEST_BYTES + (numbers[numbersAt + ROW_NUMBERS - 1] ?? 0);
    return { read: () => readBatch(from) };
  });
}

/** Where one batch lies in an answer. What is read of it is not kept here: what waits outlives runs of the collector, which would copy it all. */
interface Place {
  readonly message: Uint8Array;
  readonly bytes: Buffer<ArrayBuffer>;
  readonly at: number;
  readonly numbers: Float64Array;
  readonly numbersAt: number;
}

function readBatch({ message, bytes, numbers, ...begin }: Place): OpenedBatch {
  let { at, numbersAt } = begin;
  const next = () => numbers[numbersAt++] ?? 0;
  const partOf = () => {
    const from = next();
    return message.subarray(from, next());
  };
  const count = next();
  const monotonicMs = next() as MonotonicMillis;
  const keyRecord = partOf();
  const sign1 = partOf();
  const head = new Uint8Array(bytes.buffer.slice(at, at + HEAD_BYTES));
  at += HEAD_BYTES;
  const rows = Array.from({ length: count }, () => {
    const seq = next() as Seq;
    const row = partOf();
    const plainAt = at + DIGEST_BYTES;
    const digest = bytes.toString('latin1', at, plainAt);
    at = plainAt + next();
    return withEvent({ seq, row, digest }, () => bytes.subarray(plainAt, at));
  });
  const epoch = head.subarray(EPOCH_AT, KEY_ID_AT) as Epoch;
  const keyId = head.subarray(KEY_ID_AT, BOOT_ID_AT) as KeyId;
  return { keyRecord, sign1, epoch, keyId, sentAt: { bootId: head.subarray(BOOT_ID_AT) as BootId, monotonicMs }, rows };
}
