/**
 * A batch: the kiosk's signature over a list of (sequence number, digest), and the rows beside it. A row can be taken out later
 * and the signature over the rest still verifies; re-batching needs no content key.
 * Source: docs/protocol.md, "Batch".
 */
import type { KeyObject } from 'node:crypto';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { CborCursor } from './cbor-cursor.ts';
import { readArray, readBytes, readInteger } from './cbor-read.ts';
import { payloadOf, signSign1, verifySign1, verifySign1By } from './cose.ts';
import type { CheckSignature } from './ed25519.ts';
import { DecodeError, SealError } from './errors.ts';
import type { BootId, DeploymentId, KeyId, Seq } from './ids.ts';
import { LONGEST_KEY_RECORD_BYTES } from './key-record.ts';
import { DIGEST_BYTES, digestOf, digestTextOf, LONGEST_ROW_BYTES } from './row.ts';
import type { MonotonicMillis } from './units.ts';

export const LONGEST_BATCH_BYTES = 65_536;
export const MOST_ROWS = 64;
/** 64 entries of at most 45 bytes, and 128 bytes around them. */
export const LONGEST_LIST_BYTES = 4_096;

/** When a batch was signed, by the kiosk's monotonic clock. */
export interface SentAt {
  readonly bootId: BootId;
  readonly monotonicMs: MonotonicMillis;
}

export interface ListedRow {
  readonly seq: Seq;
  /** SHA-256 of the row, 32 bytes, as `digestTextOf` gives it. */
  readonly digest: string;
}

export interface MatchedRow extends ListedRow {
  readonly row: Uint8Array;
}

export interface BatchList {
  readonly keyId: KeyId;
  readonly sentAt: SentAt;
  /** 1 to 64, sequence numbers strictly ascending, digests all different. */
  readonly listed: readonly ListedRow[];
}

/**
 * @param parts.rows 1 to 64 rows of one content key, sequence numbers strictly ascending; `keyRecord` is that key's.
 * @returns the message, at most 65,536 bytes.
 * @throws DecodeError `decode.overlong` when rows are too many or too long together, `decode.malformed` when they are none or out of order.
 */
export function sealBatch(parts: {
  readonly deployment: DeploymentId;
  readonly topic: string;
  readonly keyId: KeyId;
  readonly sentAt: SentAt;
  readonly rows: readonly { readonly seq: Seq; readonly row: Uint8Array }[];
  readonly keyRecord: Uint8Array;
  readonly signingKey: KeyObject;
}): Uint8Array {
  const { keyId, sentAt, rows, keyRecord, signingKey } = parts;
  if (rows.length > MOST_ROWS) throw new DecodeError('decode.overlong', `batch: ${rows.length} of at most ${MOST_ROWS} rows`);
  const listed = rows.map(({ seq, row }) => ({ seq, digest: digestOf(row) }));
  refuseBadList(listed.map(({ seq, digest }) => ({ seq, digest: textOf(digest) })));
  const payload = encodeCbor([keyId, [sentAt.bootId, sentAt.monotonicMs], listed.map(({ seq, digest }) => [seq, digest])]);
  const sign1 = signSign1(payload, externalAadOf(parts), signingKey);
  const message = encodeCbor([keyRecord, sign1, rows.map(({ row }) => row)]);
  if (message.length > LONGEST_BATCH_BYTES)
    throw new DecodeError('decode.overlong', `batch: ${message.length} of at most ${LONGEST_BATCH_BYTES} bytes`);
  return message;
}

export interface BatchParts {
  readonly keyRecord: Uint8Array;
  readonly sign1: Uint8Array;
  readonly rows: readonly Uint8Array[];
}

/** @returns the three parts, bounded but not yet verified; they may be views of `bytes`. @throws DecodeError when it is no batch. */
export const decodeBatch = (bytes: Uint8Array): BatchParts => batchPartsOf(bytes) ?? readBatch(bytes);

/** @returns `undefined` when something is wrong with it. */
function batchPartsOf(bytes: Uint8Array): BatchParts | undefined {
  if (bytes.length > LONGEST_BATCH_BYTES) return undefined;
  const cursor = new CborCursor(bytes);
  cursor.array(3);
  const keyRecord = cursor.bytes(1, LONGEST_KEY_RECORD_BYTES);
  const sign1 = cursor.bytes(1, LONGEST_LIST_BYTES);
  const rows: Uint8Array[] = [];
  for (let left = cursor.array(1, MOST_ROWS); left > 0; left--) rows.push(cursor.bytes(1, LONGEST_ROW_BYTES));
  return cursor.isDone ? { keyRecord, sign1, rows } : undefined;
}

function readBatch(bytes: Uint8Array): BatchParts {
  const [keyRecord, sign1, rows] = readArray(decodeCbor(bytes, 'batch', LONGEST_BATCH_BYTES), 'batch', 3);
  return {
    keyRecord: readBytes(keyRecord, 'batch key record', 1, LONGEST_KEY_RECORD_BYTES),
    sign1: readBytes(sign1, 'batch list', 1, LONGEST_LIST_BYTES),
    rows: readArray(rows, 'batch rows', 1, MOST_ROWS).map((row) => readBytes(row, 'batch row', 1, LONGEST_ROW_BYTES)),
  };
}

/**
 * @param signer.topic the topic that the message came on.
 * @returns the list, when `publicKey`'s holder signed it for this deployment and topic.
 * @throws SealError `seal.signature`; DecodeError when it is no list.
 */
export const verifyBatch = (sign1: Uint8Array, signer: BatchSigner): BatchList => readList(verifySign1(sign1, listBy(signer)));

/** As `verifyBatch`, by whoever `check` asks. */
export const verifyBatchBy = async (check: CheckSignature, sign1: Uint8Array, signer: BatchSigner): Promise<BatchList> =>
  readList(await verifySign1By(check, sign1, listBy(signer)));

interface BatchSigner {
  readonly deployment: DeploymentId;
  readonly topic: string;
  readonly publicKey: KeyObject;
}

const listBy = (signer: BatchSigner) => ({
  externalAad: externalAadOf(signer),
  publicKey: signer.publicKey,
  subject: 'batch list',
  longestBytes: LONGEST_LIST_BYTES,
});

/** @returns the list of one that was verified before. @throws DecodeError when it is no list. */
export const listOf = (sign1: Uint8Array): BatchList => readList(payloadOf(sign1, 'batch list', LONGEST_LIST_BYTES));

function readList(payload: Uint8Array): BatchList {
  const list = batchListOf(payload) ?? readBatchList(payload);
  refuseBadList(list.listed);
  return list;
}

/** @returns `undefined` when something is wrong with it. */
function batchListOf(payload: Uint8Array): BatchList | undefined {
  const cursor = new CborCursor(payload);
  cursor.array(3);
  const keyId = cursor.bytes(8).slice() as KeyId;
  cursor.array(2);
  const bootId = cursor.bytes(16).slice() as BootId;
  const monotonicMs = cursor.integer(0) as MonotonicMillis;
  const listed: ListedRow[] = [];
  for (let left = cursor.array(1, MOST_ROWS); left > 0; left--) {
    cursor.array(2);
    const seq = cursor.integer(1) as Seq;
    listed.push({ seq, digest: cursor.binary(DIGEST_BYTES) });
  }
  return cursor.isDone ? { keyId, sentAt: { bootId, monotonicMs }, listed } : undefined;
}

function readBatchList(payload: Uint8Array): BatchList {
  const [keyId, sentAt, entries] = readArray(decodeCbor(payload, 'batch list', LONGEST_LIST_BYTES), 'batch list', 3);
  const [bootId, monotonicMs] = readArray(sentAt, 'batch sent-at', 2);
  const listed = readArray(entries, 'batch entries', 1, MOST_ROWS).map((entry) => {
    const [seq, digest] = readArray(entry, 'batch entry', 2);
    return {
      seq: readInteger(seq, 'batch sequence number', 1, Number.MAX_SAFE_INTEGER) as Seq,
      digest: textOf(readBytes(digest, 'batch digest', DIGEST_BYTES)),
    };
  });
  return {
    keyId: readBytes(keyId, 'batch key id', 8) as KeyId,
    sentAt: {
      bootId: readBytes(bootId, 'batch boot id', 16) as BootId,
      monotonicMs: readInteger(monotonicMs, 'batch monotonic time', 0, Number.MAX_SAFE_INTEGER) as MonotonicMillis,
    },
    listed,
  };
}

/**
 * @param rows all that the list names, or fewer.
 * @returns each row with its sequence number, in the order of `rows`.
 * @throws SealError `seal.digest` for a row that is not listed, or that comes twice.
 */
export function matchRows(listed: readonly ListedRow[], rows: readonly Uint8Array[]): MatchedRow[] {
  let unmatched: Map<string, Seq> | undefined;
  return rows.map((row, index) => {
    const digest = digestTextOf(row);
    // Rows usually come as listed, and all of them: then none can come twice, since no digest is listed twice.
    const inOrder = unmatched === undefined ? listed[index] : undefined;
    if (inOrder?.digest === digest) return { seq: inOrder.seq, digest, row };
    unmatched ??= new Map(listed.slice(index).map((entry) => [entry.digest, entry.seq]));
    const seq = unmatched.get(digest);
    if (seq === undefined) throw new SealError('seal.digest', `batch: a row that is not among the ${listed.length} listed, or comes twice`);
    unmatched.delete(digest);
    return { seq, digest, row };
  });
}

function refuseBadList(listed: readonly ListedRow[]): void {
  if (listed.length === 0) throw new DecodeError('decode.malformed', 'batch: no rows');
  let last = 0;
  for (const { seq } of listed) {
    if (seq <= last) throw new DecodeError('decode.malformed', 'batch: sequence numbers do not ascend');
    last = seq;
  }
  if (new Set(listed.map(({ digest }) => digest)).size < listed.length)
    throw new DecodeError('decode.malformed', 'batch: a digest is listed twice');
}

const externalAadOf = ({ deployment, topic }: { readonly deployment: DeploymentId; readonly topic: string }): Uint8Array =>
  encodeCbor(['vestibule-batch-1', deployment, topic]);

/** A digest as the key of a map. */
const textOf = (digest: Uint8Array): string => Buffer.from(digest.buffer, digest.byteOffset, digest.length).toString('latin1');
