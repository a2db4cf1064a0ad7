/** The longer questions that the outbox asks of its tables, what comes back, and what it does seldom. */
import type { Seq } from '../protocol/ids.ts';
import type { AdoptedKey, KeyNumber } from './outbox-row.ts';
import type { Sqlite } from './sqlite.ts';

export interface OldestRow {
  readonly position: number;
  readonly runMs: number;
}

/** How far some settled rows were looked at, and how many of them were wanted. */
export interface LookedAt {
  readonly at: number;
  readonly rows: number;
}

export interface Gone {
  readonly key: KeyNumber;
  /** 1 or 0. */
  readonly isUnsent: number;
}

export const INSERT_ROW = 'INSERT INTO rows (position, key, seq, row, appended_at_ms, appended_run_ms) VALUES (?, ?, ?, ?, ?, ?)';

export const KEY_OF = 'SELECT key_id AS keyId, record FROM keys WHERE key = ?';
export const UNSENT_AFTER =
  'SELECT position, key, seq, row FROM rows WHERE settled_run_ms IS NULL AND position > ? ORDER BY position LIMIT ?';

interface KeyRows {
  readonly key: KeyNumber;
  readonly rows: number;
  readonly settled: number;
}

const ROWS_BY_KEY = 'SELECT key, count(*) AS rows, count(settled_run_ms) AS settled FROM rows GROUP BY key';

/** What an outbox counts on in RAM, as its tables have it. */
export function countedIn(db: Sqlite) {
  const keys = db.prepare('SELECT key FROM keys').pluck().all() as KeyNumber[];
  const rowsOf = new Map(keys.map((key) => [key, 0]));
  let [unsent, settled] = [0, 0];
  for (const found of db.prepare(ROWS_BY_KEY).all() as KeyRows[]) {
    rowsOf.set(found.key, found.rows);
    settled += found.settled;
    unsent += found.rows - found.settled;
  }
  const newest = (db.prepare('SELECT max(position) FROM rows').pluck().get() as number | null) ?? 0;
  const written = db.prepare('SELECT next_seq FROM meta').pluck().get() as number;
  return { rowsOf, unsent, settled, nextSeq: Math.max(written, newest + 1) as Seq };
}

/** Puts rows of damaged outboxes before all that there are. @param runMs the running time by now. */
export function adoptInto(db: Sqlite, names: readonly string[], keys: readonly AdoptedKey[], runMs: number): void {
  const first = (db.prepare('SELECT min(position) FROM rows').pluck().get() as number | null) ?? 0;
  let position = Math.min(0, first) - keys.reduce((sum, { rows }) => sum + rows.length, 0);
  const insert = db.prepare(INSERT_ROW);
  for (const { keyId, record, rows } of keys) {
    db.prepare('INSERT OR IGNORE INTO keys (key_id, record) VALUES (?, ?)').run(keyId, record);
    const key = db.prepare('SELECT key FROM keys WHERE key_id = ?').pluck().get(keyId) as KeyNumber;
    for (const { seq, row, ageMs } of rows) {
      insert.run(position, key, seq, row, null, runMs - ageMs);
      position += 1;
    }
  }
  for (const name of names) db.prepare('INSERT OR IGNORE INTO adopted (name) VALUES (?)').run(name);
}

/** What two connections promise by. */
export interface Durability {
  readonly journal: string;
  readonly synchronous: number;
  readonly keeperSynchronous: number;
  readonly autoCheckpoint: number;
  readonly maxPages: number;
}

export function durabilityOf(appender: Sqlite, keeper: Sqlite): Durability {
  const of = (db: Sqlite, name: string) => db.pragma(name, { simple: true });
  return {
    journal: of(appender, 'journal_mode') as string,
    synchronous: of(appender, 'synchronous') as number,
    keeperSynchronous: of(keeper, 'synchronous') as number,
    autoCheckpoint: (of(appender, 'wal_autocheckpoint') as number) + (of(keeper, 'wal_autocheckpoint') as number),
    maxPages: of(appender, 'max_page_count') as number,
  };
}

export const OLDEST_UNSENT = `SELECT position, appended_run_ms AS runMs FROM rows
  WHERE position >= ? AND settled_run_ms IS NULL ORDER BY position LIMIT 1`;
/** Ages ascend with the position, so that looking at the oldest is enough. */
export const OVERDUE = `SELECT position FROM
  (SELECT position, appended_run_ms, appended_at_ms FROM rows WHERE position >= ? AND settled_run_ms IS NULL ORDER BY position LIMIT ?)
  WHERE appended_run_ms < ? OR (appended_at_ms < ? AND position >= (SELECT undated_before FROM meta))`;
export const SETTLED_BEFORE = 'SELECT position FROM rows WHERE settled_run_ms < ? ORDER BY settled_run_ms LIMIT ?';
export const SETTLED_BEHIND =
  'SELECT position, key, seq, row FROM rows WHERE settled_run_ms IS NOT NULL AND position > ? ORDER BY position LIMIT ?';
/** How long it has run: with whatever goes, and every quarter of an hour: flash wears by the page, and what a power cut takes of it only keeps rows longer. */
export const WRITE_RUN = 'UPDATE meta SET run_ms = ? WHERE run_ms <= ? - 900000';
/** A page only where rows came since. */
export const WRITE_NEXT = 'UPDATE meta SET next_seq = ? WHERE next_seq < ?';
