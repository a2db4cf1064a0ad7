/** Opens what a kiosk sent as its gateway does: from the bytes of the message, the kiosk's public key and the recipient's private one. */
import { decodeBatch, matchRows, verifyBatch } from '../../protocol/batch.ts';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import type { VestibuleEvent } from '../../protocol/event.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { openContentKey, verifyKeyRecord } from '../../protocol/key-record.ts';
import { openRow } from '../../protocol/row.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { Deployment } from './fixtures.ts';

export interface OpenedRow {
  /** Key id in hex and sequence number: names the row for ever. */
  readonly row: string;
  readonly epoch: string;
  readonly event: VestibuleEvent;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export const rowName = (keyId: Uint8Array | undefined, seq: number | undefined): string =>
  `${keyId === undefined ? '' : hex(keyId)} ${seq}`;

export async function openBatch(
  bytes: Uint8Array,
  { deployment, recipient }: Deployment,
  { kiosk, publicKey }: { readonly kiosk: KioskId; readonly publicKey: Uint8Array },
): Promise<OpenedRow[]> {
  const { keyRecord, sign1, rows } = decodeBatch(bytes);
  const signer = publicKeyFromRaw(publicKey);
  const { keyId, listed } = verifyBatch(sign1, { deployment, topic: topicOf(kiosk, 'batch'), publicKey: signer });
  const record = verifyKeyRecord(keyRecord, { deployment, kiosk, publicKey: signer });
  const contentKey = await openContentKey(record, { deployment, kiosk }, [
    { id: recipient.recipient.id, privateKey: recipient.privateKey },
  ]);
  return matchRows(listed, rows).map(({ seq, row }) => ({
    row: rowName(keyId, seq),
    epoch: hex(record.epoch),
    event: openRow(row, { deployment, kiosk, epoch: record.epoch, keyId, seq }, contentKey),
  }));
}
