/** Files that hold secrets: readable by their owner only, whole or not there, and written over only when asked to. */
import { accessSync, constants, existsSync, linkSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { drafted, syncDirectory } from '../disk/files.ts';
import { ConfigError, StoreError } from '../protocol/errors.ts';

const PRIVATE = 0o600;
/** File systems of USB sticks know no links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * When this returns, a power cut can not lose the file, and there is no other copy of it.
 * @param mayReplace whether a file of that name may be written over.
 * @throws ConfigError `config.invalid` when the name is taken, is a directory, or lies where nothing can be made;
 * StoreError `store.disk_full`, `store.read_only` or `store.failed`. Nothing is left behind then.
 */
export function writePrivateFile(path: string, content: Uint8Array, mayReplace: boolean): void {
  refuseTaken(path, mayReplace);
  try {
    drafted(path, content, PRIVATE, (draft) => {
      if (mayReplace) renameSync(draft, path);
      else publish(draft, path);
    });
    syncDirectory(dirname(path));
  } catch (error) {
    throw translated(path, error);
  }
}

/**
 * Says before anything is made what would be said when it is written: a code that was given out for it would be lost.
 * @throws ConfigError `config.invalid` when the name is taken, or lies where nothing can be made; StoreError as writePrivateFile.
 */
export function refuseTaken(path: string, mayReplace: boolean): void {
  if (!mayReplace && existsSync(path)) throw new ConfigError('config.invalid', `${path}: is there already (--force writes over it)`);
  try {
    const directory = dirname(path);
    if (!statSync(directory).isDirectory()) throw new ConfigError('config.invalid', `${path}: its directory is not there`);
    accessSync(directory, constants.W_OK);
  } catch (error) {
    throw translated(path, error);
  }
}

/** A link fails when the name is taken; a rename would write over what came between. */
function publish(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (!NO_LINKS.has(systemCode(error))) throw error;
    refuseTaken(path, false);
    renameSync(draft, path);
  }
}

export const systemCode = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');

/** A system error in the words of whoever acts on it; anything else as it is. */
export function translated(path: string, error: unknown): unknown {
  const code = systemCode(error);
  switch (code) {
    case 'EEXIST':
      return new ConfigError('config.invalid', `${path}: is there already (--force writes over it)`, { cause: error });
    case 'ENOENT':
    case 'ENOTDIR':
      return new ConfigError('config.invalid', `${path}: its directory is not there`, { cause: error });
    case 'EISDIR':
      return new ConfigError('config.invalid', `${path}: is a directory`, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new ConfigError('config.invalid', `${path}: may not be written by this user`, { cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError('store.disk_full', `${path}: the disk is full`, { cause: error });
    case 'EROFS':
      return new StoreError('store.read_only', `${path}: the disk is read-only`, { cause: error });
    case '':
      return error;
    default:
      return code.startsWith('E') && !code.startsWith('ERR_')
        ? new StoreError('store.failed', `${path}: ${code}`, { cause: error })
        : error;
  }
}
