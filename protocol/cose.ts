/**
 * The two COSE messages of the wire, in one strict profile: COSE_Sign1 with Ed25519, and COSE_Encrypt0 with AES-256-GCM. Untagged, every
 * header protected, the unprotected map empty. The structures that are signed and authenticated stand apart, so that the COSE
 * working group's examples, which use other headers, prove them.
 * Source: RFC 9052, sections 4.2, 4.4, 5.2 and 5.3; RFC 9053, section 4.1 (A256GCM); RFC 9864, section 2.2 (Ed25519 is -19).
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes, readMap } from './cbor-read.ts';
import { isSignedBy, SIGNATURE_BYTES, signBytes } from './ed25519.ts';
import { DecodeError, SealError } from './errors.ts';

/** COSE header labels (RFC 9052, section 3.1). */
const ALGORITHM = 1;
const IV = 5;
/** COSE algorithms. EdDSA (-8) is the older, ambiguous name of the same signature and is refused. */
const ED25519 = -19;
const A256GCM = 3;

export const CONTENT_KEY_BYTES = 32;
/** 4 zero bytes and an 8-byte counter. */
export const IV_BYTES = 12;
export const TAG_BYTES = 16;

const EMPTY_MAP: ReadonlyMap<number, CborValue> = new Map();
const SIGN1_PROTECTED = encodeCbor(new Map([[ALGORITHM, ED25519]]));
const LONGEST_PROTECTED_BYTES = 32;

/** @returns the bytes that are signed: Sig_structure with context "Signature1". */
export const signatureStructure = (protectedHeader: Uint8Array, externalAad: Uint8Array, payload: Uint8Array): Uint8Array =>
  encodeCbor(['Signature1', protectedHeader, externalAad, payload]);

/** @returns the additional data that the cipher authenticates: Enc_structure with context "Encrypt0". */
export const encryptStructure = (protectedHeader: Uint8Array, externalAad: Uint8Array): Uint8Array =>
  encodeCbor(['Encrypt0', protectedHeader, externalAad]);

/** @param key 16, 24 or 32 bytes. @param iv 12 bytes, never used twice with one key. @returns ciphertext and 16-byte tag. */
export function sealAesGcm(key: KeyObject, iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv(aesGcm(key), key, iv);
  cipher.setAAD(aad);
  return new Uint8Array(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

/** @returns the plaintext. @throws SealError `seal.open` unless key, iv, aad and every byte are those that were sealed. */
export function openAesGcm(key: KeyObject, iv: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const tagAt = ciphertext.length - TAG_BYTES;
  if (tagAt < 0) throw new SealError('seal.open', `AES-GCM: ${ciphertext.length} bytes are shorter than a tag`);
  const decipher = createDecipheriv(aesGcm(key), key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(ciphertext.subarray(tagAt));
  const plaintext = decipher.update(ciphertext.subarray(0, tagAt));
  try {
    decipher.final();
  } catch {
    throw new SealError('seal.open', 'AES-GCM: the tag does not fit key, place and content');
  }
  return new Uint8Array(plaintext);
}

/** @returns a COSE_Sign1 by `signingKey`, with its payload inside. */
export function signSign1(payload: Uint8Array, externalAad: Uint8Array, signingKey: KeyObject): Uint8Array {
  const signature = signBytes(signatureStructure(SIGN1_PROTECTED, externalAad, payload), signingKey);
  return encodeCbor([SIGN1_PROTECTED, EMPTY_MAP, payload, signature]);
}

/**
 * @param subject names the thing in error messages.
 * @returns the payload, when the holder of `publicKey` signed it for this `externalAad`.
 * @throws DecodeError as `decodeCbor`; `decode.unsupported` for any header but `{1: -19}` and `{}`. SealError `seal.signature`.
 */
export function verifySign1(
  bytes: Uint8Array,
  expected: { readonly externalAad: Uint8Array; readonly publicKey: KeyObject; readonly subject: string; readonly longestBytes: number },
): Uint8Array {
  const { externalAad, publicKey, subject, longestBytes } = expected;
  const parts = readArray(decodeCbor(bytes, subject, longestBytes), subject, 4);
  const protectedHeader = readBytes(parts[0], `${subject} protected header`, 0, LONGEST_PROTECTED_BYTES);
  const header = readHeaders(protectedHeader, parts[1], subject);
  if (header.size !== 1 || header.get(ALGORITHM) !== ED25519)
    throw new DecodeError('decode.unsupported', `${subject}: not signed with algorithm ${ED25519} alone`);
  const payload = readBytes(parts[2], `${subject} payload`, 0, longestBytes);
  const signature = readBytes(parts[3], `${subject} signature`, SIGNATURE_BYTES);
  if (!isSignedBy(signatureStructure(protectedHeader, externalAad, payload), signature, publicKey))
    throw new SealError('seal.signature', `${subject}: the signature does not fit signer, place and content`);
  return payload;
}

/** @param key 32 bytes. @param counter 0 to 2^53 - 1, never used twice with one key. @returns a COSE_Encrypt0, its IV made of the counter. */
export function sealEncrypt0(plaintext: Uint8Array, externalAad: Uint8Array, key: KeyObject, counter: number): Uint8Array {
  const iv = new Uint8Array(IV_BYTES);
  new DataView(iv.buffer).setBigUint64(IV_BYTES - 8, BigInt(counter));
  const protectedHeader = encodeCbor(
    new Map<number, CborValue>([
      [ALGORITHM, A256GCM],
      [IV, iv],
    ]),
  );
  return encodeCbor([protectedHeader, EMPTY_MAP, sealAesGcm(key, iv, encryptStructure(protectedHeader, externalAad), plaintext)]);
}

/**
 * @returns the plaintext.
 * @throws DecodeError as `decodeCbor`; `decode.unsupported` for any header but algorithm 3 with a 12-byte IV that starts with 4 zero
 *   bytes, and `{}`. SealError `seal.open`.
 */
export function openEncrypt0(
  bytes: Uint8Array,
  expected: { readonly externalAad: Uint8Array; readonly key: KeyObject; readonly subject: string; readonly longestBytes: number },
): Uint8Array {
  const { externalAad, key, subject, longestBytes } = expected;
  const parts = readArray(decodeCbor(bytes, subject, longestBytes), subject, 3);
  const protectedHeader = readBytes(parts[0], `${subject} protected header`, 0, LONGEST_PROTECTED_BYTES);
  const header = readHeaders(protectedHeader, parts[1], subject);
  if (header.size !== 2 || header.get(ALGORITHM) !== A256GCM)
    throw new DecodeError('decode.unsupported', `${subject}: not sealed with algorithm ${A256GCM} and an IV alone`);
  const iv = readBytes(header.get(IV), `${subject} IV`, IV_BYTES);
  if (iv.subarray(0, 4).some((byte) => byte !== 0)) throw new DecodeError('decode.unsupported', `${subject}: an IV that is no counter`);
  const ciphertext = readBytes(parts[2], `${subject} ciphertext`, TAG_BYTES, longestBytes);
  return openAesGcm(key, iv, encryptStructure(protectedHeader, externalAad), ciphertext);
}

function readHeaders(protectedHeader: Uint8Array, unprotected: CborValue | undefined, subject: string): ReadonlyMap<number, CborValue> {
  if (readMap(unprotected, `${subject} unprotected header`).size !== 0)
    throw new DecodeError('decode.unsupported', `${subject}: an unprotected header`);
  return readMap(decodeCbor(protectedHeader, `${subject} protected header`, LONGEST_PROTECTED_BYTES), `${subject} protected header`);
}

function aesGcm(key: KeyObject): 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm' {
  switch (key.symmetricKeySize) {
    case 16:
      return 'aes-128-gcm';
    case 24:
      return 'aes-192-gcm';
    case CONTENT_KEY_BYTES:
      return 'aes-256-gcm';
    default:
      throw new SealError('seal.open', `AES-GCM: a key of ${key.symmetricKeySize ?? 0} bytes`);
  }
}
