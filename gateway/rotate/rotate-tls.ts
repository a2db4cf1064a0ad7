/** Has the key by which kiosks know this gateway succeeded by another: for the command line, beside a gateway that runs or not. */
import { join } from 'node:path';
import type { KioskId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { RevocationLog } from '../backup/revocation-log.ts';
import { CodeBook } from '../enrol/code-book.ts';
import { openIdentity } from '../identity.ts';
import { gatewayPaths } from '../paths.ts';
import { Registry } from '../registry.ts';
import { formerKeys, makeSuccessor, readSuccessor } from './tls-key.ts';

/** Whom a rotation would leave behind. */
export interface Stranded {
  /** Admitted kiosks that have not said that they follow: of an earlier release, or never connected. */
  readonly kiosks: readonly KioskId[];
  /** Numbers of codes that nobody has used: they name the key of now. */
  readonly codes: readonly number[];
}

/** @param directory the gateway's. @throws ConfigError and StoreError as openIdentity and openDatabase do. */
export async function strandedBy(directory: string, nowMs: EpochMillis): Promise<Stranded> {
  const { storeKey } = await openIdentity(directory);
  const paths = gatewayPaths(directory);
  const registry = new Registry(paths.registry, storeKey);
  const book = new CodeBook(paths.enrolment, storeKey);
  try {
    const said = registry.pinBook.all();
    const admitted = [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined).map(({ kiosk }) => kiosk);
    const open = book.codes().filter(({ bound, withdrawnAtMs, expiresAtMs }) => {
      return bound === undefined && withdrawnAtMs === undefined && expiresAtMs > nowMs;
    });
    return { kiosks: admitted.filter((kiosk) => !said.has(kiosk)), codes: open.map(({ number }) => number).reverse() };
  } finally {
    book.close();
    registry.close();
  }
}

/**
 * Makes the key that follows; the gateway's next start goes by it. It is one file that is whole or not there.
 * @returns the files of keys that are of no use once the gateway runs with it. @throws as strandedBy.
 */
export async function rotateTlsKey(directory: string, nowMs: EpochMillis): Promise<readonly string[]> {
  const identity = await openIdentity(directory);
  const keys = join(directory, 'keys');
  const log = new RevocationLog(directory, identity.storeKey);
  try {
    // First: cut off between the two, a restored gateway makes one key more than it had to, and not one too few.
    const generation = await makeSuccessor(keys, identity, nowMs, (made) =>
      log.add({ kind: 'gateway-key', atMs: nowMs, generation: made }),
    );
    return formerKeys(keys).filter((name) => name !== `tls-${generation}.pem`);
  } finally {
    log.close();
  }
}

/**
 * For a gateway that was brought back from a backup: where its key was succeeded since, kiosks refuse the one that it has.
 * @param since generations that the log of revocations tells of beyond the backup. @returns whether another key was made. @throws as strandedBy.
 */
export async function succeedAfterRestore(directory: string, since: readonly number[], nowMs: EpochMillis): Promise<boolean> {
  const keys = join(directory, 'keys');
  const newest = Math.max(0, ...since);
  if (newest <= (readSuccessor(keys)?.generation ?? 0)) return false;
  const identity = await openIdentity(directory);
  const log = new RevocationLog(directory, identity.storeKey);
  try {
    await makeSuccessor(keys, identity, nowMs, (made) => log.add({ kind: 'gateway-key', atMs: nowMs, generation: made }), newest);
    return true;
  } finally {
    log.close();
  }
}
