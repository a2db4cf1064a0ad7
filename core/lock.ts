/**
 * Lets one process at a time write a core's directory. The lock is SQLite's own, on a file of its own, so that the system lets go of it
 * with the process however that ends; readers do not take it.
 */
import { join } from 'node:path';
import { ConfigError } from '../protocol/errors.ts';
import { lockFile } from './sqlite.ts';

/** @returns lets go of the lock. @throws ConfigError `config.locked` when another core writes here. */
export function lockCore(dir: string): () => void {
  const release = lockFile(join(dir, 'core.lock'), 'core.lock');
  if (release === undefined)
    throw new ConfigError('config.locked', `${dir}: another process writes here: is a gateway or core running on it already?`);
  return release;
}
