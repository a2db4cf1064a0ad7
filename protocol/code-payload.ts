/**
 * The payload of each kind of code, as bytes: what lies between a code's kind letter and its check.
 * Sizes and ranges are checked both ways, so that no code can be written that is not read.
 */
import type { Code, StaffCommand } from './code.ts';
import { SIGNATURE_BYTES } from './ed25519.ts';
import { CodeError } from './errors.ts';
import { RESULTS } from './event.ts';
import { isPlaceId, type VenueId, type VisitorUuid } from './ids.ts';

export const ISSUER_ID_BYTES = 4;
export const UUID_BYTES = 16;
export const SECRET_BYTES = 16;
export const SMALLEST_GROUP = 2;
export const LARGEST_GROUP = 99;

const KEY_HASH_BYTES = 16;
const VENUE_BYTES = 10;
/** Secret, key hash, port, and the length of the host that follows. */
export const ENROLMENT_HEAD_BYTES = SECRET_BYTES + KEY_HASH_BYTES + 2 + 1;
/** A domain name as text; RFC 1035, section 2.3.4, less the root's and the first label's length bytes. */
export const LONGEST_HOST_BYTES = 253;
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
  result: 1,
  staff: SECRET_BYTES + 1,
  'staff-card': ISSUER_ID_BYTES + UUID_BYTES + 1 + SIGNATURE_BYTES,
  poster: VENUE_BYTES,
};

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
    case 'result':
      return Uint8Array.of(resultByte(code.result));
    case 'staff':
      return concat(sized(code.secret, SECRET_BYTES), Uint8Array.of(commandByte(code.command)));
    case 'staff-card':
      return concat(
        sized(code.issuer, ISSUER_ID_BYTES),
        uuid(code.card),
        Uint8Array.of(commandByte(code.command)),
        sized(code.signature, SIGNATURE_BYTES),
      );
    case 'poster':
      return venueBytes(code.venue);
  }
}

/** @returns how long a payload of `kind` has to be; an enrolment tells the length of its host itself. */
export const payloadBytes = (kind: Code['kind'], payload: Uint8Array): number =>
  PAYLOAD_BYTES[kind] + (kind === 'enrolment' ? (payload[ENROLMENT_HEAD_BYTES - 1] ?? 0) : 0);

/** @param payload of the length that payloadBytes tells. @throws CodeError `code.malformed` for a part out of range. */
export function decodePayload(kind: Code['kind'], payload: Uint8Array): Code {
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
    case 'result': {
      const result = RESULTS[payload[0] ?? RESULTS.length];
      if (result === undefined) throw new CodeError('code.malformed', 'result code: the result is out of range');
      return { kind, result };
    }
    case 'staff':
      return { kind, secret: take(0, SECRET_BYTES), command: commandOf(payload[SECRET_BYTES]) };
    case 'staff-card': {
      const command = commandOf(payload[ISSUER_ID_BYTES + UUID_BYTES]);
      return { kind, issuer: issuer(), card: uuid(take(ISSUER_ID_BYTES, UUID_BYTES)), command, signature: signature() };
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

function commandOf(byte = COMMANDS.length): StaffCommand {
  const command = COMMANDS[byte];
  if (command === undefined) throw new CodeError('code.malformed', 'staff code: command out of range');
  return command;
}

function commandByte(command: StaffCommand): number {
  const at = COMMANDS.indexOf(command);
  if (at < 0) throw new CodeError('code.malformed', 'staff code: the command is none');
  return at;
}

function resultByte(result: (typeof RESULTS)[number]): number {
  const at = RESULTS.indexOf(result);
  if (at < 0) throw new CodeError('code.malformed', 'result code: the result is none');
  return at;
}

/** @throws CodeError `code.malformed` unless it is 1 to 253 of a-z, 0-9, `.`, `-` and `:`. */
export function checkHost(host: string): string {
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
