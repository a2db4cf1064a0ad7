/**
 * Bytes as letters that a scanner which types may send through any Latin keyboard layout.
 * The sixteen letters keep their key on QWERTY, QWERTZ and AZERTY (A, M, Q, W, Y and Z move, and so do all digits), are in QR's
 * alphanumeric set (ISO/IEC 18004) and in Crockford's base32, and leave out the vowels A, I, O, U, so that hardly a word can appear.
 */

/** One nibble a letter: `B` is 0, `X` is 15. */
export const LETTERS = 'BCDEFGHJKNPRSTVX';

const NO_NIBBLE = 0xff;
const OURS = /^(?:[BCDEFGHJKNPRSTVX]*|[bcdefghjknprstvx]*)$/;
/** By the letter's number in ASCII. */
const NIBBLES = new Uint8Array(128).fill(NO_NIBBLE);
for (const [nibble, letter] of [...LETTERS].entries()) NIBBLES[letter.charCodeAt(0)] = nibble;
/** What sets a lower-case letter apart. */
const LOWER = 0x20;

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
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  const lower = text.charCodeAt(0) & LOWER;
  for (let at = 0; at < bytes.length; at++) {
    const high = NIBBLES[text.charCodeAt(2 * at) ^ lower] ?? NO_NIBBLE;
    const low = NIBBLES[text.charCodeAt(2 * at + 1) ^ lower] ?? NO_NIBBLE;
    if ((high | low) === NO_NIBBLE) return undefined;
    bytes[at] = (high << 4) | low;
  }
  return bytes;
}

/** @returns whether all of `text` is of the sixteen letters, in one case. */
export const isLetters = (text: string): boolean => OURS.test(text);
