/**
 * The key record: one content key sealed to each of its recipients, signed by the kiosk. Kept before the first row under the key,
 * and sent with every batch of them.
 * Source: docs/protocol.md, "Key record".
 */
import type { KeyObject } from 'node:crypto';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { readArray, readBytes } from './cbor-read.ts';
import { CONTENT_KEY_BYTES, payloadOf, signSign1, TAG_BYTES, verifySign1 } from './cose.ts';
import { DecodeError, SealError } from './errors.ts';
import { ENCAPSULATED_BYTES, openFrom, RECIPIENT_ID_BYTES, type Recipient, sealTo } from './hpke.ts';
import type { DeploymentId, Epoch, KeyId, KioskId } from './ids.ts';

export const LONGEST_KEY_RECORD_BYTES = 2_048;
export const MOST_RECIPIENTS = 8;
const ID_BYTES = 8;
const SUBJECT = 'key record';

export interface WrappedKey {
  /** 8 bytes. */
  readonly recipientId: Uint8Array;
  /** 32 bytes. */
  readonly enc: Uint8Array;
  /** 48 bytes. */
  readonly ciphertext: Uint8Array;
}

export interface KeyRecord {
  readonly epoch: Epoch;
  readonly keyId: KeyId;
  /** 1 to 8, each for another recipient. */
  readonly wrapped: readonly WrappedKey[];
}

interface KioskPlace {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
}

/**
 * @returns the record, at most 2,048 bytes.
 * @throws SealError `seal.unknown_recipient` for no recipient, more than 8, one named twice, or a public key that is none;
 *   `seal.open` when the content key is not 32 bytes.
 */
export async function sealKeyRecord(
  parts: KioskPlace & {
    readonly epoch: Epoch;
    readonly keyId: KeyId;
    /** 32 bytes. */
    readonly contentKey: Uint8Array;
    readonly recipients: readonly Recipient[];
    readonly signingKey: KeyObject;
    /** Vectors only: 32 bytes for each recipient's ephemeral key. */
    readonly testOnlyIkms?: readonly Uint8Array[];
  },
): Promise<Uint8Array> {
  const { epoch, keyId, contentKey, recipients, signingKey, testOnlyIkms } = parts;
  if (contentKey.length !== CONTENT_KEY_BYTES)
    throw new SealError('seal.open', `content key: ${contentKey.length} of ${CONTENT_KEY_BYTES} bytes`);
  if (recipients.length === 0 || recipients.length > MOST_RECIPIENTS || countDistinct(recipients.map(({ id }) => id)) < recipients.length)
    throw new SealError(
      'seal.unknown_recipient',
      `key record: ${recipients.length} recipients, not 1 to ${MOST_RECIPIENTS} different ones`,
    );
  const wrapped: CborValue[] = [];
  for (const [i, recipient] of recipients.entries()) {
    const sealed = await sealTo(recipient.publicKey, infoOf(parts, epoch, keyId, recipient.id), contentKey, testOnlyIkms?.[i]);
    wrapped.push([recipient.id, sealed.enc, sealed.ciphertext]);
  }
  return signSign1(encodeCbor([epoch, keyId, wrapped]), externalAadOf(parts), signingKey);
}

/**
 * @returns the record, when `publicKey`'s holder signed it for this deployment and kiosk.
 * @throws SealError `seal.signature`; DecodeError when it is no key record.
 */
export function verifyKeyRecord(bytes: Uint8Array, signer: KioskPlace & { readonly publicKey: KeyObject }): KeyRecord {
  const payload = verifySign1(bytes, {
    externalAad: externalAadOf(signer),
    publicKey: signer.publicKey,
    subject: SUBJECT,
    longestBytes: LONGEST_KEY_RECORD_BYTES,
  });
  return recordOf(payload);
}

/** For whom a key record is sealed, of one that was verified before. @returns the ids. @throws DecodeError when it is no key record. */
export const recipientsIn = (bytes: Uint8Array): Uint8Array[] =>
  recordOf(payloadOf(bytes, SUBJECT, LONGEST_KEY_RECORD_BYTES)).wrapped.map(({ recipientId }) => recipientId);

function recordOf(payload: Uint8Array): KeyRecord {
  const [epoch, keyId, list] = readArray(decodeCbor(payload, SUBJECT, LONGEST_KEY_RECORD_BYTES), SUBJECT, 3);
  const wrapped = readArray(list, 'key record recipients', 1, MOST_RECIPIENTS).map((entry) => {
    const [recipientId, enc, ciphertext] = readArray(entry, 'key record recipient', 3);
    return {
      recipientId: readBytes(recipientId, 'key record recipient id', RECIPIENT_ID_BYTES),
      enc: readBytes(enc, 'key record enc', ENCAPSULATED_BYTES),
      ciphertext: readBytes(ciphertext, 'key record ciphertext', CONTENT_KEY_BYTES + TAG_BYTES),
    };
  });
  if (countDistinct(wrapped.map(({ recipientId }) => recipientId)) < wrapped.length)
    throw new DecodeError('decode.malformed', 'key record: a recipient is named twice');
  return {
    epoch: readBytes(epoch, 'key record epoch', ID_BYTES) as Epoch,
    keyId: readBytes(keyId, 'key record key id', ID_BYTES) as KeyId,
    wrapped,
  };
}

/** A recipient by what it opens: id (8 bytes) and private key (32 bytes). */
export interface Holder {
  readonly id: Uint8Array;
  readonly privateKey: Uint8Array;
}

/**
 * @param holders one recipient, under each of its keys.
 * @returns the content key, 32 bytes.
 * @throws SealError `seal.unknown_recipient` when the record names another; `seal.open` when the seal does not fit.
 */
export async function openContentKey(record: KeyRecord, place: KioskPlace, holders: readonly Holder[]): Promise<Uint8Array> {
  for (const { recipientId, enc, ciphertext } of record.wrapped) {
    const holder = holders.find(({ id }) => Buffer.compare(recipientId, id) === 0);
    if (holder === undefined) continue;
    return await openFrom(holder.privateKey, infoOf(place, record.epoch, record.keyId, recipientId), enc, ciphertext);
  }
  throw new SealError('seal.unknown_recipient', `key record: none of its ${record.wrapped.length} recipients is this one`);
}

const externalAadOf = ({ deployment, kiosk }: KioskPlace): Uint8Array => encodeCbor(['vestibule-key-record-1', deployment, kiosk]);

const infoOf = ({ deployment, kiosk }: KioskPlace, epoch: Epoch, keyId: KeyId, recipientId: Uint8Array): Uint8Array =>
  encodeCbor(['vestibule-content-key-1', deployment, kiosk, epoch, keyId, recipientId]);

const countDistinct = (ids: readonly Uint8Array[]): number => new Set(ids.map((id) => Buffer.from(id).toString('hex'))).size;
