/** How a kiosk comes by its credentials at its start: from an enrolment, from a trust document that was carried to it, or by waiting for a code. */
import { StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import { awaitEnrolment } from './await-enrolment.ts';
import type { KioskConfig } from './config.ts';
import { Credentials } from './credentials.ts';
import { openIdentity } from './kiosk-identity.ts';
import { erasePendingCode, hasPendingCode, readPapers } from './papers.ts';
import { readTrust } from './read-trust.ts';
import type { RunKioskOptions } from './run-kiosk.ts';
import type { SetupDesk } from './setup/setup-desk.ts';

export interface Start {
  readonly credentials: Credentials;
  /** With the standard input as the kiosk's own reader gets it. */
  readonly options: RunKioskOptions;
}

/**
 * @returns `undefined` when the signal aborted while the kiosk waited for its code.
 * @throws ConfigError config.invalid for an identity, papers, trust document or port that can not be used.
 */
export async function openCredentials(
  config: KioskConfig,
  options: RunKioskOptions,
  setup: SetupDesk,
  signal: AbortSignal,
): Promise<Start | undefined> {
  const { dataDir: dir, trustPath } = config;
  const { clock, log } = options;
  const identity = openIdentity(dir);
  const parts = { dir, identity, clock, log };
  const own = readPapers(dir, identity);
  if (own !== undefined) {
    // Stopped between keeping the one and erasing the other. It has been used; on a disk that takes nothing it may lie on.
    if (hasPendingCode(dir)) tryErasing(dir, log);
    return { credentials: Credentials.ofPapers(parts, own), options };
  }
  if (trustPath === undefined) {
    const given = await awaitEnrolment(config, options, { identity, setup }, signal);
    return given && { credentials: Credentials.ofPapers(parts, given), options };
  }
  return { credentials: await Credentials.ofTrust(parts, readTrust(trustPath)), options };
}

function tryErasing(dir: string, log: Log): void {
  try {
    erasePendingCode(dir);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.warn('enrolment.code_not_erased', { code: error.code });
  }
}
