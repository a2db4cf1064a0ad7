/** A kiosk made a machine without identity again: what would be lost, the farewell, the wiping. Killed anywhere, the next start finishes it. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../../protocol/errors.ts';
import type { KioskId } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { KioskConfig } from '../config.ts';
import { openIdentity } from '../kiosk-identity.ts';
import { Outbox } from '../outbox.ts';
import { isEnrolled } from '../papers.ts';
import { type Farewell, sayFarewell } from './say-farewell.ts';
import { beginReset, isResetBegun, wipe } from './wipe.ts';

/** What a reset destroys that nobody else has. */
export interface AtStake {
  /** `undefined` where there is no kiosk. */
  readonly kiosk: KioskId | undefined;
  readonly isEnrolled: boolean;
  /** Rows that no gateway has acknowledged; `undefined` where the outbox can not be read. */
  readonly unsent: number | undefined;
  /** How long the oldest of them has waited, running time; `undefined` when none waits. */
  readonly oldestMs: number | undefined;
  /** Damaged outboxes that were set aside, whose rows may lie there alone. */
  readonly setAside: number;
}

/** The caller holds the directory's lock. */
export function atStake(config: Pick<KioskConfig, 'dataDir' | 'outbox'>, clock: Clock): AtStake {
  const { dataDir: dir } = config;
  const has = (name: string) => existsSync(join(dir, name));
  const names = existsSync(dir) ? readdirSync(dir) : [];
  return {
    kiosk: has('kiosk.key') ? openIdentity(dir).kiosk : undefined,
    isEnrolled: isEnrolled(dir),
    ...(has('outbox.db') ? unsentIn(join(dir, 'outbox.db'), config, clock) : { unsent: 0, oldestMs: undefined }),
    setAside: names.filter((name) => /^outbox\.damaged-.*\.db$/.test(name)).length,
  };
}

function unsentIn(path: string, { outbox: limits }: Pick<KioskConfig, 'outbox'>, clock: Clock): Pick<AtStake, 'unsent' | 'oldestMs'> {
  try {
    const outbox = new Outbox(path, limits, clock.monotonic());
    try {
      return { unsent: outbox.queued, oldestMs: outbox.oldestQueuedMs(clock.monotonic()) };
    } finally {
      outbox.close();
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { unsent: undefined, oldestMs: undefined };
  }
}

export interface ResetDone {
  readonly farewell: Farewell;
  readonly files: number;
}

export interface ResetParts {
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Resets the kiosk of a directory whose lock the caller holds. When this returns nothing of it is left but the lock.
 * @throws ConfigError as wipe.
 */
export async function reset(
  config: Pick<KioskConfig, 'dataDir' | 'trustPath'>,
  parts: ResetParts,
  signal: AbortSignal,
): Promise<ResetDone> {
  beginReset(config.dataDir, parts.log);
  return await finish(config, parts, signal);
}

/** Goes on with a reset that was begun; does nothing where none was. The caller holds the lock. */
export async function finishReset(
  config: Pick<KioskConfig, 'dataDir' | 'trustPath'>,
  parts: ResetParts,
  signal: AbortSignal,
): Promise<void> {
  if (isResetBegun(config.dataDir)) await finish(config, parts, signal);
}

async function finish(
  { dataDir, trustPath }: Pick<KioskConfig, 'dataDir' | 'trustPath'>,
  parts: ResetParts,
  signal: AbortSignal,
): Promise<ResetDone> {
  const farewell = await sayFarewell(dataDir, trustPath, parts, signal);
  return { farewell, files: wipe(dataDir, parts.log) };
}
