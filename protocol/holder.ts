/**
 * How the holder of a key code proves it to a core, and the core to nobody else: an Ed25519 signature by the visitor's key over a challenge
 * that the core made for one use, what is asked, and which core is asked. The core learns the public key, and from it the card; the key code
 * never leaves the hand that typed it.
 *
 *     "vestibule-holder-1" | 0 | core id (8 bytes) | action (1 byte) | challenge (32 bytes)        60 bytes, signed
 *
 * Source: docs/protocol.md, "Holder"; RFC 8032 (Ed25519).
 */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { isSignedBy, PUBLIC_KEY_BYTES, publicKeyFromRaw, SIGNATURE_BYTES, signBytes } from './ed25519.ts';
import { DecodeError, HolderError } from './errors.ts';
import { RECIPIENT_ID_BYTES } from './hpke.ts';
import type { VisitorUuid } from './ids.ts';
import { uuidOfPublicKey, type Visitor } from './visitor.ts';

export const CHALLENGE_BYTES = 32;
export const CHALLENGE_LASTS_MS = 120_000;
export const LONGEST_PROOF_BYTES = 1_024;
export const CORE_ID_BYTES = RECIPIENT_ID_BYTES;

/** `read`: notices. `revoke`: everything under the card is erased. `receipt`: how far that is. */
export type HolderAction = 'read' | 'revoke' | 'receipt';
const ACTIONS: readonly HolderAction[] = ['read', 'revoke', 'receipt'];

/** Made by a core for one use within two minutes. */
export interface HolderChallenge {
  /** 8 bytes: the core's id as a recipient, in each kiosk's trust document. */
  readonly core: Uint8Array;
  /** 32 random bytes. */
  readonly challenge: Uint8Array;
}

export interface HolderProof extends HolderChallenge {
  readonly action: HolderAction;
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

const CONTEXT = 'vestibule-holder-1\0';

/** @throws DecodeError `decode.malformed` when core or challenge are of another length. */
export function signProof(action: HolderAction, { core, challenge }: HolderChallenge, visitor: Omit<Visitor, 'card'>): HolderProof {
  const signature = signBytes(signedBytes(action, core, challenge), visitor.privateKey);
  return { action, core, challenge, publicKey: visitor.publicKey, signature };
}

/** @returns the card whose key code the prover holds. @throws HolderError `holder.not_proven`. */
export function cardOfProof({ action, core, challenge, publicKey, signature }: HolderProof): VisitorUuid {
  if (!isSignedBy(signedBytes(action, core, challenge), signature, keyOf(publicKey)))
    throw new HolderError('holder.not_proven', 'holder: the signature is not by the key that is shown');
  return uuidOfPublicKey(publicKey);
}

/** @throws HolderError `holder.not_proven` for bytes that are no key. */
function keyOf(publicKey: Uint8Array): KeyObject {
  try {
    return publicKeyFromRaw(publicKey);
  } catch (cause) {
    throw new HolderError('holder.not_proven', 'holder: what is shown is no key', { cause });
  }
}

function signedBytes(action: HolderAction, core: Uint8Array, challenge: Uint8Array): Uint8Array {
  if (core.length !== CORE_ID_BYTES || challenge.length !== CHALLENGE_BYTES)
    throw new DecodeError('decode.malformed', `holder: core of ${core.length} and challenge of ${challenge.length} bytes`);
  return Buffer.concat([Buffer.from(CONTEXT, 'latin1'), core, new Uint8Array([ACTIONS.indexOf(action) + 1]), challenge]);
}

const base64url = (lengthBytes: number) =>
  z
    .base64url()
    .length(Math.ceil((lengthBytes * 4) / 3))
    // One text for one value: the last character has bits to spare.
    .refine((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
    .transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'base64url')));

const challengeForm = z.strictObject({ core: base64url(CORE_ID_BYTES), challenge: base64url(CHALLENGE_BYTES) });

/** As it goes in the body of a request; never in a URL, and in no log. */
export const proofForm = challengeForm.extend({
  action: z.enum(['read', 'revoke', 'receipt']),
  publicKey: base64url(PUBLIC_KEY_BYTES),
  signature: base64url(SIGNATURE_BYTES),
});

/** @returns JSON. */
export const encodeChallenge = ({ core, challenge }: HolderChallenge): string =>
  JSON.stringify({ core: textOf(core), challenge: textOf(challenge) });

/** @throws DecodeError `decode.overlong`, `decode.malformed`. */
export const decodeChallenge = (text: string): HolderChallenge => parse(challengeForm, text, 'holder challenge');

/** @returns JSON of at most 1,024 bytes. */
export const encodeProof = ({ action, core, challenge, publicKey, signature }: HolderProof): string =>
  JSON.stringify({
    action,
    core: textOf(core),
    challenge: textOf(challenge),
    publicKey: textOf(publicKey),
    signature: textOf(signature),
  });

/** @throws DecodeError `decode.overlong`, `decode.malformed`. */
export const decodeProof = (text: string): HolderProof => parse(proofForm, text, 'holder proof');

function parse<Form extends z.ZodType>(form: Form, text: string, subject: string): z.output<Form> {
  if (text.length > LONGEST_PROOF_BYTES)
    throw new DecodeError('decode.overlong', `${subject}: ${text.length} of at most ${LONGEST_PROOF_BYTES} bytes`);
  const parsed = form.safeParse(jsonOf(text));
  if (!parsed.success) throw new DecodeError('decode.malformed', `${subject}: not of its form`);
  return parsed.data;
}

/** @returns `undefined` for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
