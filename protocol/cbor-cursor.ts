/**
 * Reads CBOR whose form is known beforehand, by the byte and without making values of it. It knows no faults: whatever is not as
 * expected ends it, and the general decoder (cbor.ts) is to be asked what is wrong. Reads no more than deterministic encoding allows.
 * Source: RFC 8949, sections 3 and 4.2.1.
 */
import { MAJOR } from './cbor.ts';

/** RFC 8949, section 3.3. */
const FALSE = 0xf4;
const TRUE = 0xf5;

export class CborCursor {
  readonly #bytes: Buffer;
  /** The same bytes: views of a Buffer would be Buffers. */
  readonly #plain: Uint8Array;
  #at = 0;
  #isAsExpected = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Whether all was as expected, and nothing is left. Until it is asked, what was read means nothing. */
  get isDone(): boolean {
    return this.#isAsExpected && this.#at === this.#bytes.length;
  }

  /** Where the next byte is read. */
  get at(): number {
    return this.#at;
  }

  /** @returns the entries' number; 0 when it is no array or not within bounds. */
  array(fewest: number, most = fewest): number {
    const length = this.#head(MAJOR.array);
    if (length >= fewest && length <= most) return length;
    this.#isAsExpected = false;
    return 0;
  }

  /** @returns a view; empty when it is no byte string or not within bounds. */
  bytes(shortest: number, longest = shortest): Uint8Array {
    const from = this.#skipBytes(shortest, longest);
    return this.#plain.subarray(from, this.#at);
  }

  /** @returns a byte string of this length as text, a character for each byte. */
  binary(length: number): string {
    const from = this.#skipBytes(length, length);
    return this.#bytes.toString('binary', from, this.#at);
  }

  /** @returns a whole number; 0 when it is none, or out of bounds. */
  integer(least: number): number {
    const value = this.#head(MAJOR.unsigned);
    if (value >= least) return value;
    this.#isAsExpected = false;
    return 0;
  }

  /** @returns true or false; false when it is neither. */
  boolean(): boolean {
    const byte = this.#bytes[this.#at++];
    if (byte !== FALSE && byte !== TRUE) this.#isAsExpected = false;
    return byte === TRUE;
  }

  /** Passes over exactly this byte. */
  expectByte(expected: number): void {
    if (this.#bytes[this.#at++] !== expected) this.#isAsExpected = false;
  }

  /** Passes over exactly these bytes. */
  expect(expected: Uint8Array): void {
    for (const byte of expected) if (this.#bytes[this.#at++] !== byte) this.#isAsExpected = false;
  }

  /** @returns where the string begins. */
  #skipBytes(shortest: number, longest: number): number {
    const length = this.#head(MAJOR.bytes);
    const from = Math.min(this.#at, this.#bytes.length);
    this.#at = from;
    if (length < shortest || length > longest || from + length > this.#bytes.length) this.#isAsExpected = false;
    else this.#at = from + length;
    return from;
  }

  /** @returns the argument; -1 for another major type, and for what does not fit a deterministic encoding of at most 2^53 - 1. */
  #head(major: number): number {
    const first = this.#bytes[this.#at++];
    if (first === undefined || first >> 5 !== major) return -1;
    const minor = first & 0x1f;
    if (minor < 24) return minor;
    const at = this.#at;
    if (minor === 24) {
      this.#at += 1;
      return atLeast(this.#bytes[at] ?? -1, 24);
    }
    if (minor === 25 && at + 2 <= this.#bytes.length) {
      this.#at += 2;
      return atLeast(this.#bytes.readUInt16BE(at), 256);
    }
    if (minor === 26 && at + 4 <= this.#bytes.length) {
      this.#at += 4;
      return atLeast(this.#bytes.readUInt32BE(at), 65_536);
    }
    if (minor !== 27 || at + 8 > this.#bytes.length) return -1;
    this.#at += 8;
    const value = this.#bytes.readUInt32BE(at) * 4_294_967_296 + this.#bytes.readUInt32BE(at + 4);
    return value > Number.MAX_SAFE_INTEGER ? -1 : atLeast(value, 4_294_967_296);
  }
}

const atLeast = (value: number, least: number): number => (value < least ? -1 : value);
