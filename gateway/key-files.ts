/**
 * Files that hold one secret each: readable by their owner only, whole or not there, never written over.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { writeOnce } from '../disk/files.ts';
import { ConfigError } from '../protocol/errors.ts';

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
 * @throws ConfigError `config.invalid` when others than the owner may read it; StoreError as writeOnce.
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
