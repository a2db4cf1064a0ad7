/**
 * Seals one content key to one recipient by HPKE in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 * The only importer of @hpke/core, whose X25519 is the runtime's own.
 * Source: RFC 9180, sections 5.1.1, 6.1 and 7.
 */
import { createHash, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, type webcrypto } from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, HpkeError } from '@hpke/core';
import { DecodeError, SealError } from './errors.ts';

export const RECIPIENT_ID_BYTES = 8;
export const RECIPIENT_KEY_BYTES = 32;
/** The encapsulated key, "enc". */
export const ENCAPSULATED_BYTES = 32;

/** Who can open what is sealed to it. */
export interface Recipient {
  /** 8 bytes: SHA-256 of the raw public key, cut. */
  readonly id: Uint8Array;
  /** 32 bytes, X25519. */
  readonly publicKey: Uint8Array;
}

/** RFC 8410, section 7: the PKCS #8 wrapping of X25519 is a fixed prefix and the raw key. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
/** RFC 8410, section 4: so is the SubjectPublicKeyInfo. */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** @param publicKey 32 bytes, X25519. @throws DecodeError `decode.malformed` at any other length. */
export function recipientFromPublicKey(publicKey: Uint8Array): Recipient {
  if (publicKey.length !== RECIPIENT_KEY_BYTES)
    throw new DecodeError('decode.malformed', `recipient key: ${publicKey.length} of ${RECIPIENT_KEY_BYTES} bytes`);
  return { id: new Uint8Array(createHash('sha256').update(publicKey).digest().subarray(0, RECIPIENT_ID_BYTES)), publicKey };
}

/**
 * Whether anything can be sealed to it. With a few points every private key agrees on the same secret, zero: such a one is nobody's key.
 * Source: RFC 9180, section 7.1.4. @param publicKey 32 bytes.
 */
export function isSealable(publicKey: Uint8Array): boolean {
  const { privateKey } = generateKeyPairSync('x25519');
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
    return diffieHellman({ privateKey, publicKey: key }).length > 0;
  } catch {
    return false;
  }
}

/** @returns a fresh key pair; the private key is 32 bytes, for a key file that its owner alone can read. */
export async function generateRecipient(): Promise<{ recipient: Recipient; privateKey: Uint8Array }> {
  const pair = await suite.kem.generateKeyPair();
  const publicKey = new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey));
  return { recipient: recipientFromPublicKey(publicKey), privateKey: new Uint8Array(await suite.kem.serializePrivateKey(pair.privateKey)) };
}

/** @param privateKey 32 bytes, X25519. @throws DecodeError `decode.malformed` at any other length. */
export async function recipientOf(privateKey: Uint8Array): Promise<Recipient> {
  refuseBadLength(privateKey);
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, privateKey]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return recipientFromPublicKey(new Uint8Array(spki.subarray(-RECIPIENT_KEY_BYTES)));
}

/**
 * @param info what the sealed thing is bound to.
 * @param testOnlyIkm makes the ephemeral key from these 32 bytes: vectors only, a repeated one breaks the seal.
 * @returns enc (32 bytes) and the ciphertext with its tag (16 bytes longer than `plaintext`).
 * @throws SealError `seal.unknown_recipient` when the public key is none.
 */
export async function sealTo(
  publicKey: Uint8Array,
  info: Uint8Array,
  plaintext: Uint8Array,
  testOnlyIkm?: Uint8Array,
): Promise<{ enc: Uint8Array; ciphertext: Uint8Array }> {
  try {
    const recipientPublicKey = await suite.kem.deserializePublicKey(publicKey);
    const ephemeral = testOnlyIkm === undefined ? {} : { ekm: testOnlyIkm };
    const sealed = await suite.seal({ recipientPublicKey, info, ...ephemeral }, plaintext);
    return { enc: new Uint8Array(sealed.enc), ciphertext: new Uint8Array(sealed.ct) };
  } catch (cause) {
    if (cause instanceof HpkeError) throw new SealError('seal.unknown_recipient', 'HPKE: the public key is not a usable one', { cause });
    throw cause;
  }
}

/** @returns the plaintext. @throws SealError `seal.open` unless key, info and every byte are those that were sealed. */
export async function openFrom(privateKey: Uint8Array, info: Uint8Array, enc: Uint8Array, ciphertext: Uint8Array): Promise<Uint8Array> {
  const recipientKey = await importPrivate(privateKey);
  try {
    return new Uint8Array(await suite.open({ recipientKey, info, enc }, ciphertext));
  } catch (cause) {
    if (cause instanceof HpkeError) throw new SealError('seal.open', 'HPKE: the seal does not fit key, place and content', { cause });
    throw cause;
  }
}

async function importPrivate(privateKey: Uint8Array): Promise<webcrypto.CryptoKey> {
  refuseBadLength(privateKey);
  return await suite.kem.deserializePrivateKey(privateKey);
}

function refuseBadLength(privateKey: Uint8Array): void {
  if (privateKey.length !== RECIPIENT_KEY_BYTES)
    throw new DecodeError('decode.malformed', `recipient private key: ${privateKey.length} of ${RECIPIENT_KEY_BYTES} bytes`);
}
