/**
 * Bytes as letters that a scanner which types may send through any Latin keyboard layout.
 * The sixteen letters keep their key on QWERTY, QWERTZ and AZERTY (A, M, Q, W, Y and Z move, and so do all digits), are in QR's
 * alphanumeric set (ISO/IEC 18004) and in Crockford's base32, and leave out the vowels A, I, O, U, so that hardly a word can appear.
 */

/** One nibble a letter: `B` is 0, `X` is 15. */
export const LETTERS = 'BCDEFGHJKNPRSTVX';

const OURS = /^(?:[BCDEFGHJKNPRSTVX]*|[bcdefghjknprstvx]*)$/;
const NIBBLES = new Map(Array.from(LETTERS, (letter, nibble) => [letter, nibble]));

/** @returns two upper-case letters a byte, the high nibble first. */
export function encodeLetters(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += LETTERS.charAt(byte >> 4) + LETTERS.charAt(byte & 0xf);
  return text;
}

/**
 * @param text all upper case or, as a wedge types with Caps Lock on, all lower case.
 * @returns `undefined` for any other character, for mixed case, and for an odd count of letters.
 */
export function decodeLetters(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !isLetters(text)) return undefined;
  const upper = text.toUpperCase();
  return Uint8Array.from({ length: upper.length / 2 }, (_, at) => (nibbleAt(upper, 2 * at) << 4) | nibbleAt(upper, 2 * at + 1));
}

/** @returns whether all of `text` is of the sixteen letters, in one case. */
export const isLetters = (text: string): boolean => OURS.test(text);

const nibbleAt = (upper: string, at: number): number => NIBBLES.get(upper.charAt(at)) ?? 0;
