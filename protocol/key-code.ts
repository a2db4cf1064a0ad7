/**
 * The key code as people read and type it: 30 symbols of Crockford's base32 in 6 groups of 5.
 *
 *     1 | 128 bits of key code | 0 | CRC-16        5 + 128 + 1 + 16 = 150 bits = 30 symbols
 *
 * The CRC runs over the 134 bits before it, with two zero bits in front to fill whole bytes. One wrong symbol is a burst of 5 bits and
 * two swapped neighbours one of 10, so that both are found for certain.
 * Source: Douglas Crockford, "Base 32" (crockford.com/base32.html): O reads as 0, I and L as 1, either case, hyphens are ignored.
 */
import { randomBytes } from 'node:crypto';
import { appendCrc16, CRC16_BYTES, isCrc16Right } from './crc.ts';
import { CodeError } from './errors.ts';

export const KEY_CODE_BYTES = 16;
export const KEY_CODE_SYMBOLS = 30;

const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const GROUP_SYMBOLS = 5;
const VERSION = 1n;
/** Longer text is refused unread: 30 symbols with three separators around each. */
const LONGEST_TYPED = 150;
const SEPARATORS = /[ -]/g;
const TYPEABLE = /^[0-9A-HJ-NP-TV-ZIOa-hj-np-tv-zio]*$/;
const CHECKED_BITS = BigInt(8 * CRC16_BYTES);
const VERSION_SHIFT = BigInt(8 * KEY_CODE_BYTES + 1);

/** @returns 16 random bytes: the one secret of a visitor. Whoever holds them fills them with zeros after use. */
export const newKeyCode = (): Uint8Array => new Uint8Array(randomBytes(KEY_CODE_BYTES));

/** @returns as `1ABCD-…-…-…-…-…`. @throws CodeError `code.malformed` unless `keyCode` is 16 bytes. */
export function formatKeyCode(keyCode: Uint8Array): string {
  if (keyCode.length !== KEY_CODE_BYTES) throw new CodeError('code.malformed', `key code: ${keyCode.length} of ${KEY_CODE_BYTES} bytes`);
  const head = (VERSION << VERSION_SHIFT) | (bitsOf(keyCode) << 1n);
  const bits = bitsOf(appendCrc16(bytesOf(head, KEY_CODE_BYTES + 1)));
  const symbols = Array.from({ length: KEY_CODE_SYMBOLS }, (_, at) =>
    SYMBOLS.charAt(Number((bits >> BigInt(5 * (KEY_CODE_SYMBOLS - 1 - at))) & 31n)),
  );
  return Array.from({ length: KEY_CODE_SYMBOLS / GROUP_SYMBOLS }, (_, group) =>
    symbols.slice(group * GROUP_SYMBOLS, (group + 1) * GROUP_SYMBOLS).join(''),
  ).join('-');
}

/**
 * @param text as a person types it: any case, spaces and hyphens anywhere, O for 0, I or L for 1.
 * @returns 16 bytes.
 * @throws CodeError `code.length`, `code.not_ours` for a character that no key code has, `code.version`, `code.check`,
 * `code.malformed`. Never anything else.
 */
export function parseTypedKeyCode(text: string): Uint8Array {
  if (text.length > LONGEST_TYPED) throw new CodeError('code.length', `key code: ${text.length} of at most ${LONGEST_TYPED} characters`);
  const typed = text.replace(SEPARATORS, '');
  if (!TYPEABLE.test(typed))
    throw new CodeError('code.not_ours', `key code: ${text.length} characters that are not all letters and digits of one`);
  if (typed.length !== KEY_CODE_SYMBOLS) throw new CodeError('code.length', `key code: ${typed.length} of ${KEY_CODE_SYMBOLS} symbols`);
  let bits = 0n;
  for (const symbol of typed.toUpperCase().replaceAll('O', '0').replace(/[IL]/g, '1'))
    bits = (bits << 5n) | BigInt(SYMBOLS.indexOf(symbol));
  const head = bits >> CHECKED_BITS;
  if (head >> VERSION_SHIFT !== VERSION) throw new CodeError('code.version', 'key code: of a version unknown here');
  if (!isCrc16Right(bytesOf(bits, KEY_CODE_BYTES + 1 + CRC16_BYTES))) throw new CodeError('code.check', 'key code: check fails');
  if ((head & 1n) !== 0n) throw new CodeError('code.malformed', 'key code: the bit before the check is not 0');
  return bytesOf((head >> 1n) & ((1n << BigInt(8 * KEY_CODE_BYTES)) - 1n), KEY_CODE_BYTES);
}

const bitsOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

const bytesOf = (bits: bigint, bytes: number): Uint8Array => new Uint8Array(Buffer.from(bits.toString(16).padStart(2 * bytes, '0'), 'hex'));
