/**
 * Opens the core's encrypted files, and the only file of this room that imports SQLite: its errors leave here as StoreError.
 *
 * Cipher: AEGIS-256 by page (SQLite3 Multiple Ciphers), authenticated, so that an altered page is an error and never a wrong answer.
 * Keys are raw: 32 random bytes, with no passphrase to derive from.
 */
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { makePrivateDatabase } from '../disk/private-database.ts';
import { type ErrorCode, StoreError } from '../protocol/errors.ts';

export type Db = Database.Database;
export type Statement = Database.Statement<unknown[]>;

export interface OpenOptions {
  /** Names the file in errors: never a path with a person's name, as the operator chose the directory. */
  readonly subject: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Step n brings a file of version n (`user_version`) to n + 1. */
  readonly schema: readonly string[];
  /** A reader changes nothing and needs the file to be there; it may be open beside a writer of another process. */
  readonly mode: 'write' | 'read';
  /** What a file means that does not open under its key: the key itself is in doubt, or only the file. */
  readonly ifUnreadable: 'store.wrong_key' | 'store.corrupt';
  /** Pages of write-ahead log before they are moved into the file; SQLite's own 1,000 when not given. */
  readonly walAutocheckpointPages?: number;
}

/** How long a statement waits for another process's short transaction. */
const BUSY_WAIT_MS = 5_000;
/** Of each open file; SQLite would take 16 MB, and two dozen days may be open. A file that is written to takes more by `widenCache`. */
const CACHE_KIB = 4_096;

/**
 * @returns an open file at the schema's last version; each commit is synced before it returns.
 * @throws StoreError `store.wrong_key` or `store.corrupt` as `ifUnreadable` says, `store.newer` for a later version's file,
 * and what `inStore` throws.
 */
export function openEncrypted(path: string, options: OpenOptions): Db {
  const isWriter = options.mode === 'write';
  return inStore(options.subject, () => {
    if (isWriter) makePrivateDatabase(path);
    else if (!existsSync(path)) throw new StoreError('store.failed', `${options.subject}: is not there`);
    const db = new Database(path, { readonly: !isWriter, fileMustExist: true, timeout: BUSY_WAIT_MS });
    try {
      db.pragma(`cipher = 'aegis'`);
      db.pragma(`key = "x'${Buffer.from(options.key).toString('hex')}'"`);
      unlock(db, options);
      if (isWriter) db.pragma('journal_mode = WAL');
      // Built with WAL_SYNCHRONOUS=1: in WAL mode SQLite would fall back to NORMAL, and a power cut lose the last commits.
      db.pragma('synchronous = FULL');
      db.pragma('secure_delete = ON');
      db.pragma('temp_store = MEMORY');
      db.pragma(`cache_size = -${CACHE_KIB}`);
      if (options.walAutocheckpointPages !== undefined) db.pragma(`wal_autocheckpoint = ${options.walAutocheckpointPages}`);
      upgrade(db, options);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/**
 * Writes the database as it is at one moment into a new file, under the same key; whoever writes to it goes on meanwhile.
 * @param to not there yet. @throws as openEncrypted.
 */
export function copyEncrypted(
  path: string,
  { subject, key, ifUnreadable }: Pick<OpenOptions, 'subject' | 'key' | 'ifUnreadable'>,
  to: string,
): void {
  inStore(subject, () => {
    const db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_WAIT_MS });
    try {
      db.pragma(`cipher = 'aegis'`);
      db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
      unlock(db, { subject, ifUnreadable });
      db.prepare('VACUUM INTO ?').run(to);
    } finally {
      db.close();
    }
  });
}

/**
 * Moves the write-ahead log into the file and cuts it to nothing, so that what was deleted lies nowhere.
 * @throws StoreError `store.busy` when a reader in another process holds the log: to be tried again.
 */
export function emptyLog(db: Db, subject: string): void {
  const [result] = inStore(subject, () => db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]);
  if (result?.busy !== 0) throw new StoreError('store.busy', `${subject}: somebody reads its write-ahead log`);
}

const statements = new WeakMap<Db, Map<string, Statement>>();

/**
 * For what is asked with each entry: compiled once for each open file and kept. A statement that is thrown away is ended by V8's collector,
 * thousands of them in one pause that every PUBACK waits for.
 * @param sql a constant; used with one of `pluck`, `raw` and neither, as a statement stays what it was made. @throws what `prepare` does.
 */
export function prepared(db: Db, sql: string): Statement {
  const held = statements.get(db) ?? new Map<string, Statement>();
  statements.set(db, held);
  const statement = held.get(sql) ?? db.prepare(sql);
  held.set(sql, statement);
  return statement;
}

/**
 * Runs a transaction that a power cut may take back, whole, without waiting for the disk: the next one of another kind brings it there, too.
 * @throws as inStore.
 */
export function withoutSync(db: Db, subject: string, run: () => void): void {
  inStore(subject, () => {
    db.exec('PRAGMA synchronous = NORMAL');
    try {
      db.transaction(run)();
    } finally {
      db.exec('PRAGMA synchronous = FULL');
    }
  });
}

/** Moves the write-ahead log into the file as far as no reader needs it, so that no later commit has to move much at once. @throws as inStore. */
export function moveLog(db: Db, subject: string): void {
  inStore(subject, () => db.pragma('wal_checkpoint(PASSIVE)'));
}

/** Gives a file that many rows go into 16 MB of cache: with less, its random index pages are read and decrypted again and again. */
export function widenCache(db: Db): void {
  db.pragma('cache_size = -16384');
}

/** The first read is where a wrong key shows. */
function unlock(db: Db, { subject, ifUnreadable }: Pick<OpenOptions, 'subject' | 'ifUnreadable'>): void {
  try {
    db.pragma('user_version', { simple: true });
  } catch (cause) {
    if (sqliteCodeOf(cause) !== 'SQLITE_NOTADB') throw cause;
    throw new StoreError(ifUnreadable, `${subject}: does not open under its key`, { cause });
  }
}

function upgrade(db: Db, { subject, schema, mode }: OpenOptions): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version > schema.length) throw new StoreError('store.newer', `${subject}: version ${version} of at most ${schema.length}`);
  if (version === schema.length) return;
  if (mode === 'read')
    throw new StoreError('store.failed', `${subject}: version ${version} of ${schema.length}, and only a writer upgrades`);
  db.transaction(() => {
    for (const step of schema.slice(version)) db.exec(step);
    db.pragma(`user_version = ${schema.length}`);
  })();
}

/**
 * Runs something that touches a store.
 * @throws StoreError `store.disk_full`, `store.read_only`, `store.corrupt`, `store.busy` or `store.failed` for what a disk, a file or
 * another process did; anything else is a bug and comes through as it is.
 */
export function inStore<T>(subject: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const code = storeCodeOf(cause);
    if (code === undefined) throw cause;
    throw new StoreError(code, `${subject}: ${sqliteCodeOf(cause)}`, { cause });
  }
}

const sqliteCodeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** By the beginning of SQLite's extended result code, or the whole of a system call's. Source: sqlite.org/rescode.html. */
const CODES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^(SQLITE_FULL|ENOSPC$|EDQUOT$)/, 'store.disk_full'],
  [/^(SQLITE_READONLY|EROFS$|EACCES$|EPERM$)/, 'store.read_only'],
  [/^(SQLITE_CORRUPT|SQLITE_NOTADB)/, 'store.corrupt'],
  [/^(SQLITE_BUSY|SQLITE_LOCKED)/, 'store.busy'],
  [/^(SQLITE_IOERR|SQLITE_CANTOPEN|SQLITE_PROTOCOL|EIO$|EMFILE$|ENFILE$|ENOENT$|ENOTDIR$|EISDIR$)/, 'store.failed'],
];

const storeCodeOf = (error: unknown): ErrorCode | undefined =>
  error instanceof StoreError ? undefined : CODES.find(([pattern]) => pattern.test(sqliteCodeOf(error)))?.[1];

/** @returns lets go of a lock on `path` that ends with this process at the latest; `undefined` when somebody else holds it. */
export function lockFile(path: string, subject: string): (() => void) | undefined {
  return inStore(subject, () => {
    const db = new Database(path, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      db.close();
      if (sqliteCodeOf(error) === 'SQLITE_BUSY') return undefined;
      throw error;
    }
    return () => db.close();
  });
}
