/**
 * Opens the gateway's encrypted SQLite files and says whose turn it is when one fails. The only importer of better-sqlite3 here.
 * Cipher: AEGIS-256, authenticated per page (docs/decisions/0010-ledger.md has the measurement).
 * Source: SQLite3 Multiple Ciphers, "AEGIS: authenticated encryption"; sqlite.org/rescode.html.
 */
import Database from 'better-sqlite3';
import { makePrivateDatabase } from '../disk/private-database.ts';
import { ConfigError, StoreError } from '../protocol/errors.ts';

/** One open file. */
export class Db {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();
  /** Made once: making one for each transaction takes longer than beginning and committing it. */
  readonly #run: Database.Transaction<(work: () => unknown) => unknown>;
  #isSyncing = true;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#run = db.transaction((work: () => unknown) => work());
  }

  /** @param sql a constant, values as `?`: each text is compiled once and kept. */
  prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs `work` in a transaction that takes the write lock at once; inside another one, as a part of it that can fail alone. */
  transact<T>(work: () => T): T {
    return this.#run.immediate(work) as T;
  }

  /** Begins a transaction that takes the write lock at once, for one that has to end in step with another file's. */
  begin(): void {
    this.prepare('BEGIN IMMEDIATE').run();
  }

  commit(): void {
    this.prepare('COMMIT').run();
  }

  /** Ends the transaction that is open, if there is one. */
  rollback(): void {
    if (this.#db.inTransaction) this.prepare('ROLLBACK').run();
  }

  /** Whether each commit is synced; they are, unless somebody says otherwise. Not inside a transaction. */
  setSyncing(isSyncing: boolean): void {
    if (isSyncing === this.#isSyncing) return;
    // No `pragma`: it makes a statement each time, and thousands of those are ended by V8's collector in one pause that every PUBACK waits for.
    this.#db.exec(`PRAGMA synchronous = ${isSyncing ? 'FULL' : 'NORMAL'}`);
    this.#isSyncing = isSyncing;
  }

  /** As `transact`, for what may be taken back by a power cut: no sync of its own. Not inside another transaction. */
  transactUnsynced<T>(work: () => T): T {
    this.setSyncing(false);
    try {
      return this.transact(work);
    } finally {
      this.setSyncing(true);
    }
  }

  pragma(pragma: string): unknown {
    return this.#db.pragma(pragma, { simple: true });
  }

  close(): void {
    this.#db.close();
  }
}

export interface OpenDatabase {
  readonly path: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Step n brings `user_version` from n to n + 1. */
  readonly steps: readonly string[];
  /** A reader changes nothing and waits for nobody. */
  readonly isReadOnly?: boolean;
}

/**
 * A statement that waits blocks every kiosk, so that a busy file is better answered late than waited for:
 * the batch is withheld and tried again. Only a command on this machine ever holds the lock, and for milliseconds.
 */
const BUSY_WAIT_MS = 250;

/**
 * Opens or makes one encrypted file. Afterwards it is in WAL with every commit synced, and of the newest layout.
 * @throws StoreError `store.wrong_key`, `store.newer` (made by a later version), `store.read_only`, `store.corrupt`, `store.busy`, `store.failed`.
 */
export function openDatabase({ path, key, steps, isReadOnly = false }: OpenDatabase): Db {
  return translating(path, () => {
    if (!isReadOnly) makePrivateDatabase(path);
    const db = new Database(path, { readonly: isReadOnly, timeout: BUSY_WAIT_MS });
    try {
      db.pragma("cipher = 'aegis'");
      db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
      if (!isReadOnly) setDurable(db, path);
      migrate(db, path, steps, isReadOnly);
      return new Db(db);
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/**
 * Writes the database as it is at one moment into a new file, under the same key; whoever writes to it goes on meanwhile.
 * @param to not there yet. @throws StoreError as openDatabase does, and `store.disk_full`.
 */
export function copyDatabase(path: string, key: Uint8Array, to: string): void {
  translating(path, () => {
    const db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_WAIT_MS });
    try {
      db.pragma("cipher = 'aegis'");
      db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
      makePrivateDatabase(to);
      db.prepare('VACUUM INTO ?').run(to);
    } finally {
      db.close();
    }
  });
}

/**
 * Moves the write-ahead log into the file and cuts it to nothing, so that what was deleted lies nowhere.
 * @throws StoreError `store.busy` while somebody else reads: to be tried again.
 */
export function emptyLog(db: Db, subject: string): void {
  const busy = translating(subject, () => db.pragma('wal_checkpoint(TRUNCATE)'));
  if (busy !== 0) throw new StoreError('store.busy', `${subject}: somebody reads its write-ahead log`);
}

/** @property frames in the log. @property isWhole all of them are in the file: the next commit starts the log anew. */
export interface LogState {
  readonly frames: number;
  readonly isWhole: boolean;
}

/**
 * How often at the most it is done again for what was committed meanwhile. Each time that is less; a log that is never caught up with is never
 * begun anew (sqlite.org/wal.html, "Avoiding Excessively Large WAL Files").
 */
const MOST_ROUNDS = 8;

/**
 * Moves the write-ahead log of a file that another connection of this process writes into the file, without making it wait.
 * Both are synced: the log before the file is written, the file before the log may be begun anew.
 * @throws StoreError as openDatabase does, and `store.disk_full`; `store.failed` where there is no such file.
 */
export function checkpointDatabase(path: string, key: Uint8Array): LogState {
  return translating(path, () => {
    const db = new Database(path, { fileMustExist: true, timeout: BUSY_WAIT_MS });
    try {
      db.pragma("cipher = 'aegis'");
      db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
      setDurable(db, path);
      let before = -1;
      for (let round = 1; ; round++) {
        const [state] = db.pragma('wal_checkpoint(PASSIVE)') as { log: number; checkpointed: number }[];
        const { log = 0, checkpointed = 0 } = state ?? {};
        // Counted is what was there when it began: only where nothing more went in, nothing came meanwhile.
        if (checkpointed === before || round === MOST_ROUNDS)
          return { frames: Math.max(0, log), isWhole: checkpointed === before && checkpointed === log && log >= 0 };
        before = checkpointed;
      }
    } finally {
      db.close();
    }
  });
}

function setDurable(db: Database.Database, path: string): void {
  const mode = db.pragma('journal_mode = WAL', { simple: true });
  // better-sqlite3 is built with WAL_SYNCHRONOUS=1 (NORMAL): a power cut could then take back what a PUBACK has promised.
  db.pragma('synchronous = FULL');
  const synchronous = db.pragma('synchronous', { simple: true });
  if (mode !== 'wal' || synchronous !== 2)
    throw new StoreError('store.failed', `${path}: journal ${String(mode)}, synchronous ${String(synchronous)} of wal, 2`);
  db.pragma('foreign_keys = ON');
  // What is pruned or erased must not lie on in free pages, where FAST would leave it.
  db.pragma('secure_delete = ON');
}

function migrate(db: Database.Database, path: string, steps: readonly string[], isReadOnly: boolean): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version > steps.length) throw new StoreError('store.newer', `${path}: layout ${version} of at most ${steps.length}`);
  if (isReadOnly && version < steps.length)
    throw new StoreError('store.failed', `${path}: layout ${version} of ${steps.length}, not yet brought up`);
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    db.transaction(() => {
      db.exec(step);
      db.pragma(`user_version = ${index + 1}`);
    }).immediate();
  }
}

/**
 * @returns the StoreError for a failure of the store itself; `undefined` for anything else (a broken constraint is a bug of ours,
 * not the disk's turn). An ExpectedError passed in comes back when it is a StoreError.
 */
export function storeErrorOf(error: unknown, subject: string): StoreError | undefined {
  if (error instanceof StoreError) return error;
  if (!(error instanceof Database.SqliteError)) return undefined;
  const reason = error.code.replace(/^SQLITE_/, '');
  const code = CODES.find(([prefix]) => reason === prefix || reason.startsWith(`${prefix}_`))?.[1];
  return code && new StoreError(code, `${subject}: ${error.code}`, { cause: error });
}

const CODES = [
  ['FULL', 'store.disk_full'],
  ['READONLY', 'store.read_only'],
  ['BUSY', 'store.busy'],
  ['LOCKED', 'store.busy'],
  ['CORRUPT', 'store.corrupt'],
  // A file that is no database under this key: the key is another one, or the first page is gone.
  ['NOTADB', 'store.wrong_key'],
  ['IOERR', 'store.failed'],
  ['CANTOPEN', 'store.failed'],
  ['PERM', 'store.failed'],
  ['AUTH', 'store.failed'],
] as const;

/** Runs `read` and gives its failures their code. @throws StoreError as storeErrorOf says; a bug as it is. */
export function translating<T>(subject: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw storeErrorOf(error, subject) ?? error;
  }
}

/**
 * Holds a lock that ends with the process however it ends: an open exclusive transaction on an empty file.
 * @returns lets go. @throws ConfigError `config.locked` when another process holds it.
 */
export function holdLock(path: string): () => void {
  makePrivateDatabase(path);
  const db = new Database(path, { timeout: BUSY_WAIT_MS });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    if (storeErrorOf(cause, path)?.code !== 'store.busy') throw storeErrorOf(cause, path) ?? cause;
    throw new ConfigError('config.locked', `${path}: another gateway runs on this directory`, { cause });
  }
  return () => db.close();
}
