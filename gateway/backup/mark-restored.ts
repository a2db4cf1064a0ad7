/** The last step on a restored gateway's files before they take their place: what its next start has to make good. */
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { openIdentity } from '../identity.ts';
import { Ledger, openLedgerFile } from '../ledger.ts';
import { gatewayPaths } from '../paths.ts';
import { Registry } from '../registry.ts';

/**
 * More positions than a gateway gives out in the three weeks that retention lets anything be missed: 69,444 batches a second for five months. A
 * sink elsewhere has been given positions that this ledger knows nothing of, and would take what comes under one of them for what it has.
 */
const SKIPPED_POSITIONS = 2 ** 40;

/** @param directory the gateway's, that no gateway runs on. @throws ConfigError and StoreError as openIdentity and openDatabase do. */
export async function markRestored(directory: string, backupAtMs: EpochMillis, clock: Clock): Promise<void> {
  const { storeKey } = await openIdentity(directory);
  const paths = gatewayPaths(directory);
  const db = openLedgerFile(paths.ledger, storeKey);
  const ledger = new Ledger(db, paths.segments, storeKey, clock);
  const registry = new Registry(paths.registry, storeKey);
  try {
    registry.restoreBook.add({ backupAtMs, restoredAtMs: clock.wall(), skipTo: ledger.lastPosition + SKIPPED_POSITIONS });
  } finally {
    registry.close();
    ledger.close();
    db.close();
  }
}
