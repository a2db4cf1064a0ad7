/**
 * The only importer of better-sqlite3 in this room: opens a connection with the pragmas a promise rests on, and turns SQLite's
 * result codes into StoreErrors. Outbox, its salvage, its checkpoint worker and the lock of the data directory share it.
 */
import { accessSync, constants, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { makePrivateDatabase } from '../disk/private-database.ts';
import { codeOf, type ErrorCode, StoreError } from '../protocol/errors.ts';

export type Sqlite = Database.Database;
export type Statement = Database.Statement;

export interface SqliteOptions {
  /** FULL: a commit that returned survives a power cut. NORMAL: it survives a killed process. */
  readonly synchronous: 'FULL' | 'NORMAL';
  /** Pages of 4,096 bytes the file may grow to by this connection. */
  readonly maxPages: number;
}

const PAGE_BYTES = 4096;
const CACHE_KIB = 512;
/** What SQLite takes for no file at all. */
const IN_MEMORY = ':memory:';
/** Longer than one restart of the write-ahead log by the checkpoint worker on a slow card. */
const BUSY_TIMEOUT_MS = 5_000;

export const pagesOf = (bytes: number): number => Math.floor(bytes / PAGE_BYTES);

/**
 * @param path a file, made when it is not there.
 * @throws StoreError store.corrupt, store.read_only, store.busy, store.disk_full or store.failed.
 */
export function openSqlite(path: string, options: SqliteOptions): Sqlite {
  return translated(path, () => {
    if (path !== IN_MEMORY) makePrivateDatabase(path);
    const db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      db.pragma('journal_mode = WAL');
      // better-sqlite3 is built with WAL_SYNCHRONOUS=1 (NORMAL), which a power cut robs of the last commits: said on every open.
      db.pragma(`synchronous = ${options.synchronous}`);
      // A checkpoint costs two more fsyncs: it is the worker's, never a scan's.
      db.pragma('wal_autocheckpoint = 0');
      db.pragma(`max_page_count = ${options.maxPages}`);
      // better-sqlite3 is built for 16 MiB a connection, and there are three: a scan looks at a handful of pages.
      db.pragma(`cache_size = -${CACHE_KIB}`);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Opens for reading what may be damaged. @throws StoreError as openSqlite. */
export const openSqliteForReading = (path: string): Sqlite =>
  translated(path, () => {
    const db = new Database(path, { readonly: true, fileMustExist: true });
    // Of a file that is shorter than its header says SQLite reads nothing, unless it is told that it may be mended by hand.
    db.unsafeMode(true);
    db.pragma('writable_schema = ON');
    return db;
  });

/** @returns whether SQLite finds a statement wrong: a bug, or a table that damage made another. */
export const isSqlComplaint = (error: unknown): boolean => error instanceof Database.SqliteError && error.code === 'SQLITE_ERROR';

/**
 * Takes an exclusive lock on a file of its own for as long as this process lives; the kernel lets go of it at kill -9, too.
 * @returns lets go. @throws StoreError store.busy when another connection holds it.
 */
export function lockFile(path: string): () => void {
  return translated(path, () => {
    makePrivateDatabase(path);
    const db = new Database(path, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      db.close();
      throw error;
    }
    return () => {
      db.close();
    };
  });
}

/** Runs `work`; an error of SQLite leaves as the StoreError it means, any other error as it is. */
export function translated<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeErrorOf(error, path);
  }
}

/** @returns a StoreError, or `error` itself where it is none of SQLite's failures but a bug. */
function storeErrorOf(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) {
    if (error instanceof TypeError && /directory does not exist/.test(error.message)) {
      // better-sqlite3 says the same of a directory that lies in one which this user may not enter.
      const code = isDenied(dirname(path)) ? 'store.read_only' : 'store.failed';
      return new StoreError(code, 'store: no directory', { cause: error });
    }
    // An outbox that was set aside is closed under an uplink that still holds it.
    if (error instanceof TypeError && /connection is not open/.test(error.message))
      return new StoreError('store.failed', 'store: closed', { cause: error });
    return error;
  }
  const code = meaningOf(error.code, path);
  return code === undefined ? error : new StoreError(code, `store: ${error.code}`, { cause: error });
}

function meaningOf(code: string, path: string): ErrorCode | undefined {
  if (/^SQLITE_(CORRUPT|NOTADB|IOERR_CORRUPTFS)/.test(code)) return 'store.corrupt';
  if (/^SQLITE_FULL/.test(code)) return 'store.disk_full';
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return 'store.busy';
  if (/^SQLITE_READONLY/.test(code)) return code === 'SQLITE_READONLY_DBMOVED' ? 'store.failed' : 'store.read_only';
  // A disk that turned read-only under an open file answers with I/O errors; a closed directory with CANTOPEN; a full one with either
  // where the index of the write-ahead log does not fit.
  if (/^SQLITE_(IOERR|CANTOPEN|PERM|AUTH)/.test(code)) {
    if (isDenied(dirname(path)) || !isWritable(dirname(path))) return 'store.read_only';
    return hasRoom(dirname(path)) ? 'store.failed' : 'store.disk_full';
  }
  return undefined;
}

/** Of the write-ahead log's index, in one step (sqlite.org/walformat.html, section 2). */
const LEAST_ROOM_BYTES = 32_768;

const hasRoom = (directory: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize >= LEAST_ROOM_BYTES;
  } catch {
    return true;
  }
};

const isDenied = (directory: string): boolean => {
  try {
    statSync(directory);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES';
  }
};

const isWritable = (directory: string): boolean => {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

/** @returns whether the store itself is damaged, so that it has to be set aside before anything can be kept again. */
export const isCorrupt = (error: unknown): boolean => codeOf(error) === 'store.corrupt';
