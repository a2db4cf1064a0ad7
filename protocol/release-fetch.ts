/** How a kiosk asks for pieces of a bundle, and what it may ask. Source: RFC 9110, sections 14.1.2, 14.2 and 14.4; docs/protocol.md, "Releases". */

export const LONGEST_PIECE_BYTES = 262_144;
const PATH = /^\/1\/release\/([0-9a-f]{64})$/;
const RANGE = /^bytes=(0|[1-9]\d{0,14})-(0|[1-9]\d{0,14})$/;

/** @param digest of the bundle's head, 32 bytes. */
export const releasePath = (digest: Uint8Array): string => `/1/release/${Buffer.from(digest).toString('hex')}`;

/** @returns the digest in hexadecimal; `undefined` for another path. */
export const digestIn = (path: string): string | undefined => PATH.exec(path)?.[1];

export const rangeHeader = (from: number, lengthBytes: number): string => `bytes=${from}-${from + lengthBytes - 1}`;

/** @returns the one range that is asked for, both ends included; `undefined` for any other form, and for more than 262,144 bytes. */
export function parseRange(header: string | undefined): { readonly first: number; readonly last: number } | undefined {
  const [, from, to] = RANGE.exec(header ?? '') ?? [];
  const [first, last] = [Number(from), Number(to)];
  return last >= first && last - first < LONGEST_PIECE_BYTES ? { first, last } : undefined;
}
