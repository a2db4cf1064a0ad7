/**
 * Deterministic CBOR: one value has one encoding, and nothing else is read. The only importer of cborg.
 * Values are what the wire needs and no more: whole numbers, text, bytes, booleans, null, arrays, and maps with keys from 0 up.
 * Source: RFC 8949, sections 3 (heads), 4.2.1 (core deterministic encoding) and 5.3.1 (well-formedness).
 */
import { decode, encode } from 'cborg';
import { DecodeError } from './errors.ts';

export type CborValue = number | string | boolean | null | Uint8Array | readonly CborValue[] | ReadonlyMap<number, CborValue>;

/** Deeper than anything of ours (a key record's recipient lies 3 deep), and far from what recursion can bear. */
const DEEPEST = 8;
const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const INDEFINITE = 31;
/** The simple values false, true and null; undefined (23) and every float are refused. */
const SIMPLE_VALUES: ReadonlySet<number> = new Set([20, 21, 22]);
/** The least argument that needs 1, 2, 4 or 8 further bytes (RFC 8949, section 4.2.1, "preferred serialization"). */
const LEAST_OF_WIDTH = [24, 256, 65_536, 4_294_967_296] as const;

/**
 * @param value its maps have keys from 0 up: among those, cborg's own order of keys (shorter ones first) is RFC 8949's bytewise one,
 *   and takes half the time.
 * @returns the one deterministic encoding: shortest heads, definite lengths, map keys ascending.
 */
export function encodeCbor(value: CborValue): Uint8Array {
  return encode(value);
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
  walk(bytes, subject);
  const value: CborValue = decode(bytes, { strict: true, useMaps: true, allowIndefinite: false, allowUndefined: false });
  if (Buffer.compare(encodeCbor(value), bytes) !== 0)
    throw new DecodeError('decode.not_canonical', `${subject}: not in its one deterministic encoding`);
  return value;
}

/** Goes over every head without recursion, so that what cborg is then handed is complete, shallow and of the types above. */
function walk(bytes: Uint8Array, subject: string): void {
  const open: { isMap: boolean; left: number }[] = [{ isMap: false, left: 1 }];
  let at = 0;
  for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
    if (frame.left === 0) {
      open.pop();
      continue;
    }
    const isKey = frame.isMap && frame.left % 2 === 0;
    frame.left -= 1;
    const { major, argument, lengthBytes } = readHead(bytes, at, subject);
    at += lengthBytes;
    if (isKey && major !== MAJOR.unsigned) throw new DecodeError('decode.unsupported', `${subject}: a map key of major type ${major}`);
    if (major === MAJOR.bytes || major === MAJOR.text) at += argument;
    if (at > bytes.length) throw new DecodeError('decode.truncated', `${subject}: ${bytes.length} of ${at} bytes`);
    if (major === MAJOR.array || major === MAJOR.map) {
      if (open.length > DEEPEST) throw new DecodeError('decode.malformed', `${subject}: nested deeper than ${DEEPEST}`);
      open.push(major === MAJOR.map ? { isMap: true, left: argument * 2 } : { isMap: false, left: argument });
    }
  }
  if (at < bytes.length) throw new DecodeError('decode.malformed', `${subject}: ${bytes.length - at} bytes after its end`);
}

/**
 * ```
 *  byte 0        bytes 1..
 * +-----+-------+---------------------------------------+
 * |major| minor | argument, big-endian, when minor is   |
 * | 3 b | 5 bit | 24 (1 byte), 25 (2), 26 (4) or 27 (8) |
 * +-----+-------+---------------------------------------+
 * ```
 */
function readHead(bytes: Uint8Array, at: number, subject: string): { major: number; argument: number; lengthBytes: number } {
  const first = bytes[at];
  if (first === undefined) throw new DecodeError('decode.truncated', `${subject}: ${bytes.length} bytes and more to come`);
  const major = first >> 5;
  const minor = first & 0x1f;
  if (minor === INDEFINITE) throw new DecodeError('decode.not_canonical', `${subject}: an indefinite length`);
  if (major === MAJOR.tag || (major === MAJOR.simple && !SIMPLE_VALUES.has(minor)))
    throw new DecodeError('decode.unsupported', `${subject}: a tag, a float or a simple value`);
  if (minor < 24) return { major, argument: minor, lengthBytes: 1 };
  const least = LEAST_OF_WIDTH[minor - 24];
  if (least === undefined) throw new DecodeError('decode.malformed', `${subject}: a reserved head`);
  const width = 2 ** (minor - 24);
  let argument = 0;
  for (let i = 1; i <= width; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new DecodeError('decode.truncated', `${subject}: ${bytes.length} bytes and more to come`);
    argument = argument * 256 + byte;
  }
  if (argument < least) throw new DecodeError('decode.not_canonical', `${subject}: a head longer than it must be`);
  // A negative number is -1 - argument, so that the bound is one nearer.
  const isNumber = major === MAJOR.unsigned || major === MAJOR.negative;
  if (isNumber && argument > Number.MAX_SAFE_INTEGER - (major === MAJOR.negative ? 1 : 0))
    throw new DecodeError('decode.out_of_range', `${subject}: a number beyond 2^53 - 1`);
  return { major, argument, lengthBytes: 1 + width };
}
