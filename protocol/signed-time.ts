/**
 * The gateway's time, signed, for a kiosk that boots without knowing it. Bound to what the kiosk asked with, so that an old answer says
 * nothing; how late it is when it arrives is for the kiosk to bound by its monotonic clock.
 * Source: docs/protocol.md, "The time".
 */
import type { KeyObject } from 'node:crypto';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readInteger } from './cbor-read.ts';
import { signSign1, verifySign1 } from './cose.ts';
import { NONCE_BYTES } from './enrol.ts';
import { SealError } from './errors.ts';
import type { DeploymentId } from './ids.ts';
import type { EpochMillis } from './units.ts';

export const LONGEST_SIGNED_TIME_BYTES = 256;
/** The end of the year 9999, as for an event's stamp. */
const LATEST_MS = 253_402_300_799_999;

/** @param nonce 16 bytes, of the request. */
export function signTime(atMs: EpochMillis, nonce: Uint8Array, deployment: DeploymentId, signingKey: KeyObject): Uint8Array {
  return signSign1(encodeCbor([nonce, atMs]), externalAadOf(deployment), signingKey);
}

/**
 * @param expected.publicKey the gateway's receipt key.
 * @throws SealError `seal.signature` also for another nonce; DecodeError when it is no signed time.
 */
export function openTime(
  bytes: Uint8Array,
  expected: { readonly nonce: Uint8Array; readonly deployment: DeploymentId; readonly publicKey: KeyObject },
): EpochMillis {
  const { nonce, deployment, publicKey } = expected;
  const subject = 'signed time';
  const payload = verifySign1(bytes, {
    externalAad: externalAadOf(deployment),
    publicKey,
    subject,
    longestBytes: LONGEST_SIGNED_TIME_BYTES,
  });
  const [asked, at] = readArray(decodeCbor(payload, subject, LONGEST_SIGNED_TIME_BYTES), subject, 2);
  if (Buffer.compare(readBytes(asked, `${subject} nonce`, NONCE_BYTES), nonce) !== 0)
    throw new SealError('seal.signature', `${subject}: signed for another request`);
  return readInteger(at, subject, 0, LATEST_MS) as EpochMillis;
}

const externalAadOf = (deployment: DeploymentId): Uint8Array => encodeCbor(['vestibule-time-1', deployment]);
