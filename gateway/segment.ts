/**
 * One file of the ledger: the entries of a day in their order, encrypted, and dropped whole when retention ends it. It needs no
 * other file to be read.
 */
import type { DoubtEntry, FlagEntry, LedgerEntry, Placement, RowIdentity } from '../core/intake.ts';
import { encodeCbor } from '../protocol/cbor.ts';
import { CborCursor } from '../protocol/cbor-cursor.ts';
import { DecodeError } from '../protocol/errors.ts';
import type { Epoch, KeyId, KioskId } from '../protocol/ids.ts';
import { digestTextOf } from '../protocol/row.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, openDatabase } from './database.ts';
import type { ArrivedBatch } from './ledger.ts';
import type { NotedReading } from './triage.ts';

const STEPS: readonly string[] = [
  `-- Whose batches, where it hung then, and how much of it is in here.
   CREATE TABLE sources (
     source_no INTEGER PRIMARY KEY,
     kiosk TEXT NOT NULL,
     kiosk_public_key BLOB NOT NULL,
     placement TEXT NOT NULL,
     topic TEXT NOT NULL,
     row_count INTEGER NOT NULL DEFAULT 0,
     last_received_at_ms INTEGER NOT NULL DEFAULT 0
   ) STRICT;

   -- Epoch and key id are not known of what an earlier layout kept.
   CREATE TABLE key_records (
     record_no INTEGER PRIMARY KEY,
     record BLOB NOT NULL,
     epoch BLOB,
     key_id BLOB
   ) STRICT;

   -- A batch is one blob of rows, a CBOR array: one of them can be erased and the signature over the rest still verifies. A flag is JSON.
   CREATE TABLE entries (
     position INTEGER PRIMARY KEY,
     received_at_ms INTEGER NOT NULL,
     source_no INTEGER REFERENCES sources (source_no),
     record_no INTEGER REFERENCES key_records (record_no),
     sign1 BLOB,
     rows BLOB,
     -- What triage made of the batch's readings, so that it can be made again without opening a row. JSON.
     readings TEXT,
     flag TEXT
   ) STRICT;`,
  `-- JSON, as a flag.
   ALTER TABLE entries ADD COLUMN doubt TEXT;`,
];

const LONGEST_ROW_BYTES = 65_536;
const MOST_ROWS = 1_024;

interface EntryRow {
  position: number;
  received_at_ms: EpochMillis;
  source_no: number | null;
  record_no: number | null;
  sign1: Uint8Array | null;
  rows: Uint8Array | null;
  readings: string | null;
  flag: string | null;
  doubt: string | null;
}

interface Source {
  readonly kiosk: KioskId;
  readonly kioskPublicKey: Uint8Array;
  readonly placement: Placement;
  readonly topic: string;
}

interface StoredRecord {
  readonly record: Uint8Array;
  readonly epoch: Epoch | undefined;
  readonly keyId: KeyId | undefined;
}

/** What is kept of a batch besides its rows; epoch and key id are not known of what an earlier layout kept. */
export type KeptSource = Omit<ArrivedBatch, 'epoch' | 'keyId'> & Partial<Pick<ArrivedBatch, 'epoch' | 'keyId'>>;

/** An entry as it is needed to make the index again. */
export interface KeptBatch {
  readonly entry: LedgerEntry;
  /** `undefined` for a flag or a doubt, and for what an earlier layout kept. */
  readonly key: { readonly epoch: Epoch; readonly keyId: KeyId } | undefined;
  readonly readings: readonly NotedReading[];
}

export class Segment {
  readonly db: Db;
  readonly #sources = new Map<number, Source>();
  readonly #records = new Map<number, StoredRecord>();
  readonly #sourceNos = new Map<string, number>();
  readonly #recordNos = new Map<string, number>();
  /** Of this transaction: rows that each source brought. */
  readonly #brought = new Map<number, { rows: number; lastMs: EpochMillis }>();

  /** @throws StoreError as openDatabase does. */
  constructor(path: string, key: Uint8Array, isReadOnly = false) {
    this.db = openDatabase({ path, key, steps: STEPS, isReadOnly });
    if (isReadOnly) return;
    this.boundLog(CHECKPOINT_PAGES);
    this.db.pragma(`cache_size = -${CACHE_KIB}`);
  }

  /** The log is moved into the file by the commit that makes it longer than so many pages. */
  boundLog(pages: number): void {
    this.db.pragma(`wal_autocheckpoint = ${pages}`);
  }

  /** The greatest position in it; 0 when it is empty. */
  lastPosition(): number {
    return Number(this.db.prepare('SELECT max(position) FROM entries').pluck().get() ?? 0);
  }

  /** @returns `undefined` when it is empty. */
  first(): { readonly position: number; readonly receivedAtMs: EpochMillis } | undefined {
    return this.db.prepare('SELECT position, received_at_ms AS receivedAtMs FROM entries ORDER BY position LIMIT 1').get() as
      | { position: number; receivedAtMs: EpochMillis }
      | undefined;
  }

  appendBatch(position: number, batch: KeptSource, rows: readonly Uint8Array[], readings: readonly NotedReading[]): void {
    const sourceNo = this.#sourceNo(batch);
    this.db
      .prepare('INSERT INTO entries (position, received_at_ms, source_no, record_no, sign1, rows, readings) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(
        position,
        batch.receivedAtMs,
        sourceNo,
        this.#recordNo(batch),
        batch.sign1,
        encodeCbor(rows),
        readings.length === 0 ? null : JSON.stringify(readings),
      );
    const brought = this.#brought.get(sourceNo) ?? { rows: 0, lastMs: batch.receivedAtMs };
    brought.rows += rows.length;
    if (batch.receivedAtMs > brought.lastMs) brought.lastMs = batch.receivedAtMs;
    this.#brought.set(sourceNo, brought);
  }

  appendFlag(position: number, { reading, ...flag }: Omit<FlagEntry, 'kind' | 'position'>, nowMs: EpochMillis): void {
    const text = JSON.stringify({ ...flag, reading: rowText(reading) });
    this.db.prepare('INSERT INTO entries (position, received_at_ms, flag) VALUES (?, ?, ?)').run(position, nowMs, text);
  }

  appendDoubt(position: number, { row, ...doubt }: Omit<DoubtEntry, 'kind' | 'position'>): void {
    const text = JSON.stringify({ ...doubt, row: rowText(row) });
    this.db.prepare('INSERT INTO entries (position, received_at_ms, doubt) VALUES (?, ?, ?)').run(position, doubt.raisedAtMs, text);
  }

  /** Writes what was counted beside the entries. To be called before each commit. */
  flush(): void {
    for (const [sourceNo, { rows, lastMs }] of this.#brought)
      this.db
        .prepare('UPDATE sources SET row_count = row_count + ?, last_received_at_ms = max(last_received_at_ms, ?) WHERE source_no = ?')
        .run(rows, lastMs, sourceNo);
    this.#brought.clear();
  }

  /** What was numbered since the last commit is not there any more. To be called after each rollback. */
  forget(): void {
    this.#sourceNos.clear();
    this.#recordNos.clear();
    this.#sources.clear();
    this.#records.clear();
    this.#brought.clear();
  }

  /** @param mostBytes of rows; one entry is given even when it alone is longer. @returns those behind `position`, in order. */
  entriesAfter(position: number, mostEntries: number, mostBytes: number): KeptBatch[] {
    const kept: KeptBatch[] = [];
    let bytes = 0;
    const rows = this.db.prepare('SELECT * FROM entries WHERE position > ? ORDER BY position LIMIT ?').iterate(position, mostEntries);
    for (const row of rows as IterableIterator<EntryRow>) {
      bytes += row.rows?.length ?? 0;
      if (kept.length > 0 && bytes > mostBytes) break;
      kept.push(this.#keptOf(row));
    }
    return kept;
  }

  /** Puts fewer rows in the place of a batch's. @returns false when no such batch is in here. */
  replaceRows(position: number, rows: readonly Uint8Array[], readings: readonly NotedReading[]): boolean {
    const find = 'SELECT source_no AS sourceNo, rows FROM entries WHERE position = ? AND rows IS NOT NULL';
    return this.db.transact(() => {
      const found = this.db.prepare(find).get(position) as { sourceNo: number; rows: Uint8Array } | undefined;
      if (found === undefined) return false;
      const gone = rowsOf(found.rows).length - rows.length;
      this.db
        .prepare('UPDATE entries SET rows = ?, readings = ? WHERE position = ?')
        .run(encodeCbor(rows), readings.length === 0 ? null : JSON.stringify(readings), position);
      this.db.prepare('UPDATE sources SET row_count = row_count - ? WHERE source_no = ?').run(gone, found.sourceNo);
      return true;
    });
  }

  /** Of each kiosk: how many rows of it are in here, and when the last came. */
  totals(): { readonly kiosk: KioskId; readonly rows: number; readonly lastReceivedAtMs: EpochMillis }[] {
    return this.db
      .prepare('SELECT kiosk, sum(row_count) AS rows, max(last_received_at_ms) AS lastReceivedAtMs FROM sources GROUP BY kiosk')
      .all() as ReturnType<Segment['totals']>;
  }

  close(): void {
    this.db.close();
  }

  #keptOf(row: EntryRow): KeptBatch {
    const { position, received_at_ms: receivedAtMs } = row;
    if (row.flag !== null) {
      const { reading, ...flag } = JSON.parse(row.flag) as Omit<FlagEntry, 'reading'> & { reading: RowText };
      return { entry: { ...flag, kind: 'flag', position, reading: rowOf(reading) }, key: undefined, readings: [] };
    }
    if (row.doubt !== null) {
      const { row: about, ...doubt } = JSON.parse(row.doubt) as Omit<DoubtEntry, 'row'> & { row: RowText };
      return { entry: { ...doubt, kind: 'doubt', position, row: rowOf(about) }, key: undefined, readings: [] };
    }
    const source = this.#sourceOf(row.source_no ?? 0);
    const { record, epoch, keyId } = this.#recordOf(row.record_no ?? 0);
    return {
      entry: {
        kind: 'batch',
        position,
        ...source,
        keyRecord: record,
        sign1: new Uint8Array(row.sign1 ?? []),
        rows: rowsOf(row.rows ?? new Uint8Array()),
        receivedAtMs,
      },
      key: epoch === undefined || keyId === undefined ? undefined : { epoch, keyId },
      readings: row.readings === null ? [] : (JSON.parse(row.readings) as NotedReading[]),
    };
  }

  #sourceOf(no: number): Source {
    const known = this.#sources.get(no);
    if (known !== undefined) return known;
    const row = this.db.prepare('SELECT * FROM sources WHERE source_no = ?').get(no) as {
      kiosk: KioskId;
      kiosk_public_key: Uint8Array;
      placement: string;
      topic: string;
    };
    const { kiosk, topic } = row;
    const source = {
      kiosk,
      kioskPublicKey: new Uint8Array(row.kiosk_public_key),
      // Kept before lingering could be told, it has none.
      placement: { lingeringMs: 0, ...(JSON.parse(row.placement) as Partial<Placement>) } as Placement,
      topic,
    };
    return remember(this.#sources, no, source);
  }

  #recordOf(no: number): StoredRecord {
    const known = this.#records.get(no);
    if (known !== undefined) return known;
    const row = this.db.prepare('SELECT record, epoch, key_id FROM key_records WHERE record_no = ?').get(no) as {
      record: Uint8Array;
      epoch: Uint8Array | null;
      key_id: Uint8Array | null;
    };
    return remember(this.#records, no, {
      record: new Uint8Array(row.record),
      epoch: row.epoch === null ? undefined : (new Uint8Array(row.epoch) as Epoch),
      keyId: row.key_id === null ? undefined : (new Uint8Array(row.key_id) as KeyId),
    });
  }

  #sourceNo({ kiosk, kioskPublicKey, placement, topic }: Source): number {
    const placed = JSON.stringify(placement);
    const name = `${kiosk} ${topic} ${Buffer.from(kioskPublicKey).toString('base64')} ${placed}`;
    const known = this.#sourceNos.get(name);
    if (known !== undefined) return known;
    const found = this.db
      .prepare('SELECT source_no FROM sources WHERE kiosk = ? AND kiosk_public_key = ? AND placement = ? AND topic = ?')
      .pluck()
      .get(kiosk, kioskPublicKey, placed, topic) as number | undefined;
    const insert = 'INSERT INTO sources (kiosk, kiosk_public_key, placement, topic) VALUES (?, ?, ?, ?)';
    const no = found ?? Number(this.db.prepare(insert).run(kiosk, kioskPublicKey, placed, topic).lastInsertRowid);
    return remember(this.#sourceNos, name, no);
  }

  #recordNo({ kiosk, keyRecord, epoch, keyId }: KeptSource): number {
    const name = `${kiosk} ${digestTextOf(keyRecord)}`;
    const known = this.#recordNos.get(name);
    if (known !== undefined) return known;
    // After a restart the same record is kept once more: a look-up by its content would need an index for nothing else.
    const insert = 'INSERT INTO key_records (record, epoch, key_id) VALUES (?, ?, ?)';
    return remember(this.#recordNos, name, Number(this.db.prepare(insert).run(keyRecord, epoch ?? null, keyId ?? null).lastInsertRowid));
  }
}

/** @returns the rows of a batch as views. @throws DecodeError when they are not what was written. */
function rowsOf(bytes: Uint8Array): Uint8Array[] {
  const cursor = new CborCursor(bytes);
  const rows = Array.from({ length: cursor.array(0, MOST_ROWS) }, () => cursor.bytes(1, LONGEST_ROW_BYTES));
  if (!cursor.isDone) throw new DecodeError('decode.malformed', 'ledger rows: not an array of rows');
  return rows;
}

/** A row's name in JSON: the key id in hex. */
type RowText = Omit<RowIdentity, 'keyId'> & { readonly keyId: string };
const rowText = (row: RowIdentity): RowText => ({ ...row, keyId: Buffer.from(row.keyId).toString('hex') });
const rowOf = (row: RowText): RowIdentity => ({ ...row, keyId: new Uint8Array(Buffer.from(row.keyId, 'hex')) as KeyId });

/** At full load a log of 4 MiB, the default, is full three times a second, and each time it is synced twice. */
const CHECKPOINT_PAGES = 4_000;
/** So that what was just committed is forwarded without being read from the log and decrypted. */
const CACHE_KIB = 16_384;
/** Of numbers and records remembered: more kiosks than one gateway has. */
const MOST_REMEMBERED = 20_000;

function remember<Key, Value>(known: Map<Key, Value>, name: Key, value: Value): Value {
  if (known.size >= MOST_REMEMBERED) known.clear();
  known.set(name, value);
  return value;
}
