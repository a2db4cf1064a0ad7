/**
 * What a scanned text is, said without any of it: which of our codes, whether its signature is known, and what a scanner has put around it. Pure.
 * Source: ISO/IEC 15424, annex A (symbology identifiers).
 */
import { checkStaffCard, issuerOf, readCard, readSticker } from '../protocol/card.ts';
import { type Code, decodeCode } from '../protocol/code.ts';
import { CodeError, codeOf, type ErrorCode } from '../protocol/errors.ts';
import type { TrustDocument } from '../protocol/trust.ts';

export interface KnownCode {
  readonly kind: Code['kind'];
  /** `not-asked`: without a trust document, or of a kind that nobody signs. */
  readonly signature: 'known' | 'unknown' | 'not-asked';
  /** Characters a scanner was set to put before and after the code. */
  readonly before: number;
  readonly after: number;
}

export type CodeSight = KnownCode | { readonly kind: undefined; readonly why: ErrorCode };

/** Scanners have room for so many in front and behind. */
const LONGEST_AFFIX = 16;

/** @param text as scanned, without line end and symbology identifier. */
export function sightOfCode(text: string, trust: TrustDocument | undefined): CodeSight {
  const whole = codeIn(text);
  if (!(whole instanceof CodeError)) return { kind: whole.kind, signature: signatureOf(whole, trust), before: 0, after: 0 };
  for (let before = 0; before <= LONGEST_AFFIX; before++) {
    for (let after = before === 0 ? 1 : 0; after <= LONGEST_AFFIX && before + after < text.length; after++) {
      const code = codeIn(text.slice(before, text.length - after));
      if (!(code instanceof CodeError)) return { kind: code.kind, signature: signatureOf(code, trust), before, after };
    }
  }
  return { kind: undefined, why: whole.code };
}

function codeIn(text: string): Code | CodeError {
  try {
    return decodeCode(text);
  } catch (error) {
    if (error instanceof CodeError) return error;
    throw error;
  }
}

function signatureOf(code: Code, trust: TrustDocument | undefined): KnownCode['signature'] {
  if (trust === undefined || !('signature' in code)) return 'not-asked';
  const asked = { deployment: trust.deployment, issuers: trust.issuers.map(issuerOf), mayTakeUnsigned: trust.mayTakeUnsigned };
  try {
    if (code.kind === 'sticker') readSticker(code, asked);
    else if (code.kind === 'staff-card') checkStaffCard(code, asked);
    else readCard(code, asked);
    return 'known';
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return 'unknown';
  }
}

const KIND_WORDS: Readonly<Record<Code['kind'], string>> = {
  visitor: "a visitor's card",
  group: "a group's card",
  unsigned: 'a card that nobody signed',
  key: 'a key code, which belongs at home',
  sticker: 'a test sticker',
  enrolment: 'an enrolment code',
  clinician: "a clinician's code",
  result: "a test's result",
  staff: 'a staff code',
  'staff-card': 'a staff card',
  poster: "a venue's poster",
};

/** @returns a sentence. */
export function codeWords(sight: CodeSight): string {
  if (sight.kind === undefined) {
    if (sight.why === 'code.not_ours') return 'no code of Vestibule.';
    return `looks like a code of Vestibule, and is damaged or cut [${sight.why}].`;
  }
  const { kind, signature } = sight;
  const signed = { known: ', signed by an issuer that is trusted here', unknown: ', and its signature is not known here', 'not-asked': '' };
  return `${KIND_WORDS[kind]}${signed[signature]}.`;
}

const SYMBOLOGIES: Readonly<Record<string, string>> = {
  A: 'Code 39',
  C: 'Code 128',
  E: 'EAN or UPC',
  F: 'Codabar',
  G: 'Code 93',
  I: 'Interleaved 2 of 5',
  L: 'PDF417',
  Q: 'QR code',
  d: 'Data Matrix',
  e: 'GS1 DataBar',
  z: 'Aztec',
};

/** @param identifier `]`, a letter, a modifier. @returns it in words. */
export const symbologyWords = (identifier: string): string =>
  `${identifier} (${SYMBOLOGIES[identifier.charAt(1)] ?? 'a symbology not known here'})`;
