/** How much the ledger holds, for those who only look: read from the files beside a gateway that may be running. */
import type { KioskId } from '../protocol/ids.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, translating } from './database.ts';
import { Segments } from './segments.ts';

export interface LedgerTotals {
  readonly entries: number;
  readonly sinks: readonly { readonly name: string; readonly behindEntries: number; readonly droppedEntries: number }[];
  /** Rows within retention, and when the last came. */
  readonly kiosks: ReadonlyMap<KioskId, { readonly rows: number; readonly lastReceivedAtMs: EpochMillis }>;
}

/** @param db the ledger's index, read-only. @param directory of the segments. @param key the identity's storeKey. @throws StoreError. */
export const ledgerTotals = (db: Db, directory: string, key: Uint8Array): LedgerTotals =>
  translating('ledger', () => {
    const segments = new Segments(db, directory, key, true);
    try {
      const last = Number(db.prepare('SELECT position FROM applied').pluck().get());
      const countAfter = (position: number) => segments.countBetween(position, last);
      const sinks = db.prepare('SELECT name, position, dropped_entries AS droppedEntries FROM sinks ORDER BY name').all() as {
        name: string;
        position: number;
        droppedEntries: number;
      }[];
      return {
        entries: countAfter(0),
        sinks: sinks.map(({ name, position, droppedEntries }) => ({ name, behindEntries: countAfter(position), droppedEntries })),
        kiosks: sumOf(segments.totals()),
      };
    } finally {
      segments.close();
    }
  });

function sumOf(totals: ReturnType<Segments['totals']>): LedgerTotals['kiosks'] {
  const kiosks = new Map<KioskId, { rows: number; lastReceivedAtMs: EpochMillis }>();
  for (const { kiosk, rows, lastReceivedAtMs } of totals) {
    const known = kiosks.get(kiosk) ?? { rows: 0, lastReceivedAtMs };
    known.rows += rows;
    if (lastReceivedAtMs > known.lastReceivedAtMs) known.lastReceivedAtMs = lastReceivedAtMs;
    kiosks.set(kiosk, known);
  }
  return kiosks;
}
