/** The tables of the outbox, in numbered steps (`user_version`). */
import { randomBytes } from 'node:crypto';
import { StoreError } from '../protocol/errors.ts';
import { isSqlComplaint, openSqlite, type Sqlite } from './sqlite.ts';

const STEPS = [
  // position: seq for rows of this outbox; below 1 for rows salvaged from one that was set aside.
  // next_seq: at least the next one, also when the rows before it are gone. Written where rows are deleted, not where one is appended:
  // an append is to change one page. For the same reason no index holds the unsent rows; only settling fills one.
  // run_ms: how long this kiosk's processes have run in all, which no step of the wall clock touches.
  `CREATE TABLE meta (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     epoch BLOB NOT NULL CHECK (length(epoch) = 8),
     next_seq INTEGER NOT NULL CHECK (next_seq >= 1),
     run_ms INTEGER NOT NULL,
     known_wall_ms INTEGER NOT NULL,
     undated_before INTEGER NOT NULL,
     dropped_unsent INTEGER NOT NULL,
     wal_restarts INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE keys (
     key INTEGER PRIMARY KEY,
     key_id BLOB NOT NULL UNIQUE CHECK (length(key_id) = 8),
     record BLOB NOT NULL
   ) STRICT;
   CREATE TABLE rows (
     position INTEGER PRIMARY KEY,
     key INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     row BLOB NOT NULL,
     appended_at_ms INTEGER,
     appended_run_ms INTEGER NOT NULL,
     settled_run_ms INTEGER
   ) STRICT;
   -- Damaged outboxes whose rows were carried over.
   CREATE TABLE adopted (
     name TEXT PRIMARY KEY
   ) STRICT;
   CREATE INDEX settled ON rows (settled_run_ms) WHERE settled_run_ms IS NOT NULL;`,
  // The last version of what was to be sent again that was carried out.
  'ALTER TABLE meta ADD COLUMN sent_again INTEGER NOT NULL DEFAULT 0;',
];

/**
 * Brings an outbox file to this version; a new one gets its epoch.
 * @throws StoreError store.newer when a later version of Vestibule wrote it; store.corrupt when its pages do not hang together.
 */
export function bringUp(db: Sqlite): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > STEPS.length) throw new StoreError('store.newer', `outbox: version ${version} of at most ${STEPS.length}`);
  const fault = db.pragma('quick_check(1)', { simple: true });
  if (fault !== 'ok') throw new StoreError('store.corrupt', 'outbox: quick_check found damage');
  try {
    if (version < STEPS.length) takeSteps(db, version);
    if (tablesOf(db) === tablesAsMade()) return;
  } catch (error) {
    if (!isSqlComplaint(error)) throw error;
  }
  // One bit in the text of a table makes another column of it, and a page that hangs together as well as before.
  throw new StoreError('store.corrupt', 'outbox: its tables are not those it was made with');
}

function takeSteps(db: Sqlite, version: number): void {
  db.transaction(() => {
    for (const step of STEPS.slice(version)) db.exec(step);
    if (version === 0) {
      const insert = `INSERT INTO meta (id, epoch, next_seq, run_ms, known_wall_ms, undated_before, dropped_unsent, wal_restarts)
        VALUES (1, ?, 1, 0, 0, 0, 0, 0)`;
      db.prepare(insert).run(randomBytes(8));
    }
    db.pragma(`user_version = ${STEPS.length}`);
  }).immediate();
}

const tablesOf = (db: Sqlite): string =>
  JSON.stringify(db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').raw().all());

function tablesAsMade(): string {
  const db = openSqlite(':memory:', { synchronous: 'NORMAL', maxPages: 64 });
  try {
    takeSteps(db, 0);
    return tablesOf(db);
  } finally {
    db.close();
  }
}
