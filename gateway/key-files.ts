/**
 * Files that hold one secret each: readable by their owner only, whole or not there, never written over.
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError, type ErrorCode, StoreError } from '../protocol/errors.ts';

/** Makes a directory that only its owner may enter; one that is there must not be open to others. @throws ConfigError `config.invalid`. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  refuseOpenToOthers(path);
}

function refuseOpenToOthers(path: string): void {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0)
    throw new ConfigError('config.invalid', `${path}: mode ${mode.toString(8)} of at most 700: others may read it (chmod go= it)`);
}

/**
 * Reads the file, or makes it first with what `make` gives. Two processes that start together end with one and the same content.
 * @param make called at most once, and only when the file is not there.
 * @throws ConfigError `config.invalid` when others than the owner may read it.
 */
export async function readOrMakeSecret(path: string, make: () => Uint8Array | Promise<Uint8Array>): Promise<Uint8Array> {
  if (!existsSync(path)) writeOnce(path, await make(), 0o600);
  refuseOpenToOthers(path);
  return new Uint8Array(readFileSync(path));
}

/** Reads a secret that a person put there. @throws ConfigError `config.invalid` when it can not be read, or others than the owner may read it. */
export function readSecret(path: string): Uint8Array {
  try {
    refuseOpenToOthers(path);
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError('config.invalid', `${path}: can not be read`, { cause });
  }
}

/** Writes a file that either is not there or is whole, also after a power cut. A file already there is left as it is. */
export function writeOnce(path: string, content: Uint8Array, mode: number): void {
  const draft = join(dirname(path), `.${randomBytes(6).toString('hex')}.draft`);
  writeSynced(draft, content, mode);
  try {
    // A link fails when the name is taken; a rename would write over it.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  syncDirectory(dirname(path));
}

/**
 * Writes a file that is either as it was or whole, also after a power cut. For what may change, never for a key.
 * @throws StoreError `store.disk_full`, `store.read_only` or `store.failed`; the file is then as it was.
 */
export function replaceFile(path: string, content: Uint8Array, mode: number): void {
  const draft = join(dirname(path), `.${randomBytes(6).toString('hex')}.draft`);
  try {
    writeSynced(draft, content, mode);
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new StoreError(FILE_CODES[reason] ?? 'store.failed', `${path}: ${reason}`, { cause });
  }
}

const FILE_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'store.disk_full',
  EDQUOT: 'store.disk_full',
  EFBIG: 'store.disk_full',
  EROFS: 'store.read_only',
  EACCES: 'store.read_only',
};

function writeSynced(path: string, content: Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
