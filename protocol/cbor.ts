/**
 * Deterministic CBOR: one value has one encoding, and nothing else is read. Values are what the wire needs and no more: whole
 * numbers, text, bytes, booleans, null, arrays, and maps with keys from 0 up. Read in one pass, because a gateway reads it for every row.
 * Source: RFC 8949, sections 3 (heads), 4.2.1 (core deterministic encoding) and 5.3.1 (well-formedness).
 */
import { DecodeError } from './errors.ts';

export type CborValue = number | string | boolean | null | Uint8Array | readonly CborValue[] | ReadonlyMap<number, CborValue>;

/** Deeper than anything of ours (a key record's recipient lies 3 deep), and far from what recursion can bear. */
const DEEPEST = 8;
export const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const INDEFINITE = 31;
/** The simple values; undefined (23) and every float are refused. */
const FALSE = 20;
const TRUE = 21;
const NULL = 22;
/** The least argument that needs 1, 2, 4 or 8 further bytes (RFC 8949, section 4.2.1, "preferred serialization"). */
const LEAST_OF_WIDTH = [24, 256, 65_536, 4_294_967_296] as const;

/** @returns the one deterministic encoding: shortest heads, definite lengths, map keys ascending. */
export function encodeCbor(value: CborValue): Uint8Array {
  const bytes = new Uint8Array(lengthOf(value));
  write(bytes, 0, value);
  return bytes;
}

/** @returns how many bytes the head of this argument takes, 1 to 9. */
export const headLength = (argument: number): number =>
  argument < 24 ? 1 : argument < 256 ? 2 : argument < 65_536 ? 3 : argument < 4_294_967_296 ? 5 : 9;

/**
 * Writes one head, as drawn at `readHead`.
 * @param argument a whole number from 0 to 2^53 - 1. @returns where the next byte goes.
 */
export function writeHead(bytes: Uint8Array, at: number, major: number, argument: number): number {
  const width = headLength(argument) - 1;
  if (width === 0) {
    bytes[at] = (major << 5) | argument;
    return at + 1;
  }
  bytes[at] = (major << 5) | (width === 8 ? 27 : 24 + (width >> 1));
  let rest = argument;
  for (let i = width; i > 0; i--) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + 1 + width;
}

function lengthOf(value: CborValue): number {
  if (typeof value === 'number') return headLength(value < 0 ? -1 - value : value);
  if (typeof value === 'string') return withHead(Buffer.byteLength(value));
  if (value === null || typeof value === 'boolean') return 1;
  if (value instanceof Uint8Array) return withHead(value.length);
  if (isArray(value)) {
    let length = headLength(value.length);
    for (const entry of value) length += lengthOf(entry);
    return length;
  }
  let length = headLength(value.size);
  for (const [key, entry] of value) length += lengthOf(key) + lengthOf(entry);
  return length;
}

const withHead = (lengthBytes: number): number => headLength(lengthBytes) + lengthBytes;
const isArray = (value: unknown): value is readonly CborValue[] => Array.isArray(value);

function write(bytes: Uint8Array, at: number, value: CborValue): number {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new RangeError('CBOR: not a whole number');
    return value < 0 ? writeHead(bytes, at, MAJOR.negative, -1 - value) : writeHead(bytes, at, MAJOR.unsigned, value);
  }
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'utf8');
    const start = writeHead(bytes, at, MAJOR.text, text.length);
    bytes.set(text, start);
    return start + text.length;
  }
  if (value === null || typeof value === 'boolean') return writeHead(bytes, at, MAJOR.simple, value === null ? NULL : value ? TRUE : FALSE);
  if (value instanceof Uint8Array) {
    const start = writeHead(bytes, at, MAJOR.bytes, value.length);
    bytes.set(value, start);
    return start + value.length;
  }
  let next = isArray(value) ? writeHead(bytes, at, MAJOR.array, value.length) : writeHead(bytes, at, MAJOR.map, value.size);
  if (isArray(value)) for (const entry of value) next = write(bytes, next, entry);
  // Among keys from 0 up the order of numbers is RFC 8949's bytewise one.
  else for (const [key, entry] of ascending(value)) next = write(bytes, write(bytes, next, key), entry);
  return next;
}

/** @returns its entries by ascending key, as they nearly always were put: then nothing is made for it. */
function ascending(map: ReadonlyMap<number, CborValue>): Iterable<readonly [number, CborValue]> {
  let last = -1;
  for (const key of map.keys()) {
    if (key < last) return [...map].sort(([a], [b]) => a - b);
    last = key;
  }
  return map;
}

/**
 * @param subject names the thing in error messages.
 * @param longestBytes anything longer is refused unread.
 * @returns the value; its byte strings are copies.
 * @throws DecodeError `decode.overlong`; `decode.truncated` when the bytes end early; `decode.malformed` when they go on after the end,
 *   nest deeper than 8 or are not CBOR; `decode.unsupported` for tags, floats, undefined and keys that are not whole numbers from 0 up;
 *   `decode.out_of_range` beyond 2^53 - 1; `decode.not_canonical` when the deterministic encoding of the same value is another.
 */
export function decodeCbor(bytes: Uint8Array, subject: string, longestBytes: number): CborValue {
  if (bytes.length > longestBytes) throw new DecodeError('decode.overlong', `${subject}: ${bytes.length} of at most ${longestBytes} bytes`);
  return new Reader(bytes, subject).readWhole();
}

class Reader {
  // A Buffer's own slice would not copy.
  readonly #bytes: Uint8Array;
  readonly #subject: string;
  #at = 0;
  #major = 0;
  /** Text that is no UTF-8, or keys out of order: told once all else is known to be well-formed. */
  #isCanonical = true;

  constructor(bytes: Uint8Array, subject: string) {
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#subject = subject;
  }

  readWhole(): CborValue {
    const value = this.#read(0);
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new DecodeError('decode.malformed', `${this.#subject}: ${left} bytes after its end`);
    if (!this.#isCanonical) throw new DecodeError('decode.not_canonical', `${this.#subject}: not in its one deterministic encoding`);
    return value;
  }

  #read(depth: number): CborValue {
    const argument = this.#readHead();
    switch (this.#major) {
      case MAJOR.unsigned:
        return argument;
      case MAJOR.negative:
        return -1 - argument;
      case MAJOR.bytes:
        return this.#bytes.slice(this.#skip(argument), this.#at);
      case MAJOR.text:
        return this.#text(this.#skip(argument));
      case MAJOR.array:
        return this.#array(argument, depth);
      case MAJOR.map:
        return this.#map(argument, depth);
      default:
        return argument === NULL ? null : argument === TRUE;
    }
  }

  #array(length: number, depth: number): CborValue[] {
    this.#refuseDeeper(depth);
    const entries: CborValue[] = [];
    for (let i = 0; i < length; i++) entries.push(this.#read(depth + 1));
    return entries;
  }

  #map(size: number, depth: number): Map<number, CborValue> {
    this.#refuseDeeper(depth);
    const entries = new Map<number, CborValue>();
    let last = -1;
    for (let i = 0; i < size; i++) {
      const key = this.#readHead();
      if (this.#major !== MAJOR.unsigned)
        throw new DecodeError('decode.unsupported', `${this.#subject}: a map key of major type ${this.#major}`);
      if (key <= last) this.#isCanonical = false;
      last = key;
      entries.set(key, this.#read(depth + 1));
    }
    return entries;
  }

  #text(from: number): string {
    const own = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + from, this.#at - from);
    const text = own.toString('utf8');
    if (Buffer.compare(Buffer.from(text, 'utf8'), own) !== 0) this.#isCanonical = false;
    return text;
  }

  /** @returns where the skipped bytes begin. */
  #skip(lengthBytes: number): number {
    const from = this.#at;
    this.#at += lengthBytes;
    if (this.#at > this.#bytes.length)
      throw new DecodeError('decode.truncated', `${this.#subject}: ${this.#bytes.length} of ${this.#at} bytes`);
    return from;
  }

  #refuseDeeper(depth: number): void {
    if (depth >= DEEPEST) throw new DecodeError('decode.malformed', `${this.#subject}: nested deeper than ${DEEPEST}`);
  }

  /**
   * ```
   *  byte 0        bytes 1..
   * +-----+-------+---------------------------------------+
   * |major| minor | argument, big-endian, when minor is   |
   * | 3 b | 5 bit | 24 (1 byte), 25 (2), 26 (4) or 27 (8) |
   * +-----+-------+---------------------------------------+
   * ```
   * @returns the argument; the major type is in `#major`.
   */
  #readHead(): number {
    const first = this.#bytes[this.#at];
    if (first === undefined) throw new DecodeError('decode.truncated', `${this.#subject}: ${this.#bytes.length} bytes and more to come`);
    this.#at += 1;
    const major = first >> 5;
    const minor = first & 0x1f;
    this.#major = major;
    if (minor < 24 && major < MAJOR.tag) return minor;
    return this.#readLongHead(major, minor);
  }

  #readLongHead(major: number, minor: number): number {
    const subject = this.#subject;
    if (minor === INDEFINITE) throw new DecodeError('decode.not_canonical', `${subject}: an indefinite length`);
    if (major === MAJOR.tag || (major === MAJOR.simple && (minor < FALSE || minor > NULL)))
      throw new DecodeError('decode.unsupported', `${subject}: a tag, a float or a simple value`);
    if (minor < 24) return minor;
    const least = LEAST_OF_WIDTH[minor - 24];
    if (least === undefined) throw new DecodeError('decode.malformed', `${subject}: a reserved head`);
    const width = 2 ** (minor - 24);
    let argument = 0;
    for (let i = 0; i < width; i++) {
      const byte = this.#bytes[this.#at + i];
      if (byte === undefined) throw new DecodeError('decode.truncated', `${subject}: ${this.#bytes.length} bytes and more to come`);
      argument = argument * 256 + byte;
    }
    this.#at += width;
    if (argument < least) throw new DecodeError('decode.not_canonical', `${subject}: a head longer than it must be`);
    // A negative number is -1 - argument, so that the bound is one nearer.
    const isNumber = major === MAJOR.unsigned || major === MAJOR.negative;
    if (isNumber && argument > Number.MAX_SAFE_INTEGER - (major === MAJOR.negative ? 1 : 0))
      throw new DecodeError('decode.out_of_range', `${subject}: a number beyond 2^53 - 1`);
    return argument;
  }
}
