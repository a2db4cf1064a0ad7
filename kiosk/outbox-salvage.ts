/**
 * Reads out of a damaged outbox the unsent rows that can still be read. Whether a row is sound is not
 * judged here: it is sealed, and the gateway quarantines one that does not open.
 */
import { codeOf } from '../protocol/errors.ts';
import type { Seq } from '../protocol/ids.ts';
import { LONGEST_ROW_BYTES } from '../protocol/row.ts';
import type { AdoptedKey, KeptKey, KeyNumber } from './outbox-row.ts';
import { isSqlComplaint, openSqliteForReading, type Sqlite, translated } from './sqlite.ts';

interface Found {
  readonly position: number;
  readonly key: number;
  readonly seq: number;
  readonly row: Uint8Array;
  readonly runMs: number;
}

/** Of a damaged table both ends are read, up to the damage; then what lies between, row by row. */
const FORWARD =
  'SELECT position, key, seq, row, appended_run_ms AS runMs FROM rows NOT INDEXED WHERE position > ? AND settled_run_ms IS NULL ORDER BY position LIMIT 1';
const BACKWARD =
  'SELECT position, key, seq, row, appended_run_ms AS runMs FROM rows NOT INDEXED WHERE position < ? AND settled_run_ms IS NULL ORDER BY position DESC LIMIT 1';
const ONE = 'SELECT position, key, seq, row, appended_run_ms AS runMs FROM rows WHERE position = ? AND settled_run_ms IS NULL';
/** Positions tried one by one: more than an outbox holds, and some seconds at most. */
const MOST_TRIED = 1_000_000;

export interface KeyRecords {
  readonly isSound: (record: Uint8Array) => boolean;
  readonly inMemory: ReadonlyMap<KeyNumber, KeptKey>;
}

/**
 * @param path the damaged file, only read.
 * @param records which key records are sound, and those that the process that wrote the file still has in memory, by their local numbers.
 * Rows under a damaged record could be opened by nobody and are left behind.
 * @returns the keys and rows that can be read, rows of one key in their order; and which damaged ones its rows came from already.
 */
export function salvage(path: string, records: KeyRecords): { readonly keys: AdoptedKey[]; readonly adopted: readonly string[] } {
  const found = readWhatCanBe(path);
  const runMs = found.rows.filter(isRow).reduce((latest, row) => Math.max(latest, row.runMs), found.runMs);
  const byKey = new Map<number, AdoptedKey['rows'][number][]>();
  for (const row of found.rows) {
    if (!isRow(row)) continue;
    const rows = byKey.get(row.key) ?? [];
    rows.push({ seq: row.seq as Seq, row: row.row, ageMs: runMs - row.runMs });
    byKey.set(row.key, rows);
  }
  const keys = [...byKey].flatMap(([key, rows]) => {
    const kept = records.inMemory.get(key) ?? found.keys.get(key);
    return kept === undefined || !records.isSound(kept.record) ? [] : [{ keyId: kept.keyId, record: kept.record, rows }];
  });
  return { keys, adopted: found.adopted };
}

function readWhatCanBe(path: string): { keys: Map<number, KeptKey>; rows: Found[]; adopted: string[]; runMs: number } {
  const keys = new Map<number, KeptKey>();
  const rows = new Map<number, Found>();
  const db = orNothing(path, () => openSqliteForReading(path));
  if (db === undefined) return { keys, rows: [], adopted: [], runMs: 0 };
  orNothing(path, () => {
    for (const key of db.prepare('SELECT key, key_id AS keyId, record FROM keys').iterate() as Iterable<KeptKey & { key: number }>) {
      keys.set(key.key, key);
    }
  });
  const from = walk(db, path, FORWARD, Number.MIN_SAFE_INTEGER, rows);
  const to = walk(db, path, BACKWARD, Number.MAX_SAFE_INTEGER, rows);
  tryBetween(db, path, from, to, rows);
  const adopted = orNothing(path, () => db.prepare('SELECT name FROM adopted').pluck().all() as string[]) ?? [];
  const runMs = orNothing(path, () => db.prepare('SELECT run_ms FROM meta').pluck().get() as number | undefined) ?? 0;
  db.close();
  return { keys, adopted, runMs, rows: [...rows.values()].sort((a, b) => a.position - b.position) };
}

/** A damaged page may give anything; what could be no row of ours would fit into no batch. */
const isRow = ({ seq, row, runMs }: Found): boolean =>
  Number.isSafeInteger(seq) &&
  seq >= 1 &&
  Number.isSafeInteger(runMs) &&
  row instanceof Uint8Array &&
  row.length > 0 &&
  row.length <= LONGEST_ROW_BYTES;

/** @returns how far it came. */
function walk(db: Sqlite, path: string, sql: string, from: number, rows: Map<number, Found>): number {
  let position = from;
  orNothing(path, () => {
    const next = db.prepare(sql);
    for (;;) {
      const row = next.get(position) as Found | undefined;
      if (row === undefined || rows.has(row.position)) return;
      rows.set(row.position, row);
      position = row.position;
    }
  });
  return position;
}

/** A row on a sound page between two damaged ones is found by its position, where the pages above it are sound. */
function tryBetween(db: Sqlite, path: string, from: number, to: number, rows: Map<number, Found>): void {
  if (to - from > MOST_TRIED) return;
  const one = orNothing(path, () => db.prepare(ONE));
  for (let position = from + 1; one !== undefined && position < to; position++) {
    const row = orNothing(path, () => one.get(position) as Found | undefined);
    if (row !== undefined) rows.set(position, row);
  }
}

/** Damage ends a reading; what was read so far counts. A damaged schema makes SQLite say that a table is not there. */
function orNothing<T>(path: string, read: () => T): T | undefined {
  try {
    return translated(path, read);
  } catch (error) {
    if (codeOf(error) === undefined && !isSqlComplaint(error)) throw error;
    return undefined;
  }
}
