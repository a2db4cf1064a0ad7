/**
 * The codes on paper and on screens, as text: version letter, kind letter, payload, and a CRC-16 over all of it.
 * Each one-letter substitution and each swap of two neighbours is a burst of at most 8 bits, which the CRC finds for certain;
 * deletion, insertion, cutting, doubling and joining change the length, which each kind fixes.
 * Says what a code is, not whether it may be believed: signatures are card.ts's.
 */

import { checkHost, decodePayload, ENROLMENT_HEAD_BYTES, encodePayload, LONGEST_HOST_BYTES, payloadBytes } from './code-payload.ts';
import { appendCrc16, CRC16_BYTES, isCrc16Right } from './crc.ts';
import { CodeError } from './errors.ts';
import type { TestResult } from './event.ts';
import type { VenueId, VisitorUuid } from './ids.ts';
import { decodeLetters, encodeLetters, isLetters } from './letters.ts';

export type StaffCommand = 'menu' | 'undo' | 'door-in' | 'door-out' | 'door-both';

export interface VisitorCode {
  readonly kind: 'visitor';
  /** 4 bytes: SHA-256 of the issuer's raw public key, cut. */
  readonly issuer: Uint8Array;
  readonly card: VisitorUuid;
  /** 64 bytes, Ed25519. */
  readonly signature: Uint8Array;
}

/** A card that counts for several people who come together. */
export interface GroupCode {
  readonly kind: 'group';
  /** 4 bytes. */
  readonly issuer: Uint8Array;
  readonly card: VisitorUuid;
  /** 2 to 99 people. */
  readonly size: number;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

export interface UnsignedCode {
  readonly kind: 'unsigned';
  readonly card: VisitorUuid;
}

/** Of the staff of a deployment's doors. Made as a visitor's card is, so that one that is lost is withdrawn as a visitor's is, by its stub. */
export interface StaffCardCode {
  readonly kind: 'staff-card';
  /** 4 bytes. */
  readonly issuer: Uint8Array;
  readonly card: VisitorUuid;
  readonly command: StaffCommand;
  /** 64 bytes, Ed25519. */
  readonly signature: Uint8Array;
}

/** A visitor's secret; see key-code.ts for the form that people type. */
export interface KeyCodeCode {
  readonly kind: 'key';
  /** 16 bytes. */
  readonly keyCode: Uint8Array;
}

export interface StickerCode {
  readonly kind: 'sticker';
  /** 4 bytes. */
  readonly issuer: Uint8Array;
  /** 16 random bytes. */
  readonly sticker: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

export interface EnrolmentCode {
  readonly kind: 'enrolment';
  /** 16 bytes, for a single use. */
  readonly secret: Uint8Array;
  /** 16 bytes: SHA-256 of the gateway's public key as SPKI, cut. */
  readonly gatewayKeyHash: Uint8Array;
  /** 1 to 253 of a-z, 0-9, `.`, `-` and `:`: a name or an address. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

export interface ClinicianCode {
  readonly kind: 'clinician';
  /** 16 bytes. */
  readonly secret: Uint8Array;
}

/** What a test showed, to be scanned in place of pressing a button. No secret: it counts only behind a clinician's code and a sticker. */
export interface ResultCode {
  readonly kind: 'result';
  readonly result: TestResult;
}

export interface StaffCode {
  readonly kind: 'staff';
  /** 16 bytes. */
  readonly secret: Uint8Array;
  readonly command: StaffCommand;
}

export interface PosterCode {
  readonly kind: 'poster';
  readonly venue: VenueId;
}

export type SignedCode = VisitorCode | GroupCode | StickerCode | StaffCardCode;
export type Code = SignedCode | UnsignedCode | KeyCodeCode | EnrolmentCode | ClinicianCode | ResultCode | StaffCode | PosterCode;

const VERSION_LETTER = 'V';
const LETTER_OF: Readonly<Record<Code['kind'], string>> = {
  visitor: 'C',
  group: 'G',
  unsigned: 'N',
  key: 'K',
  sticker: 'S',
  enrolment: 'E',
  clinician: 'D',
  result: 'R',
  staff: 'T',
  'staff-card': 'B',
  poster: 'P',
};
const KIND_OF: ReadonlyMap<string, Code['kind']> = new Map(
  Object.entries(LETTER_OF).map(([kind, letter]) => [letter, kind as Code['kind']]),
);

const HEAD_BYTES = 1;
/** The longest text there is: an enrolment with the longest host. Longer ones are refused unread. */
export const LONGEST_CODE_LETTERS = 2 * (HEAD_BYTES + ENROLMENT_HEAD_BYTES + LONGEST_HOST_BYTES + CRC16_BYTES);
const POSTER_URL = /^(?:HTTPS:\/\/[0-9A-Z.:-]+\/P\/([A-Z]+)|https:\/\/[0-9a-z.:-]+\/p\/([a-z]+))$/;

/** @returns the letter that names `kind` in a code's second place. */
export const letterOfKind = (kind: Code['kind']): string => LETTER_OF[kind];

/**
 * @returns upper-case text, fit for QR's alphanumeric mode.
 * @throws CodeError `code.malformed` when a part has the wrong length or range.
 */
export function encodeCode(code: Code): string {
  // The two letters in front are one byte of nibbles, as everything behind them.
  const head = decodeLetters(VERSION_LETTER + LETTER_OF[code.kind]) ?? new Uint8Array(HEAD_BYTES);
  return encodeLetters(appendCrc16(Buffer.concat([head, encodePayload(code)])));
}

/** @returns the text of a venue's poster, which a phone's camera opens. @throws CodeError `code.malformed`. */
export function encodePosterUrl(host: string, venue: VenueId): string {
  checkHost(host);
  return `HTTPS://${host.toUpperCase()}/P/${encodeCode({ kind: 'poster', venue })}`;
}

/**
 * @param text one code as scanned, without terminator or white space: all upper or all lower case. A poster's also within its URL.
 * @throws CodeError `code.not_ours` for a character that no code has, or mixed case; `code.version`; `code.kind` for a kind that
 * version 1 does not have; `code.length`; `code.check`; `code.malformed` for a part out of range. Never anything else.
 */
export function decodeCode(text: string): Code {
  if (text.length > LONGEST_CODE_LETTERS)
    throw new CodeError('code.length', `code: ${text.length} of at most ${LONGEST_CODE_LETTERS} letters`);
  const url = POSTER_URL.exec(text);
  if (url === null) return decodeBare(text);
  const code = decodeBare(url[1] ?? url[2] ?? '');
  if (code.kind !== 'poster') throw new CodeError('code.not_ours', `code: a ${code.kind} code within a poster's address`);
  return code;
}

/** Whether a text says of itself that it is of that kind, a poster's URL aside: so much is told by two letters, and nothing of it is checked. */
export const claimsKind = (text: string, kind: Code['kind']): boolean =>
  text.charAt(0).toUpperCase() === VERSION_LETTER && KIND_OF.get(text.charAt(1).toUpperCase()) === kind;

function decodeBare(text: string): Code {
  const bytes = decodeLetters(text);
  if (text === '' || (bytes === undefined && !isLetters(text)))
    throw new CodeError('code.not_ours', `code: ${text.length} characters that are not all of our letters`);
  const head = text.slice(0, 2).toUpperCase();
  if (head.charAt(0) !== VERSION_LETTER) throw new CodeError('code.version', `code: ${text.length} letters of a version unknown here`);
  const kind = KIND_OF.get(head.charAt(1));
  if (kind === undefined) throw new CodeError('code.kind', `code: ${text.length} letters of a kind unknown here`);
  const payload = bytes?.subarray(HEAD_BYTES, -CRC16_BYTES);
  if (bytes === undefined || payload === undefined || payload.length !== payloadBytes(kind, payload)) {
    throw new CodeError('code.length', `${kind} code: ${text.length} letters is not its length`);
  }
  if (!isCrc16Right(bytes)) throw new CodeError('code.check', `${kind} code: check of ${text.length} letters fails`);
  return decodePayload(kind, payload);
}
