/**
 * The two COSE messages of the wire, in one strict profile: COSE_Sign1 with Ed25519, and COSE_Encrypt0 with AES-256-GCM. Untagged, every
 * header protected, the unprotected map empty. The structures that are signed and authenticated stand apart, so that the COSE
 * working group's examples, which use other headers, prove them.
 * Source: RFC 9052, sections 4.2, 4.4, 5.2 and 5.3; RFC 9053, section 4.1 (A256GCM); RFC 9864, section 2.2 (Ed25519 is -19).
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor, headLength, MAJOR, writeHead } from './cbor.ts';
import { CborCursor } from './cbor-cursor.ts';
import { readArray, readBytes, readMap } from './cbor-read.ts';
import { type CheckSignature, isSignedBy, SIGNATURE_BYTES, signBytes } from './ed25519.ts';
import { DecodeError, SealError } from './errors.ts';

export const CONTENT_KEY_BYTES = 32;
export const TAG_BYTES = 16;
/** The IV: 4 zero bytes and an 8-byte counter. */
const IV_BYTES = 12;
const COUNTER_BYTES = 8;

/** COSE header labels (RFC 9052, section 3.1). */
const ALGORITHM = 1;
const IV = 5;
/** COSE algorithms. EdDSA (-8) is the older, ambiguous name of the same signature and is refused. */
const ED25519 = -19;
const A256GCM = 3;

const EMPTY_MAP: ReadonlyMap<number, CborValue> = new Map();
const SIGN1_HEADER = encodeCbor(new Map([[ALGORITHM, ED25519]]));
/** An array of 4, the protected header as a byte string, the unprotected one. */
const SIGN1_START = Uint8Array.of(0x84, 0x40 | SIGN1_HEADER.length, ...SIGN1_HEADER, 0xa0);
/** With a counter of 0; the counter is its last 8 bytes. */
const ENCRYPT0_HEADER = encodeCbor(
  new Map<number, CborValue>([
    [ALGORITHM, A256GCM],
    [IV, new Uint8Array(IV_BYTES)],
  ]),
);
const ENCRYPT0_HEADER_START = ENCRYPT0_HEADER.subarray(0, -COUNTER_BYTES);
/** Of a COSE_Encrypt0: an array of 3, and the protected header up to its counter. */
const ENCRYPT0_START = Uint8Array.of(0x83, 0x40 | ENCRYPT0_HEADER.length, ...ENCRYPT0_HEADER_START);
const ROW_COUNTER_AT = ENCRYPT0_START.length;
const ROW_IV_AT = ROW_COUNTER_AT + COUNTER_BYTES - IV_BYTES;
const ROW_HEAD_AT = ROW_COUNTER_AT + COUNTER_BYTES + 1;
/** Of its Enc_structure: 83, 68 "Encrypt0", the protected header as a byte string, 58, the length of the additional data. */
const ENCRYPT0_COUNTER_AT = 1 + 9 + 1 + ENCRYPT0_HEADER_START.length;
const ENCRYPT0_AAD_LENGTH_AT = ENCRYPT0_COUNTER_AT + COUNTER_BYTES + 1;
const LONGEST_HEAD_BYTES = 9;
const TAG_OPTIONS = { authTagLength: TAG_BYTES };

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
  const signature = signBytes(signatureStructure(SIGN1_HEADER, externalAad, payload), signingKey);
  return encodeCbor([SIGN1_HEADER, EMPTY_MAP, payload, signature]);
}

/**
 * @param subject names the thing in error messages.
 * @returns the payload, when the holder of `publicKey` signed it for this `externalAad`.
 * @throws DecodeError as `decodeCbor`; `decode.unsupported` for any header but `{1: -19}` and `{}`. SealError `seal.signature`.
 */
export function verifySign1(bytes: Uint8Array, expected: ExpectedSign1 & { readonly publicKey: KeyObject }): Uint8Array {
  const { publicKey, subject } = expected;
  const { payload, signature, signed } = signedPartsOf(bytes, expected);
  return trusted(payload, isSignedBy(signed, signature, publicKey), subject);
}

/** As `verifySign1`, by whoever `check` asks. */
export async function verifySign1By(
  check: CheckSignature,
  bytes: Uint8Array,
  expected: ExpectedSign1 & { readonly publicKey: KeyObject },
): Promise<Uint8Array> {
  const { publicKey, subject } = expected;
  const { payload, signature, signed } = signedPartsOf(bytes, expected);
  return trusted(payload, await check(signed, signature, publicKey), subject);
}

interface ExpectedSign1 {
  readonly externalAad: Uint8Array;
  readonly subject: string;
  readonly longestBytes: number;
}

function signedPartsOf(
  bytes: Uint8Array,
  { externalAad, subject, longestBytes }: ExpectedSign1,
): Sign1Parts & { readonly signed: Uint8Array } {
  const { payload, signature } = sign1PartsOf(bytes, longestBytes) ?? readSign1(bytes, subject, longestBytes);
  return { payload, signature, signed: signatureStructure(SIGN1_HEADER, externalAad, payload) };
}

function trusted(payload: Uint8Array, isGood: boolean, subject: string): Uint8Array {
  if (!isGood) throw new SealError('seal.signature', `${subject}: the signature does not fit signer, place and content`);
  return payload;
}

/** @returns the payload of one that was verified before. @throws DecodeError as `verifySign1`. */
export const payloadOf = (bytes: Uint8Array, subject: string, longestBytes: number): Uint8Array =>
  (sign1PartsOf(bytes, longestBytes) ?? readSign1(bytes, subject, longestBytes)).payload;

interface Sign1Parts {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** @returns views of its parts; `undefined` when something is wrong with it. */
function sign1PartsOf(bytes: Uint8Array, longestBytes: number): Sign1Parts | undefined {
  if (bytes.length > longestBytes) return undefined;
  const cursor = new CborCursor(bytes);
  cursor.expect(SIGN1_START);
  const parts = { payload: cursor.bytes(0, longestBytes), signature: cursor.bytes(SIGNATURE_BYTES) };
  return cursor.isDone ? parts : undefined;
}

function readSign1(bytes: Uint8Array, subject: string, longestBytes: number): Sign1Parts {
  const parts = readArray(decodeCbor(bytes, subject, longestBytes), subject, 4);
  readHeader(parts, SIGN1_HEADER, SIGN1_HEADER.length, subject);
  return {
    payload: readBytes(parts[2], `${subject} payload`, 0, longestBytes),
    signature: readBytes(parts[3], `${subject} signature`, SIGNATURE_BYTES),
  };
}

/** @param key 32 bytes. @param counter 0 to 2^53 - 1, never used twice with one key. @returns a COSE_Encrypt0, its IV made of the counter. */
export function sealEncrypt0(plaintext: Uint8Array, externalAad: Uint8Array, key: KeyObject, counter: number): Uint8Array {
  const header = new Uint8Array(ENCRYPT0_HEADER);
  writeCounter(header, ENCRYPT0_HEADER_START.length, counter);
  const ciphertext = sealAesGcm(key, header.subarray(-IV_BYTES), encryptStructure(header, externalAad), plaintext);
  return encodeCbor([header, EMPTY_MAP, ciphertext]);
}

/** Seals many COSE_Encrypt0 under one key, whose additional data differ in one number at their end, as `sealEncrypt0` does. */
export class Encrypt0Sealer {
  readonly #key: KeyObject;
  readonly #structure: NumberedStructure;

  /** @param key 32 bytes. @param aadStart the additional data, a CBOR array, up to the number. 40 to 200 bytes. */
  constructor(key: KeyObject, aadStart: Uint8Array) {
    this.#key = key;
    this.#structure = new NumberedStructure(aadStart);
  }

  /**
   * Does all that can be done before the plaintext is known: half of the time that sealing takes.
   * @param number the last of the additional data. @param counter 0 to 2^53 - 1, never used twice with one key.
   * @returns seals one plaintext; a second one throws, for its IV is used.
   */
  begin(number: number, counter: number): (plaintext: Uint8Array) => Uint8Array {
    const structure = this.#structure.of(number);
    writeCounter(structure, ENCRYPT0_COUNTER_AT, counter);
    const iv = structure.subarray(ENCRYPT0_COUNTER_AT + COUNTER_BYTES - IV_BYTES, ENCRYPT0_COUNTER_AT + COUNTER_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
    cipher.setAAD(structure);
    return (plaintext) => {
      const lengthBytes = plaintext.length + TAG_BYTES;
      const bytes = new Uint8Array(ROW_HEAD_AT + headLength(lengthBytes) + lengthBytes);
      bytes.set(ENCRYPT0_START);
      writeCounter(bytes, ROW_COUNTER_AT, counter);
      bytes[ROW_HEAD_AT - 1] = 0xa0;
      const at = writeHead(bytes, ROW_HEAD_AT, MAJOR.bytes, lengthBytes);
      bytes.set(cipher.update(plaintext), at);
      cipher.final();
      bytes.set(cipher.getAuthTag(), at + plaintext.length);
      return bytes;
    };
  }
}

/** An Enc_structure whose additional data end with a number, and whose counter is yet to be written at `ENCRYPT0_COUNTER_AT`. */
class NumberedStructure {
  readonly #aadBytes: number;
  readonly #bytes: Uint8Array;
  readonly #numberAt: number;

  /** @param aadStart the additional data, a CBOR array, up to the number. 40 to 200 bytes. */
  constructor(aadStart: Uint8Array) {
    const start = encryptStructure(ENCRYPT0_HEADER, aadStart);
    this.#aadBytes = aadStart.length;
    this.#numberAt = start.length;
    this.#bytes = new Uint8Array(start.length + LONGEST_HEAD_BYTES);
    this.#bytes.set(start);
  }

  /** @returns a view that holds until the next call. */
  of(number: number): Uint8Array {
    const end = writeHead(this.#bytes, this.#numberAt, MAJOR.unsigned, number);
    this.#bytes[ENCRYPT0_AAD_LENGTH_AT] = this.#aadBytes + end - this.#numberAt;
    return this.#bytes.subarray(0, end);
  }
}

function writeCounter(bytes: Uint8Array, at: number, counter: number): void {
  let rest = counter;
  for (let i = COUNTER_BYTES - 1; i >= 0; i--) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/**
 * @returns the plaintext.
 * @throws DecodeError as `decodeCbor`; `decode.unsupported` for any header but `{1: 3, 5: IV}`, the IV 12 bytes that start with 4 zero
 *   bytes, and `{}`. SealError `seal.open`.
 */
export function openEncrypt0(
  bytes: Uint8Array,
  expected: { readonly externalAad: Uint8Array; readonly key: KeyObject; readonly subject: string; readonly longestBytes: number },
): Uint8Array {
  const { externalAad, key, subject, longestBytes } = expected;
  const parts = readArray(decodeCbor(bytes, subject, longestBytes), subject, 3);
  const header = readHeader(parts, ENCRYPT0_HEADER_START, ENCRYPT0_HEADER.length, subject);
  const ciphertext = readBytes(parts[2], `${subject} ciphertext`, TAG_BYTES, longestBytes);
  return openAesGcm(key, header.subarray(-IV_BYTES), encryptStructure(header, externalAad), ciphertext);
}

/**
 * Opens many COSE_Encrypt0 under one key, whose additional data differ in one number at their end. What is not laid out as the
 * profile's own is left to `openEncrypt0`, which knows what is wrong with it.
 * ```
 *   83 51 a2 01 03 05 4c 00 00 00 00 <counter, 8> a0 <head> <ciphertext and tag>
 *   0  1  2              7           11           19 20
 * ```
 */
export class Encrypt0Opener {
  readonly #key: KeyObject;
  readonly #structure: NumberedStructure;
  readonly #aadStart: Uint8Array;

  /** @param aadStart the additional data, a CBOR array, up to the number. 40 to 200 bytes. */
  constructor(key: KeyObject, aadStart: Uint8Array) {
    this.#key = key;
    this.#aadStart = aadStart;
    this.#structure = new NumberedStructure(aadStart);
  }

  /** As `openEncrypt0`, with `number` as the last of the additional data. */
  open(bytes: Uint8Array, number: number, subject: string, longestBytes: number): Uint8Array {
    const ciphertextAt = bytes.length > longestBytes ? 0 : ciphertextAtOf(bytes);
    if (ciphertextAt === 0) return this.#openAny(bytes, number, subject, longestBytes);
    const structure = this.#structure.of(number);
    for (let i = 0; i < COUNTER_BYTES; i++) structure[ENCRYPT0_COUNTER_AT + i] = bytes[ROW_COUNTER_AT + i] ?? 0;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(ROW_IV_AT, ROW_IV_AT + IV_BYTES), TAG_OPTIONS);
    const tagAt = bytes.length - TAG_BYTES;
    decipher.setAAD(structure);
    decipher.setAuthTag(bytes.subarray(tagAt));
    const plaintext = decipher.update(bytes.subarray(ciphertextAt, tagAt));
    try {
      decipher.final();
    } catch {
      throw new SealError('seal.open', 'AES-GCM: the tag does not fit key, place and content');
    }
    return plaintext;
  }

  #openAny(bytes: Uint8Array, number: number, subject: string, longestBytes: number): Uint8Array {
    const externalAad = new Uint8Array(this.#aadStart.length + headLength(number));
    externalAad.set(this.#aadStart);
    writeHead(externalAad, this.#aadStart.length, MAJOR.unsigned, number);
    return openEncrypt0(bytes, { externalAad, key: this.#key, subject, longestBytes });
  }
}

/** @returns where the ciphertext begins; 0 when it is no COSE_Encrypt0 of the profile. */
function ciphertextAtOf(bytes: Uint8Array): number {
  for (const [at, byte] of ENCRYPT0_START.entries()) if (bytes[at] !== byte) return 0;
  if (bytes[ROW_HEAD_AT - 1] !== 0xa0) return 0;
  const head = bytes[ROW_HEAD_AT];
  const second = bytes[ROW_HEAD_AT + 1] ?? 0;
  // A tag at least, and a head as short as can be.
  if (head === 0x58) return second >= 24 && bytes.length === ROW_HEAD_AT + 2 + second ? ROW_HEAD_AT + 2 : 0;
  const long = second * 256 + (bytes[ROW_HEAD_AT + 2] ?? 0);
  return head === 0x59 && long >= 256 && bytes.length === ROW_HEAD_AT + 3 + long ? ROW_HEAD_AT + 3 : 0;
}

/** Takes the one protected header that the profile has, and no unprotected one. Deterministic encoding makes it a matter of bytes. */
function readHeader(parts: readonly CborValue[], start: Uint8Array, lengthBytes: number, subject: string): Uint8Array {
  if (readMap(parts[1], `${subject} unprotected header`).size !== 0)
    throw new DecodeError('decode.unsupported', `${subject}: an unprotected header`);
  const header = readBytes(parts[0], `${subject} protected header`, 0, Number.POSITIVE_INFINITY);
  if (header.length !== lengthBytes || Buffer.compare(header.subarray(0, start.length), start) !== 0)
    throw new DecodeError('decode.unsupported', `${subject}: another protected header than the profile's`);
  return header;
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
