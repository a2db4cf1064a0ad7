/** One kiosk process at a time in one data directory. */
import { join } from 'node:path';
import { ConfigError, codeOf } from '../protocol/errors.ts';
import type { RunKioskOptions } from './run-options.ts';
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

const TRY_AGAIN_MS = 1_000;

/**
 * As lockDataDir; a service waits, until abort: what systemd killed in a disk that froze lets go only when that answers, and nobody stands
 * there to start the kiosk anew then.
 */
export async function waitForDataDir(
  dir: string,
  { clock, log, notify }: Pick<RunKioskOptions, 'clock' | 'log' | 'notify'>,
  signal: AbortSignal,
): Promise<() => void> {
  for (let tries = 0; ; tries++) {
    try {
      return lockDataDir(dir);
    } catch (error) {
      if (notify === undefined || codeOf(error) !== 'config.locked' || signal.aborted) throw error;
    }
    if (tries === 0) log.warn('data.locked');
    await clock.sleep(TRY_AGAIN_MS, signal);
  }
}
