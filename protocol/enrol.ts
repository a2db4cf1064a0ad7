/**
 * What kiosk and gateway say to each other where no MQTT may be yet: enrolment, renewal and the time. JSON bodies over HTTP/1.1, on the
 * TLS port, chosen by ALPN.
 * Source: RFC 7301 (ALPN), RFC 9112 (HTTP/1.1); docs/protocol.md, "Enrolment".
 */
import { z } from 'zod';
import { datesOfCertificate } from './certificate.ts';
import { DecodeError, ERROR_CODE_FORM } from './errors.ts';
import { type EntranceId, isPlaceId, type KioskId, type VenueId } from './ids.ts';
import { formatTrust, parseTrust, type TrustDocument } from './trust.ts';

/** Protocol ids of ALPN. Without one it is MQTT. */
export const ALPN_HTTP = 'http/1.1';
export const ALPN_MQTT = 'mqtt';

export const ENROL_PATH = '/1/enrol';
export const RENEW_PATH = '/1/renew';
export const TIME_PATH = '/1/time';
/** Passed on to the core, both ways: protocol/holder.ts. */
export const HOLDER_CHALLENGE_PATH = '/1/holder/challenge';
export const HOLDER_ASK_PATH = '/1/holder/ask';

export const LONGEST_REQUEST_BYTES = 1_024;
/** A trust document may have 64 issuers and a certificate of 8,192 characters. */
export const LONGEST_ANSWER_BYTES = 32_768;
export const SECRET_BYTES = 16;
export const NONCE_BYTES = 16;
/** Epochs that papers tell of. */
export const MOST_SEEN = 16;
const EPOCH_BYTES = 8;

/** What a kiosk may be used for; written in its certificate as OU. `clinic`: also links test stickers to cards. */
export const ROLES = ['kiosk', 'clinic'] as const;
export type Role = (typeof ROLES)[number];

export interface EnrolRequest {
  /** Of the code, 16 bytes. */
  readonly secret: Uint8Array;
  /** Which the kiosk gave itself. */
  readonly kiosk: KioskId;
}

/** Where a kiosk hangs, as its gateway has it. */
export interface Posting {
  readonly venue: VenueId;
  readonly entrance: EntranceId;
  readonly direction: 'in' | 'out' | 'both';
}

/** How far the gateway has the rows of one outbox. */
export interface Seen {
  /** 8 bytes. */
  readonly epoch: Uint8Array;
  /** The highest sequence number that came. */
  readonly seq: number;
}

/** What enrolment and renewal answer with: all that a kiosk needs to go on. */
export interface Papers {
  readonly kiosk: KioskId;
  readonly role: Role;
  /** Issued by the gateway's authority for the key that asked. */
  readonly certificatePem: string;
  readonly trust: TrustDocument;
  readonly posting: Posting;
  /** Of this kiosk's outboxes, the newest first; at most 16. Not kept. */
  readonly seen: readonly Seen[];
}

const bytesOf = (length: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64url')))
    .refine((raw) => raw.length === length);
const idOf = <T extends KioskId | VenueId | EntranceId>() =>
  z
    .string()
    .refine(isPlaceId)
    .transform((text) => text as T);

const enrolRequest = z.object({ secret: bytesOf(SECRET_BYTES), kiosk: idOf<KioskId>() });
const renewRequest = z.object({});
const timeRequest = z.object({ nonce: bytesOf(NONCE_BYTES) });
const timeAnswer = z.object({ time: z.string().max(512) });
const refusal = z.object({ code: z.string().regex(ERROR_CODE_FORM) });
const papers = z.object({
  kiosk: idOf<KioskId>(),
  role: z.enum(ROLES),
  certificatePem: z.string().min(1).max(8_192),
  trust: z.unknown(),
  seen: z
    .array(z.object({ epoch: bytesOf(EPOCH_BYTES), seq: z.int().min(1) }))
    .max(MOST_SEEN)
    .default([]),
  posting: z.object({ venue: idOf<VenueId>(), entrance: idOf<EntranceId>(), direction: z.enum(['in', 'out', 'both']) }),
});

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

export const formatEnrolRequest = ({ secret, kiosk }: EnrolRequest): string => JSON.stringify({ secret: base64url(secret), kiosk });

/** @throws DecodeError `decode.malformed`. */
export const parseEnrolRequest = (body: string): EnrolRequest => read(enrolRequest, body, 'enrolment request');

/** The key that the handshake proved says all; the body is an object that may say more one day. @throws DecodeError `decode.malformed`. */
export function parseRenewRequest(body: string): void {
  read(renewRequest, body, 'renewal request');
}

/** @param nonce 16 random bytes, so that no earlier answer can be taken for this one. */
export const formatTimeRequest = (nonce: Uint8Array): string => JSON.stringify({ nonce: base64url(nonce) });

/** @returns the nonce. @throws DecodeError `decode.malformed`. */
export const parseTimeRequest = (body: string): Uint8Array => read(timeRequest, body, 'time request').nonce;

export const formatTimeAnswer = (signedTime: Uint8Array): string => JSON.stringify({ time: base64url(signedTime) });

/** @returns the signed time. @throws DecodeError `decode.malformed`. */
export const parseTimeAnswer = (body: string): Uint8Array =>
  new Uint8Array(Buffer.from(read(timeAnswer, body, 'time answer').time, 'base64url'));

export const formatRefusal = (code: string): string => JSON.stringify({ code });

/** @returns the error code of an answer that is a refusal, also one newer than this software. @throws DecodeError `decode.malformed`. */
export const parseRefusal = (body: string): string => read(refusal, body, 'refusal').code;

/** @returns JSON text that parsePapers reads back to the same values. */
export const formatPapers = ({ trust, seen, ...rest }: Papers): string =>
  JSON.stringify({
    ...rest,
    trust: JSON.parse(formatTrust(trust)),
    seen: seen.map(({ epoch, seq }) => ({ epoch: base64url(epoch), seq })),
  });

/** Keys that are not known are left out, those of the trust document refused. @throws DecodeError `decode.malformed`. */
export function parsePapers(body: string): Papers {
  const { trust, ...rest } = read(papers, body, 'papers');
  datesOfCertificate(rest.certificatePem);
  return { ...rest, trust: parseTrust(JSON.stringify(trust)) };
}

function read<T>(schema: z.ZodType<T>, body: string, subject: string): T {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    // Without its cause: an engine may quote the text, and a secret is in it.
    throw new DecodeError('decode.malformed', `${subject}: ${body.length} characters that are not JSON`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map(({ path }) => path.join('.') || 'all of it');
  throw new DecodeError('decode.malformed', `${subject}: not as it should be: ${places.join(', ')}`);
}
