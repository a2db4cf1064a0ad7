/**
 * Looks for secrets in encrypted SQLite files as whoever has the key would: every page as it lies there, those that are free and the unused
 * part of each included, each cell as a whole, and states that the write-ahead log can still be brought back to.
 */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import Database from 'better-sqlite3';
import { type Leak, type Secret, searchBytes } from './leak-search.ts';

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MOST_STATES = 4;

/** @returns where each secret is found in one file, opened under its key. The file may be in use: a copy is looked at. */
export function searchOpened(path: string, key: Uint8Array, secrets: readonly Secret[], where = path): Leak[] {
  const found = new Map<string, Leak>();
  for (const image of imagesOf(path, key)) for (const leak of searchBytes(where, image, secrets)) found.set(leak.secret, leak);
  return [...found.values()];
}

/** @returns as `searchOpened`, for every SQLite file under `directory`. @param keyOf by its path there; `undefined` for one to be left out. */
export function searchOpenedTree(directory: string, secrets: readonly Secret[], keyOf: (path: string) => Uint8Array | undefined): Leak[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.db'))
    .map((entry) => join(entry.parentPath, entry.name))
    .flatMap((path) => {
      const key = keyOf(relative(directory, path));
      return key === undefined ? [] : searchOpened(path, key, secrets, relative(directory, path));
    });
}

/** The decrypted bytes of the file: with the whole log, and with each part of it that ends with a commit. */
function* imagesOf(path: string, key: Uint8Array): Generator<Buffer> {
  const dir = mkdtempSync(join(tmpdir(), 'opened-'));
  try {
    const wal = existsSync(`${path}-wal`) ? readFileSync(`${path}-wal`) : Buffer.alloc(0);
    for (const length of [0, ...commitsOf(wal)]) {
      const copy = join(dir, 'copy.db');
      copyFileSync(path, copy);
      writeFileSync(`${copy}-wal`, wal.subarray(0, length));
      yield plainOf(copy, key);
      yield* cellsOf(copy);
      for (const end of ['', '-wal', '-shm']) rmSync(`${copy}${end}`, { force: true });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Source: sqlite.org/fileformat2.html, section 4: a frame whose header's second word is not 0 ends a commit. */
function commitsOf(wal: Buffer): number[] {
  if (wal.length < WAL_HEADER_BYTES) return [];
  const frameBytes = FRAME_HEADER_BYTES + wal.readUInt32BE(8);
  const ends: number[] = [];
  for (let at = WAL_HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes)
    if (wal.readUInt32BE(at + 4) !== 0) ends.push(at + frameBytes);
  // Each state costs a copy of the file: of many, the first, the last and some between.
  const step = Math.max(1, Math.ceil(ends.length / MOST_STATES));
  return ends.filter((_end, at) => at % step === 0 || at === ends.length - 1);
}

/** What is longer than a page lies in pieces: a name across two of them is whole here alone. */
function* cellsOf(plain: string): Generator<Buffer> {
  const db = new Database(plain, { readonly: true });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[];
    for (const table of tables) {
      for (const row of db.prepare(`SELECT * FROM "${table}"`).raw().iterate() as Iterable<unknown[]>)
        for (const cell of row) if (cell instanceof Buffer && cell.length > 256) yield cell;
    }
  } finally {
    db.close();
  }
}

function plainOf(copy: string, key: Uint8Array): Buffer {
  const db = new Database(copy);
  try {
    db.pragma("cipher = 'aegis'");
    db.pragma(`key = "x'${Buffer.from(key).toString('hex')}'"`);
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.pragma('journal_mode = DELETE');
    // In place, page by page: what is free stays where it is.
    db.pragma("rekey = ''");
  } finally {
    db.close();
  }
  if (statSync(copy).size > 0 && readFileSync(copy).subarray(0, 15).toString() !== 'SQLite format 3')
    throw new Error(`${copy}: was not decrypted`);
  return readFileSync(copy);
}
