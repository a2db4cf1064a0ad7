/** Writes a backup and reads one: whole under its name, or not there. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onDisk as inFiles, systemCodeOf } from '../../disk/faults.ts';
import { syncDirectory } from '../../disk/files.ts';
import { BackupError, ConfigError, StoreError } from '../../protocol/errors.ts';
import { type About, ArchiveWriter, type Contents, type FileTaker, readArchive } from './archive.ts';
import { type Head, type Locking, makeHead, type Opening } from './locks.ts';
import type { Piece } from './pieces.ts';
import { readHead, SealedReader, SealedWriter } from './sealed-file.ts';

export interface Backup extends Contents {
  /** Of the file that was written. */
  readonly sealedBytes: number;
}

const READ_BYTES = 1_048_576;

/**
 * Writes the pieces into one sealed file, reads that again to its last byte, and only then gives it its name. After a kill or a power cut it is
 * whole or not there; a draft that begins with a dot may lie beside it.
 * @param to not there yet. @param pieces each is read when its turn comes.
 * @throws BackupError `backup.exists`, `backup.weak_passphrase`, `backup.altered` when the disk gives back something else; StoreError.
 */
export async function writeBackup(to: string, lockings: readonly Locking[], about: About, pieces: Iterable<Piece>): Promise<Backup> {
  const head = await makeHead(lockings);
  const draft = join(dirname(to), `.${randomBytes(6).toString('hex')}.draft`);
  try {
    onDisk(to, () => seal(draft, head, about, pieces));
    const contents = onDisk(to, () => reading(draft, (file) => readBehind(file, head)));
    const sealedBytes = statSync(draft).size;
    // A link fails when the name is taken; a rename would write over it.
    onDisk(to, () => linkSync(draft, to));
    return { ...contents, sealedBytes };
  } finally {
    rmSync(draft, { force: true });
    onDisk(to, () => syncDirectory(dirname(to)));
  }
}

/** @param open as readArchive's. @throws BackupError for what is no backup, or not whole, or not to be opened so; ConfigError when it can not be read. */
export async function readBackup(from: string, opening: Opening, open: (name: string, length: number) => FileTaker): Promise<Contents> {
  const file = openToRead(from);
  try {
    const head = await readHead(file, opening);
    return onDisk(from, () => readArchive(new SealedReader(file, head), open));
  } finally {
    closeSync(file);
  }
}

/**
 * Writes what is in a backup below `directory`, each file synced.
 * @param directory is made; not there yet. @param isWanted which files. @throws as readBackup, and StoreError when the disk does not take them.
 */
export async function unpack(
  from: string,
  opening: Opening,
  directory: string,
  isWanted: (name: string) => boolean = () => true,
): Promise<Contents> {
  onDisk(directory, () => mkdirSync(directory, { mode: 0o700 }));
  const contents = await readBackup(from, opening, (name) => (isWanted(name) ? fileAt(join(directory, name)) : NOWHERE));
  for (const name of ['gateway/keys', 'gateway/ledger', 'gateway', 'core/keys', 'core/days', 'core', 'issuer', '.'])
    onDisk(directory, () => syncIfThere(join(directory, name)));
  return contents;
}

const NOWHERE: FileTaker = { take: () => {}, end: () => {} };

function fileAt(path: string): FileTaker {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(path, 'wx', 0o600);
  return {
    take(bytes) {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    },
    end() {
      fsyncSync(file);
      closeSync(file);
    },
  };
}

function seal(draft: string, head: Head, about: About, pieces: Iterable<Piece>): void {
  const file = openSync(draft, 'wx', 0o600);
  try {
    const archive = new ArchiveWriter(new SealedWriter(file, head), about);
    for (const { name, path } of pieces) archive.add(name, statSync(path).size, partsOf(path));
    archive.end();
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function* partsOf(path: string): Generator<Uint8Array> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const bytes = Buffer.allocUnsafe(READ_BYTES);
      const read = readSync(file, bytes);
      if (read === 0) return;
      yield bytes.subarray(0, read);
    }
  } finally {
    closeSync(file);
  }
}

function reading<T>(path: string, read: (file: number) => T): T {
  const file = openSync(path, 'r');
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}

/** Passes over the head, whose key is known. */
function readBehind(file: number, head: Head): Contents {
  readSync(file, Buffer.alloc(head.bytes.length), 0, head.bytes.length, null);
  return readArchive(new SealedReader(file, head), () => NOWHERE);
}

function openToRead(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: can not be read (${systemCodeOf(cause) ?? 'unknown'})`, { cause });
  }
}

/** @throws what `work` throws; what the system says of a file as BackupError `backup.exists` or StoreError. */
export function onDisk<T>(subject: string, work: () => T): T {
  try {
    return inFiles(subject, work);
  } catch (error) {
    const system = error instanceof StoreError ? systemCodeOf(error.cause) : undefined;
    if (system === 'EEXIST') throw new BackupError('backup.exists', `${subject}: is there already`, { cause: error });
    throw error;
  }
}

function syncIfThere(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) syncDirectory(path);
}
