/** One kiosk process at a time in one data directory. */
import { join } from 'node:path';
import { ConfigError, codeOf } from '../protocol/errors.ts';
import { lockFile } from './sqlite.ts';

/**
 * @returns lets go of the directory; a killed process lets go of it, too.
 * @throws ConfigError config.locked when another process holds it.
 */
export function lockDataDir(dir: string): () => void {
  try {
    return lockFile(join(dir, 'kiosk.lock'));
  } catch (error) {
    const code = codeOf(error);
    if (code === 'store.busy') throw new ConfigError('config.locked', 'data directory: held by another kiosk process', { cause: error });
    // Where nothing can be written no other process can write either; the outbox will say what is wrong.
    if (code !== undefined) return () => {};
    throw error;
  }
}
