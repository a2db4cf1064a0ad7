/** Rows of the outbox as one signed batch. Needs the kiosk's signing key and the kept key record, never a content key. */
import type { KeyObject } from 'node:crypto';
import { sealBatch } from '../protocol/batch.ts';
import type { BootId, DeploymentId } from '../protocol/ids.ts';
import type { MonotonicMillis } from '../protocol/units.ts';
import type { KeptKey, OutboxRow } from './outbox-row.ts';

export interface SendingFrom {
  readonly deployment: DeploymentId;
  readonly topic: string;
  readonly bootId: BootId;
  /** When it is sent. */
  readonly monotonicMs: MonotonicMillis;
  readonly signingKey: KeyObject;
}

/** @param rows of `key`, sequence numbers ascending. @returns the message. */
export const sealRows = (
  rows: readonly OutboxRow[],
  { keyId, record }: KeptKey,
  { deployment, topic, bootId, monotonicMs, signingKey }: SendingFrom,
): Uint8Array => sealBatch({ deployment, topic, keyId, sentAt: { bootId, monotonicMs }, rows, keyRecord: record, signingKey });
