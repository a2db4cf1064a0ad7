/**
 * Counts what arrived without the product's own counting: the ledger's rows read by SQL and opened with the gateway's key, the
 * core's scans read by SQL from its day files. Gateway and kiosk must be stopped.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { readCoreKeys } from '../../core/keys.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { verifyBatch } from '../../protocol/batch.ts';
import { decodeCbor } from '../../protocol/cbor.ts';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import type { VestibuleEvent } from '../../protocol/event.ts';
import type { DeploymentId, KioskId } from '../../protocol/ids.ts';
import { openContentKey, verifyKeyRecord } from '../../protocol/key-record.ts';
import { digestTextOf, openRow } from '../../protocol/row.ts';

export interface LedgerRow {
  /** Names one row for ever; see `rowName`. */
  readonly name: string;
  readonly event: VestibuleEvent;
  /** Content key id and IV: must never come twice. */
  readonly nonce: string;
}

export interface RoadAudit {
  readonly rows: readonly LedgerRow[];
  readonly flags: readonly { readonly state: string }[];
  readonly quarantined: number;
  /** Scans (check-ins and check-outs) in the core, by row name, each with its card's pseudonym and where in time it was placed. */
  readonly scans: readonly { readonly name: string; readonly card: string; readonly atMs: number; readonly uncertaintyMs: number }[];
  readonly readings: readonly { readonly name: string }[];
  /** States of the flags that reached the core. */
  readonly coreFlags: readonly string[];
}

export const rowName = (kiosk: string, keyId: Uint8Array | string, seq: number): string =>
  `${kiosk}/${typeof keyId === 'string' ? keyId : Buffer.from(keyId).toString('hex')}/${seq}`;

/** @param data a data directory as `vestibule gateway run --data` keeps it. */
export async function auditRoad(data: string): Promise<RoadAudit> {
  return { ...(await auditLedger(join(data, 'gateway'))), ...(await auditCore(join(data, 'core'))) };
}

async function auditLedger(dir: string): Promise<Pick<RoadAudit, 'rows' | 'flags' | 'quarantined'>> {
  const { deployment, holders, storeKey } = await openIdentity(dir);
  const db = openEncrypted(join(dir, 'gateway.db'), storeKey);
  const batches = readdirSync(join(dir, 'ledger'))
    .filter((name) => name.endsWith('.db'))
    .toSorted()
    .flatMap((name) => batchesIn(join(dir, 'ledger', name), storeKey));
  const rows: LedgerRow[] = [];
  for (const batch of batches) {
    const publicKey = publicKeyFromRaw(batch.kiosk_public_key);
    const record = verifyKeyRecord(batch.record, { deployment, kiosk: batch.kiosk, publicKey });
    const contentKey = await openContentKey(record, { deployment, kiosk: batch.kiosk }, holders);
    const { listed } = verifyBatch(batch.sign1, { deployment, topic: batch.topic, publicKey });
    for (const row of decodeCbor(batch.rows, 'rows', 131_072) as Uint8Array[]) {
      const digest = digestTextOf(row);
      const seq = listed.find((entry) => entry.digest === digest)?.seq;
      if (seq === undefined) throw new Error('a row that its batch does not list');
      const place = { deployment: deployment as DeploymentId, kiosk: batch.kiosk, epoch: record.epoch, keyId: record.keyId, seq };
      const keyId = Buffer.from(record.keyId).toString('hex');
      rows.push({ name: rowName(batch.kiosk, keyId, seq), event: openRow(row, place, contentKey), nonce: `${keyId}/${nonceOf(row)}` });
    }
  }
  const flags = db.prepare("SELECT state FROM flags WHERE state <> 'cleared'").all() as { state: string }[];
  const quarantined = db.prepare('SELECT count(*) FROM quarantine').pluck().get() as number;
  db.close();
  return { rows, flags, quarantined };
}

interface KeptBatch {
  kiosk: KioskId;
  kiosk_public_key: Buffer;
  topic: string;
  sign1: Buffer;
  record: Buffer;
  rows: Buffer;
}

function batchesIn(path: string, key: Uint8Array): KeptBatch[] {
  const db = openEncrypted(path, key);
  const sql =
    'SELECT kiosk, kiosk_public_key, topic, sign1, record, rows FROM entries JOIN sources USING (source_no) JOIN key_records USING (record_no)';
  const batches = db.prepare(`${sql} ORDER BY position`).all() as KeptBatch[];
  db.close();
  return batches;
}

async function auditCore(dir: string): Promise<Pick<RoadAudit, 'scans' | 'readings' | 'coreFlags'>> {
  const keys = await readCoreKeys(join(dir, 'keys'));
  const db = openEncrypted(join(dir, 'core.db'), keys.storeKey);
  const streams = new Map(
    (db.prepare('SELECT id, kiosk, key_id FROM stream').all() as { id: number; kiosk: string; key_id: Buffer }[]).map((stream) => [
      stream.id,
      stream,
    ]),
  );
  const days = db.prepare('SELECT day, key FROM day WHERE is_made = 1').all() as { day: string; key: Buffer }[];
  const coreFlags = db.prepare("SELECT state FROM flag WHERE state <> 'cleared'").pluck().all() as string[];
  db.close();
  const nameOf = ({ stream, seq }: { stream: number; seq: number }): string => {
    const { kiosk, key_id } = streams.get(stream) ?? { kiosk: '?', key_id: Buffer.alloc(0) };
    return rowName(kiosk, key_id, seq);
  };
  const scans: { name: string; card: string; atMs: number; uncertaintyMs: number }[] = [];
  const readings: { name: string }[] = [];
  for (const { day, key } of days) {
    const file = openEncrypted(join(dir, 'days', `${day}.db`), key);
    const runs = file.prepare('SELECT scans FROM run WHERE id > (SELECT last_run FROM columns)').pluck().all() as Buffer[];
    const shelves = file.prepare('SELECT scans FROM shelf WHERE id / 65536 = (SELECT generation FROM columns)').pluck().all() as Buffer[];
    for (const { isReading, stream, seq, ...scan } of [...runs, ...shelves].flatMap(scansIn)) {
      const name = nameOf({ stream, seq });
      if (isReading) readings.push({ name });
      else scans.push({ name, ...scan });
    }
    file.close();
  }
  return { scans, readings, coreFlags };
}

const SCAN_BYTES = 54;
const READING = 2;

/** Scans in columns, as core/scan-columns.ts draws them; read here anew, number by number. */
function scansIn(bytes: Buffer) {
  const count = bytes.length / SCAN_BYTES;
  if (!Number.isInteger(count)) throw new Error('scans that are cut');
  return Array.from({ length: count }, (_, index) => ({
    seq: bytes.readDoubleLE(index * 8),
    atMs: bytes.readDoubleLE(count * 8 + index * 8),
    stream: bytes.readUInt32LE(count * 16 + index * 4),
    uncertaintyMs: bytes.readUInt32LE(count * 24 + index * 4),
    isReading: bytes[count * 36 + index] === READING,
    card: bytes.toString('hex', count * 38 + index * 16, count * 38 + index * 16 + 16),
  }));
}

/** The IV in the protected header of a COSE_Encrypt0 (RFC 9052, section 5.2: label 5). */
export function nonceOf(row: Uint8Array): string {
  const [header] = decodeCbor(row, 'row', 2_048) as [Uint8Array];
  const iv = (decodeCbor(header, 'row header', 2_048) as Map<number, Uint8Array>).get(5);
  if (iv === undefined) throw new Error('a row without IV');
  return Buffer.from(iv).toString('hex');
}

function openEncrypted(path: string, key: Uint8Array): Database.Database {
  const db = new Database(path, { readonly: true });
  db.pragma("cipher = 'aegis'");
  db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
  return db;
}
