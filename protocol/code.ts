/**
 * The codes on paper and on screens, as text: version letter, kind letter, payload, and a CRC-16 over all of it.
 * Each one-letter substitution and each swap of two neighbours is a burst of at most 8 bits, which the CRC finds for certain;
 * deletion, insertion, cutting, doubling and joining change the length, which each kind fixes.
 * Says what a code is, not whether it may be believed: signatures are card.ts's.
 */

import { appendCrc16, CRC16_BYTES, isCrc16Right } from './crc.ts';
import { SIGNATURE_BYTES } from './ed25519.ts';
import { CodeError } from './errors.ts';
import { isPlaceId, type VenueId, type VisitorUuid } from './ids.ts';
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

export type SignedCode = VisitorCode | GroupCode | StickerCode;
export type Code = SignedCode | UnsignedCode | KeyCodeCode | EnrolmentCode | ClinicianCode | StaffCode | PosterCode;

export const ISSUER_ID_BYTES = 4;
export const UUID_BYTES = 16;
export const SECRET_BYTES = 16;
export const SMALLEST_GROUP = 2;
export const LARGEST_GROUP = 99;

const VERSION_LETTER = 'V';
const LETTER_OF: Readonly<Record<Code['kind'], string>> = {
  visitor: 'C',
  group: 'G',
  unsigned: 'N',
  key: 'K',
  sticker: 'S',
  enrolment: 'E',
  clinician: 'D',
  staff: 'T',
  poster: 'P',
};
const KIND_OF: ReadonlyMap<string, Code['kind']> = new Map(
  Object.entries(LETTER_OF).map(([kind, letter]) => [letter, kind as Code['kind']]),
);

const KEY_HASH_BYTES = 16;
const VENUE_BYTES = 10;
/** Secret, key hash, port, and the length of the host that follows. */
const ENROLMENT_HEAD_BYTES = SECRET_BYTES + KEY_HASH_BYTES + 2 + 1;
/** A domain name as text; RFC 1035, section 2.3.4, less the root's and the first label's length bytes. */
const LONGEST_HOST_BYTES = 253;
const HOST = /^[0-9a-z.:-]+$/;
const COMMANDS: readonly StaffCommand[] = ['menu', 'undo', 'door-in', 'door-out', 'door-both'];

/** The payload's length in bytes; an enrolment's counts the host on top. */
const PAYLOAD_BYTES: Readonly<Record<Code['kind'], number>> = {
  visitor: ISSUER_ID_BYTES + UUID_BYTES + SIGNATURE_BYTES,
  group: ISSUER_ID_BYTES + UUID_BYTES + 1 + SIGNATURE_BYTES,
  unsigned: UUID_BYTES,
  key: SECRET_BYTES,
  sticker: ISSUER_ID_BYTES + UUID_BYTES + SIGNATURE_BYTES,
  enrolment: ENROLMENT_HEAD_BYTES,
  clinician: SECRET_BYTES,
  staff: SECRET_BYTES + 1,
  poster: VENUE_BYTES,
};

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
  return encodeLetters(appendCrc16(concat(head, encodePayload(code))));
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

/** @returns the payload's bytes, without version, kind and check. @throws CodeError `code.malformed`. */
export function encodePayload(code: Code): Uint8Array {
  switch (code.kind) {
    case 'visitor':
      return concat(sized(code.issuer, ISSUER_ID_BYTES), uuid(code.card), sized(code.signature, SIGNATURE_BYTES));
    case 'group':
      return concat(
        sized(code.issuer, ISSUER_ID_BYTES),
        uuid(code.card),
        Uint8Array.of(groupSize(code.size)),
        sized(code.signature, SIGNATURE_BYTES),
      );
    case 'unsigned':
      return uuid(code.card);
    case 'key':
      return sized(code.keyCode, SECRET_BYTES);
    case 'sticker':
      return concat(sized(code.issuer, ISSUER_ID_BYTES), sized(code.sticker, UUID_BYTES), sized(code.signature, SIGNATURE_BYTES));
    case 'enrolment':
      return concat(
        sized(code.secret, SECRET_BYTES),
        sized(code.gatewayKeyHash, KEY_HASH_BYTES),
        Uint8Array.of(portOf(code.port) >> 8, code.port & 0xff, checkHost(code.host).length),
        new TextEncoder().encode(code.host),
      );
    case 'clinician':
      return sized(code.secret, SECRET_BYTES);
    case 'staff':
      return concat(sized(code.secret, SECRET_BYTES), Uint8Array.of(commandByte(code.command)));
    case 'poster':
      return venueBytes(code.venue);
  }
}

function decodeBare(text: string): Code {
  if (text === '' || !isLetters(text))
    throw new CodeError('code.not_ours', `code: ${text.length} characters that are not all of our letters`);
  const upper = text.toUpperCase();
  if (upper.charAt(0) !== VERSION_LETTER) throw new CodeError('code.version', `code: ${text.length} letters of a version unknown here`);
  const kind = KIND_OF.get(upper.charAt(1));
  if (kind === undefined) throw new CodeError('code.kind', `code: ${text.length} letters of a kind unknown here`);
  const bytes = decodeLetters(upper);
  const payload = bytes?.subarray(HEAD_BYTES, -CRC16_BYTES);
  if (bytes === undefined || payload === undefined || payload.length !== payloadBytes(kind, payload)) {
    throw new CodeError('code.length', `${kind} code: ${text.length} letters is not its length`);
  }
  if (!isCrc16Right(bytes)) throw new CodeError('code.check', `${kind} code: check of ${text.length} letters fails`);
  return decodePayload(kind, payload);
}

const payloadBytes = (kind: Code['kind'], payload: Uint8Array): number =>
  PAYLOAD_BYTES[kind] + (kind === 'enrolment' ? (payload[ENROLMENT_HEAD_BYTES - 1] ?? 0) : 0);

function decodePayload(kind: Code['kind'], payload: Uint8Array): Code {
  const take = (from: number, bytes: number) => payload.slice(from, from + bytes);
  const issuer = () => take(0, ISSUER_ID_BYTES);
  const signature = () => payload.slice(-SIGNATURE_BYTES);
  switch (kind) {
    case 'visitor':
      return { kind, issuer: issuer(), card: uuid(take(ISSUER_ID_BYTES, UUID_BYTES)), signature: signature() };
    case 'group': {
      const size = groupSize(payload[ISSUER_ID_BYTES + UUID_BYTES] ?? 0);
      return { kind, issuer: issuer(), card: uuid(take(ISSUER_ID_BYTES, UUID_BYTES)), size, signature: signature() };
    }
    case 'unsigned':
      return { kind, card: uuid(take(0, UUID_BYTES)) };
    case 'key':
      return { kind, keyCode: take(0, SECRET_BYTES) };
    case 'sticker':
      return { kind, issuer: issuer(), sticker: take(ISSUER_ID_BYTES, UUID_BYTES), signature: signature() };
    case 'enrolment': {
      const port = portOf(((payload[ENROLMENT_HEAD_BYTES - 3] ?? 0) << 8) | (payload[ENROLMENT_HEAD_BYTES - 2] ?? 0));
      const host = checkHost(new TextDecoder('latin1').decode(payload.subarray(ENROLMENT_HEAD_BYTES)));
      return { kind, secret: take(0, SECRET_BYTES), gatewayKeyHash: take(SECRET_BYTES, KEY_HASH_BYTES), host, port };
    }
    case 'clinician':
      return { kind, secret: take(0, SECRET_BYTES) };
    case 'staff': {
      const command = COMMANDS[payload[SECRET_BYTES] ?? COMMANDS.length];
      if (command === undefined) throw new CodeError('code.malformed', 'staff code: command out of range');
      return { kind, secret: take(0, SECRET_BYTES), command };
    }
    case 'poster':
      return { kind, venue: venueOf(payload) };
  }
}

function sized(part: Uint8Array, bytes: number): Uint8Array {
  if (part.length !== bytes) throw new CodeError('code.malformed', `code: a part has ${part.length} of ${bytes} bytes`);
  return part;
}

/** RFC 9562, section 5.8: version 8 in the high nibble of byte 6, variant 0b10 in the high bits of byte 8. */
function uuid(part: Uint8Array): VisitorUuid {
  if (part.length !== UUID_BYTES || ((part[6] ?? 0) & 0xf0) !== 0x80 || ((part[8] ?? 0) & 0xc0) !== 0x80) {
    throw new CodeError('code.malformed', `code: a card's id of ${part.length} bytes is not a version 8 UUID`);
  }
  return part as VisitorUuid;
}

function groupSize(size: number): number {
  if (!Number.isInteger(size) || size < SMALLEST_GROUP || size > LARGEST_GROUP) {
    throw new CodeError('code.malformed', `group code: ${size} people is not ${SMALLEST_GROUP} to ${LARGEST_GROUP}`);
  }
  return size;
}

function portOf(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 0xffff)
    throw new CodeError('code.malformed', `enrolment code: port ${port} is not 1 to 65535`);
  return port;
}

function commandByte(command: StaffCommand): number {
  const at = COMMANDS.indexOf(command);
  if (at < 0) throw new CodeError('code.malformed', 'staff code: the command is none');
  return at;
}

function checkHost(host: string): string {
  if (host.length > LONGEST_HOST_BYTES || !HOST.test(host)) {
    throw new CodeError(
      'code.malformed',
      `code: host of ${host.length} characters is not 1 to ${LONGEST_HOST_BYTES} of a-z, 0-9, ".", "-", ":"`,
    );
  }
  return host;
}

const PLACE_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** 16 characters of 5 bits, the first one highest. */
function venueBytes(venue: VenueId): Uint8Array {
  if (!isPlaceId(venue)) throw new CodeError('code.malformed', `poster code: venue id of ${venue.length} characters has not its form`);
  let bits = 0n;
  for (const character of venue) bits = (bits << 5n) | BigInt(PLACE_ALPHABET.indexOf(character));
  return new Uint8Array(Buffer.from(bits.toString(16).padStart(2 * VENUE_BYTES, '0'), 'hex'));
}

function venueOf(bytes: Uint8Array): VenueId {
  const bits = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (let shift = 75n; shift >= 0n; shift -= 5n) text += PLACE_ALPHABET.charAt(Number((bits >> shift) & 31n));
  return text as VenueId;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
