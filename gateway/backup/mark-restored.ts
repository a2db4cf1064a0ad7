/** The last steps on a restored gateway's files before they take their place: what was revoked since, and what its next start has to make good. */
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { Accounts } from '../accounts.ts';
import { CodeBook } from '../enrol/code-book.ts';
import { openIdentity } from '../identity.ts';
import { Ledger, openLedgerFile } from '../ledger.ts';
import { gatewayPaths } from '../paths.ts';
import { Registry } from '../registry.ts';
import { succeedAfterRestore } from '../rotate/rotate-tls.ts';
import { linesBeyond } from './revocation-file.ts';
import { type Change, RevocationLog, readChanges } from './revocation-log.ts';

/**
 * More positions than a gateway gives out in the three weeks that retention lets anything be missed: 69,444 batches a second for five months. A
 * sink elsewhere has been given positions that this ledger knows nothing of, and would take what comes under one of them for what it has.
 */
const SKIPPED_POSITIONS = 2 ** 40;
/**
 * And as many for each millisecond since the backup: of two restores of one backup the later begins above whatever the earlier, which may have run
 * for days, has given out. A backup of a year ago takes 2^41 of the 2^53 that there are.
 */
const POSITIONS_PER_MS = 70;

export interface Replayed {
  /** Changes since the backup that were done again; `undefined` where there was no log of them. */
  readonly changes: number | undefined;
  /** When the last of them was. */
  readonly lastAtMs: EpochMillis | undefined;
  /** Enrolment codes that were taken back, for want of a log that says which were used. */
  readonly withdrawnCodes: number;
  /** Whether the gateway was given another TLS key, because it had had a later one than the backup's. */
  readonly hasNewKey: boolean;
}

/**
 * @param directory the gateway's, that no gateway runs on. @param revocations the copy of the log that was kept apart.
 * @throws ConfigError, StoreError and BackupError as openIdentity, openDatabase and linesBeyond do.
 */
export async function markRestored(
  directory: string,
  { backupAtMs, revocations, clock }: { readonly backupAtMs: EpochMillis; readonly revocations: string | undefined; readonly clock: Clock },
): Promise<Replayed> {
  const { storeKey } = await openIdentity(directory);
  skipPositions(directory, storeKey, backupAtMs, clock);
  const log = new RevocationLog(directory, storeKey);
  try {
    if (revocations === undefined) {
      const withdrawnCodes = replay(directory, storeKey, [], ({ book }) => book.withdrawAll(clock.wall()));
      return { changes: undefined, lastAtMs: undefined, withdrawnCodes, hasNewKey: false };
    }
    const beyond = linesBeyond(revocations, log, storeKey);
    const changes = readChanges([...log.lines(), ...beyond], storeKey).slice(log.count());
    log.addLines(beyond);
    const generations = changes.flatMap((change) => (change.kind === 'gateway-key' ? change.generation : []));
    const hasNewKey = await succeedAfterRestore(directory, generations, clock.wall());
    // Codes name the key that the gateway had.
    const withdrawnCodes = replay(directory, storeKey, changes, ({ book }) => (hasNewKey ? book.withdrawAll(clock.wall()) : 0));
    return { changes: changes.length, lastAtMs: changes.at(-1)?.atMs, withdrawnCodes, hasNewKey };
  } finally {
    log.close();
  }
}

function skipPositions(directory: string, storeKey: Uint8Array, backupAtMs: EpochMillis, clock: Clock): void {
  const paths = gatewayPaths(directory);
  const db = openLedgerFile(paths.ledger, storeKey);
  const ledger = new Ledger(db, paths.segments, storeKey, clock);
  const registry = new Registry(paths.registry, storeKey);
  try {
    const restoredAtMs = clock.wall();
    const sinceMs = Math.max(0, restoredAtMs - backupAtMs);
    const skipTo = ledger.lastPosition + SKIPPED_POSITIONS + POSITIONS_PER_MS * sinceMs;
    registry.restoreBook.add({ backupAtMs, restoredAtMs, skipTo });
  } finally {
    registry.close();
    ledger.close();
    db.close();
  }
}

/** Everybody logs in anew: a session that was ended since would live again. */
function replay<T>(
  directory: string,
  storeKey: Uint8Array,
  changes: readonly Change[],
  then: (stores: { readonly book: CodeBook }) => T,
): T {
  const paths = gatewayPaths(directory);
  const registry = new Registry(paths.registry, storeKey);
  const book = new CodeBook(paths.enrolment, storeKey);
  const accounts = new Accounts(paths.accounts, storeKey);
  try {
    accounts.closeSessions();
    registry.erasedCards.eraseAnew();
    for (const change of changes) for (const store of [registry, book, accounts]) store.replay(change);
    return then({ book });
  } finally {
    for (const store of [accounts, book, registry]) store.close();
  }
}
