/**
 * Ed25519 keys in the raw form that codes, cards and records carry (32 bytes), over Node's own crypto.
 * Source: RFC 8032; RFC 8410, section 7 (the PKCS #8 and SPKI wrappings are a fixed prefix and the raw key).
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import sodium from 'sodium-native';
import { DecodeError } from './errors.ts';

export const PUBLIC_KEY_BYTES = 32;
export const SEED_BYTES = 32;
export const SIGNATURE_BYTES = 64;

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** @param seed 32 bytes, the private key of RFC 8032. @throws DecodeError `decode.malformed` at any other length. */
export function privateKeyFromSeed(seed: Uint8Array): KeyObject {
  if (seed.length !== SEED_BYTES) throw new DecodeError('decode.malformed', `Ed25519 seed: ${seed.length} of ${SEED_BYTES} bytes`);
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

/** @param raw 32 bytes. @throws DecodeError `decode.malformed` at any other length. */
export function publicKeyFromRaw(raw: Uint8Array): KeyObject {
  if (raw.length !== PUBLIC_KEY_BYTES)
    throw new DecodeError('decode.malformed', `Ed25519 public key: ${raw.length} of ${PUBLIC_KEY_BYTES} bytes`);
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}

/** @param key a private or a public Ed25519 key. @returns its public half, 32 bytes. */
export function rawPublicKey(key: KeyObject): Uint8Array {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(SPKI_PREFIX.length));
}

/** @returns the 32-byte seed of a private key, for a key file readable by its owner only. */
export function rawSeed(privateKey: KeyObject): Uint8Array {
  return new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length));
}

export const generateSigningKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;

/** @returns 64 bytes. */
export const signBytes = (message: Uint8Array, privateKey: KeyObject): Uint8Array => new Uint8Array(sign(null, message, privateKey));

/** @returns whether `signature` is one of `message` by the holder of `publicKey`; false, too, at any wrong length. */
export const isSignedBy = (message: Uint8Array, signature: Uint8Array, publicKey: KeyObject): boolean =>
  signature.length === SIGNATURE_BYTES && verify(null, message, publicKey, signature);

/**
 * As `isSignedBy`, in less than half the time after a pause (docs/decisions/0039): for one check that somebody waits for.
 * Stricter in what only a forger would make: a key or a point of small order is refused.
 * @param publicKey 32 bytes. @returns false, too, at any wrong length.
 */
export const isSignedByRaw = (message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean =>
  signature.length === SIGNATURE_BYTES &&
  publicKey.length === PUBLIC_KEY_BYTES &&
  sodium.crypto_sign_verify_detached(signature, message, publicKey);

/** Says whether a signature is good, now or later: `isSignedBy`, or whoever asks `isSignedBySoon`. */
export type CheckSignature = (message: Uint8Array, signature: Uint8Array, publicKey: KeyObject) => boolean | Promise<boolean>;

/** As `isSignedBy`, on a thread of Node's pool: it takes longer than all else that is done with a short message. Rejects for a key of another kind. */
export const isSignedBySoon = (message: Uint8Array, signature: Uint8Array, publicKey: KeyObject): Promise<boolean> =>
  new Promise((answer, fail) => {
    if (signature.length !== SIGNATURE_BYTES) answer(false);
    else verify(null, message, publicKey, signature, (error, isGood) => (error === null ? answer(isGood) : fail(error)));
  });
