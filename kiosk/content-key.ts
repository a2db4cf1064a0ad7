/** The content key of one start of this process, or of a part of it: made here, held in RAM, never written down but sealed to its recipients. */
import { type KeyObject, randomBytes } from 'node:crypto';
import { CONTENT_KEY_BYTES } from '../protocol/cose.ts';
import type { Recipient } from '../protocol/hpke.ts';
import type { DeploymentId, Epoch, KeyId, KioskId } from '../protocol/ids.ts';
import { sealKeyRecord } from '../protocol/key-record.ts';
import { RowOpener, RowSealer } from '../protocol/row.ts';

const KEY_ID_BYTES = 8;

export interface KeyParts {
  readonly deployment: DeploymentId;
  readonly kiosk: KioskId;
  readonly recipients: readonly Recipient[];
  readonly signingKey: KeyObject;
}

export interface ContentKey {
  readonly keyId: KeyId;
  /** The key sealed to each recipient and signed: to be kept before the first row under it. */
  readonly record: Uint8Array;
  /** The only holder of the key and of its nonces. */
  readonly sealer: RowSealer;
  /** Opens what was sealed in this start: rows of a card that its holder takes back are found by it. */
  readonly opener: RowOpener;
}

/** @throws SealError seal.unknown_recipient when there is no recipient, or one's public key is none. */
export async function makeContentKey({ deployment, kiosk, recipients, signingKey }: KeyParts, epoch: Epoch): Promise<ContentKey> {
  const keyId = new Uint8Array(randomBytes(KEY_ID_BYTES)) as KeyId;
  const contentKey = new Uint8Array(randomBytes(CONTENT_KEY_BYTES));
  const record = await sealKeyRecord({ deployment, kiosk, epoch, keyId, contentKey, recipients, signingKey });
  const sealer = new RowSealer({ deployment, kiosk, epoch, keyId }, contentKey);
  const opener = new RowOpener({ deployment, kiosk, epoch, keyId }, contentKey);
  contentKey.fill(0);
  return { keyId, record, sealer, opener };
}
