/** What an unpacked gateway holds, counted: so that a backup is known to open before it is needed. */
import { existsSync } from 'node:fs';
import { StoreError } from '../../protocol/errors.ts';
import { type Db, translating } from '../database.ts';
import { openIdentity } from '../identity.ts';
import { openLedgerFile } from '../ledger.ts';
import { ledgerTotals } from '../ledger-totals.ts';
import { gatewayPaths } from '../paths.ts';
import { Registry } from '../registry.ts';

export interface GatewayCounts {
  readonly kiosks: number;
  readonly revoked: number;
  readonly venues: number;
  readonly lostCards: number;
  readonly rows: number;
}

/**
 * @param directory a gateway's, that no gateway runs on. @throws StoreError `store.corrupt` and others when a store does not open or hang
 * together; ConfigError as openIdentity.
 */
export async function inspectGateway(directory: string): Promise<GatewayCounts> {
  const { storeKey } = await openIdentity(directory);
  const paths = gatewayPaths(directory);
  const registry = new Registry(paths.registry, storeKey);
  try {
    const kiosks = [...registry.kiosks()];
    const counts = {
      kiosks: kiosks.length,
      revoked: kiosks.filter(({ revokedAtMs }) => revokedAtMs !== undefined).length,
      venues: registry.venues().length,
      lostCards: registry.lostList.count(),
    };
    if (!existsSync(paths.ledger)) return { ...counts, rows: 0 };
    const db = openLedgerFile(paths.ledger, storeKey);
    try {
      refuseDamaged(db);
      const totals = ledgerTotals(db, paths.segments, storeKey);
      return { ...counts, rows: [...totals.kiosks.values()].reduce((sum, { rows }) => sum + rows, 0) };
    } finally {
      db.close();
    }
  } finally {
    registry.close();
  }
}

function refuseDamaged(db: Db): void {
  const fault = translating('ledger', () => db.pragma('quick_check(1)'));
  if (fault !== 'ok') throw new StoreError('store.corrupt', `ledger index: its pages do not hang together`);
}
