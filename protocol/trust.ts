/**
 * The trust document: what a gateway tells the world, and all that a kiosk needs to find it, know it and seal for it.
 * Public; no secret is in it. JSON, because a technician may have to read it.
 */
import { z } from 'zod';
import { DecodeError } from './errors.ts';
import { isSealable } from './hpke.ts';
import { type DeploymentId, isPlaceId } from './ids.ts';

export interface TrustDocument {
  readonly deployment: DeploymentId;
  readonly gateway: {
    /** A name or address that kiosks can reach. */
    readonly host: string;
    /** Of the TLS listener, 1 to 65,535. */
    readonly port: number;
    /** Pinned whole: the kiosk takes this certificate and no other. */
    readonly certificatePem: string;
  };
  /** Raw Ed25519, 32 bytes: signs receipts and all else that comes down to a kiosk. */
  readonly receiptKey: Uint8Array;
  /** Whom content keys are sealed to: id 8 bytes, raw X25519 public key 32 bytes. At least the gateway; at most 8. */
  readonly recipients: readonly { readonly id: Uint8Array; readonly publicKey: Uint8Array }[];
  /** Raw Ed25519 public keys, 32 bytes each, of the card issuers this deployment knows. */
  readonly issuers: readonly Uint8Array[];
  /** Whether cards without an issuer's signature are taken. */
  readonly mayTakeUnsigned: boolean;
}

const base64url = (bytes: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'expected base64url without padding')
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64url')))
    .refine((raw) => raw.length === bytes, `expected ${bytes} bytes`);

const schema = z.strictObject({
  deployment: z
    .string()
    .refine(isPlaceId, 'expected 16 characters of lower-case Crockford base32')
    .transform((text) => text as DeploymentId),
  gateway: z.strictObject({
    host: z.string().min(1).max(253),
    port: z.int().min(1).max(65_535),
    certificatePem: z.string().min(1).max(8_192),
  }),
  receiptKey: base64url(32),
  recipients: z
    .array(z.strictObject({ id: base64url(8), publicKey: base64url(32).refine(isSealable, 'expected an X25519 public key') }))
    .min(1)
    .max(8)
    // No content key can be sealed to such: a kiosk that took them could keep nothing from its next start on.
    .refine((all) => new Set(all.map(({ id }) => Buffer.from(id).toString('hex'))).size === all.length, 'one is named twice'),
  issuers: z.array(base64url(32)).max(64),
  mayTakeUnsigned: z.boolean(),
});

const toBase64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** @returns JSON text that parseTrust reads back to the same values; ends with a line feed. */
export function formatTrust(trust: TrustDocument): string {
  const json = {
    deployment: trust.deployment,
    gateway: { ...trust.gateway },
    receiptKey: toBase64url(trust.receiptKey),
    recipients: trust.recipients.map(({ id, publicKey }) => ({ id: toBase64url(id), publicKey: toBase64url(publicKey) })),
    issuers: trust.issuers.map(toBase64url),
    mayTakeUnsigned: trust.mayTakeUnsigned,
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

/** @throws DecodeError `decode.malformed` with every fault of the document; unknown keys are faults. */
export function parseTrust(text: string): TrustDocument {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError('decode.malformed', 'trust document: not JSON', { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new DecodeError('decode.malformed', `trust document: ${faultsOf(parsed.error.issues)}`);
}

/** What is missing and what is not known by name only: a technician has another file in hand then, and each key's rule tells nothing. */
function faultsOf(issues: readonly z.core.$ZodIssue[]): string {
  const nameOf = ({ path }: z.core.$ZodIssue) => path.join('.') || 'document';
  const isMissing = (issue: z.core.$ZodIssue) => issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  const missing = issues.filter(isMissing).map(nameOf);
  const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
  const wrong = issues.filter((issue) => !isMissing(issue) && issue.code !== 'unrecognized_keys');
  return [
    missing.length === 0 ? '' : `missing ${few(missing)}`,
    unknown.length === 0 ? '' : `not known here ${few(unknown)}`,
    ...wrong.map((issue) => `${nameOf(issue)}: ${issue.message.replace(/^Invalid input: /, '')}`),
  ]
    .filter((fault) => fault !== '')
    .join('; ');
}

const MOST_NAMES = 8;
const few = (names: readonly string[]): string =>
  names.length <= MOST_NAMES ? names.join(', ') : `${names.slice(0, MOST_NAMES).join(', ')} and ${names.length - MOST_NAMES} more`;
