/**
 * What a gateway tells a sink elsewhere when holders took cards back: which rows have to go, and of no card whose they are. One CloudEvent.
 * Source: docs/ledger-entries.md, "Rows that must go"; CloudEvents 1.0.2, JSON event format, section 3.1.1 (data_base64).
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { readArray } from './cbor-read.ts';
import { readRow, rowParts } from './entry-codec.ts';
import { deploymentOf } from './entry-event.ts';
import { DecodeError } from './errors.ts';
import type { DeploymentId } from './ids.ts';
import type { RowIdentity } from './ledger-entry.ts';
import type { EpochMillis } from './units.ts';

/** Path of a sink that takes them, behind its address. */
export const ERASURES_PATH = '/api/1/erasures';
export const ERASURE_TYPE = 'application/cloudevents+json';
/** In one event. */
export const MOST_ERASED = 1_000;
const LONGEST_BYTES = 65_536;
const LONGEST_EVENT_BYTES = 98_304;

/** Other attributes may be there, and are not looked at. */
export const erasureEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.string().max(64),
  source: z.string().max(128),
  type: z.literal('vestibule.ledger.erasure'),
  data_base64: z.base64().max((LONGEST_BYTES / 3) * 4 + 4),
});

/**
 * @param rows 1 to 1,000; they go in an order of their own, which says nothing of whose they are. @param nowMs when it is told.
 * @returns one event in the JSON event format, UTF-8; of the same rows it has the same id.
 */
export function encodeErasure(deployment: DeploymentId, rows: readonly RowIdentity[], nowMs: EpochMillis): Uint8Array {
  const data = encodeCbor(rows.toSorted(byName).map(rowParts));
  const event = {
    specversion: '1.0',
    id: `erasure-${createHash('sha256').update(data).digest('hex').slice(0, 16)}`,
    source: `/vestibule/${deployment}/gateway`,
    type: 'vestibule.ledger.erasure',
    time: new Date(nowMs).toISOString(),
    datacontenttype: 'application/cbor',
    data_base64: Buffer.from(data).toString('base64'),
  };
  return Buffer.from(JSON.stringify(event));
}

/** @returns what `encodeErasure` was given. @throws DecodeError when it is none. */
export function decodeErasure(bytes: Uint8Array): { readonly deployment: DeploymentId; readonly rows: readonly RowIdentity[] } {
  if (bytes.length > LONGEST_EVENT_BYTES)
    throw new DecodeError('decode.overlong', `erasure: ${bytes.length} of at most ${LONGEST_EVENT_BYTES} bytes`);
  const event = erasureEvent.safeParse(parsed(bytes));
  const deployment = event.success ? deploymentOf(event.data.source) : undefined;
  if (!event.success || deployment === undefined) throw new DecodeError('decode.malformed', 'erasure: no CloudEvent of a gateway');
  const value = decodeCbor(new Uint8Array(Buffer.from(event.data.data_base64, 'base64')), 'erasure', LONGEST_BYTES);
  return { deployment, rows: readArray(value, 'erasure', 1, MOST_ERASED).map((row) => readRow(readArray(row, 'erasure row', 3))) };
}

const byName = (a: RowIdentity, b: RowIdentity): number =>
  a.kiosk.localeCompare(b.kiosk) || Buffer.compare(a.keyId, b.keyId) || a.seq - b.seq;

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
