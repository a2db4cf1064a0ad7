/**
 * For the command line, beside a gateway that may be running or not: its registry, a look at what it keeps, and the one thing a
 * person may throw away. Looking changes nothing but, at the first use of a directory, the keys that the gateway would make too.
 */
import { existsSync, readFileSync } from 'node:fs';
import { codeOf } from '../protocol/errors.ts';
import type { DeploymentId, KioskId } from '../protocol/ids.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, holdLock, translating } from './database.ts';
import { openIdentity } from './identity.ts';
import { openLedgerFile } from './ledger.ts';
import { type LedgerTotals, ledgerTotals } from './ledger-totals.ts';
import { gatewayPaths } from './paths.ts';
import type { Venue } from './policy/venue.ts';
import { type Kiosk, Registry } from './registry.ts';
import type { GatewayState } from './state-board.ts';
import { kiosksSeen, type StoredTrouble, storedTroubleOf } from './stored-trouble.ts';

export interface KioskStatus extends StoredTrouble {
  readonly kiosk: KioskId;
  /** `undefined` for one that is not in the registry any more. */
  readonly admission: Kiosk | undefined;
  /** Rows in the ledger within retention. */
  readonly rows: number;
  readonly lastReceivedAtMs: EpochMillis | undefined;
}

export interface GatewayStatus {
  readonly deployment: DeploymentId;
  readonly isRunning: boolean;
  readonly venues: readonly Venue[];
  readonly kiosks: readonly KioskStatus[];
  readonly entries: number;
  readonly sinks: readonly { readonly name: string; readonly behindEntries: number; readonly droppedEntries: number }[];
  readonly flags: Readonly<Partial<Record<'pending' | 'confirmed' | 'unconfirmed' | 'cleared', number>>>;
  /** What the running gateway said last; only it knows of connections and of batches withheld. One of an earlier release says nothing of its door. */
  readonly lastState: (Omit<GatewayState, 'door'> & Partial<Pick<GatewayState, 'door'>>) | undefined;
}

/** @param directory the gateway's. @throws ConfigError and StoreError as openIdentity and openDatabase do. */
export async function openRegistry(directory: string): Promise<Registry> {
  const { storeKey } = await openIdentity(directory);
  return new Registry(gatewayPaths(directory).registry, storeKey);
}

/**
 * Throws away what a kiosk has in quarantine, once a person has seen why it is there: one that was cut off for it can go on.
 * Also while the gateway runs.
 * @returns how many items went. @throws ConfigError and StoreError as openIdentity and openDatabase do.
 */
export async function dropQuarantine(directory: string, kiosk: KioskId): Promise<number> {
  const { storeKey } = await openIdentity(directory);
  const db = openLedgerFile(gatewayPaths(directory).ledger, storeKey);
  try {
    return translating('ledger', () => db.prepare('DELETE FROM quarantine WHERE kiosk = ?').run(kiosk).changes);
  } finally {
    db.close();
  }
}

/** @param directory the gateway's. @throws ConfigError and StoreError as openIdentity and openDatabase do. */
export async function gatewayStatus(directory: string): Promise<GatewayStatus> {
  const { storeKey, deployment } = await openIdentity(directory);
  const paths = gatewayPaths(directory);
  const registry = new Registry(paths.registry, storeKey);
  try {
    const isRunning = isLocked(paths.lock);
    const about = { deployment, isRunning, venues: registry.venues(), lastState: readState(paths.state) };
    const admitted = [...registry.kiosks()];
    if (!existsSync(paths.ledger)) return { ...about, kiosks: admitted.map(withoutRows), entries: 0, sinks: [], flags: {} };
    const db = openLedgerFile(paths.ledger, storeKey, true);
    try {
      const totals = ledgerTotals(db, paths.segments, storeKey);
      return { ...about, ...translating('ledger', () => readLedger(db, admitted, totals)) };
    } finally {
      db.close();
    }
  } finally {
    registry.close();
  }
}

function readLedger(
  db: Db,
  admitted: readonly Kiosk[],
  totals: LedgerTotals,
): Pick<GatewayStatus, 'kiosks' | 'entries' | 'sinks' | 'flags'> {
  const kiosks = new Set([...admitted.map(({ kiosk }) => kiosk), ...kiosksSeen(db)]);
  const flags = db.prepare('SELECT state, count(*) AS n FROM flags GROUP BY state').all() as { state: string; n: number }[];
  return {
    kiosks: [...kiosks].map((kiosk) =>
      kioskStatus(
        db,
        kiosk,
        totals,
        admitted.find((other) => other.kiosk === kiosk),
      ),
    ),
    entries: totals.entries,
    sinks: totals.sinks,
    flags: Object.fromEntries(flags.map(({ state, n }) => [state, n])),
  };
}

function kioskStatus(db: Db, kiosk: KioskId, { kiosks }: LedgerTotals, admission: Kiosk | undefined): KioskStatus {
  const taken = kiosks.get(kiosk);
  return { kiosk, admission, rows: taken?.rows ?? 0, lastReceivedAtMs: taken?.lastReceivedAtMs, ...storedTroubleOf(db, kiosk) };
}

const withoutRows = (admission: Kiosk): KioskStatus => ({
  kiosk: admission.kiosk,
  admission,
  rows: 0,
  lastReceivedAtMs: undefined,
  isCloned: false,
  clonedRows: 0,
  missingRows: 0,
  quarantine: { items: 0, bytes: 0, reasons: {} },
});

function isLocked(path: string): boolean {
  try {
    holdLock(path)();
    return false;
  } catch (error) {
    if (codeOf(error) !== 'config.locked') throw error;
    return true;
  }
}

function readState(path: string): GatewayState | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as GatewayState) : undefined;
}
