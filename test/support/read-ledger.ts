/** What a gateway's ledger holds, read from its files beside the gateway that writes them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openLedgerFile } from '../../gateway/ledger.ts';
import { type LedgerTotals, ledgerTotals } from '../../gateway/ledger-totals.ts';
import { gatewayPaths } from '../../gateway/paths.ts';

export function readTotals({ directory }: { readonly directory: string }): LedgerTotals {
  const paths = gatewayPaths(directory);
  const key = new Uint8Array(readFileSync(join(directory, 'keys', 'store.key')));
  const db = openLedgerFile(paths.ledger, key, true);
  try {
    return ledgerTotals(db, paths.segments, key);
  } finally {
    db.close();
  }
}

/** How many rows are in the ledger, of all kiosks. */
export const rowsIn = (gateway: { readonly directory: string }): number =>
  [...readTotals(gateway).kiosks.values()].reduce((sum, { rows }) => sum + rows, 0);
