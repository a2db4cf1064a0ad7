/** What ledger and quarantine know of a kiosk's troubles; outlives restarts. */
import type { KioskId } from '../protocol/ids.ts';
import { type Db, translating } from './database.ts';
import { type QuarantineUse, quarantineReasons, quarantineUse } from './quarantine.ts';
import { missingOf } from './spans.ts';

export interface StoredTrouble {
  /**
   * Two live copies of one kiosk, or one restored from an older image: sequence numbers came under two content keys. A number that came
   * twice under one key is no sign of that, since the key dies with the process that made it: it is in quarantine, `ingest.conflict`.
   */
  readonly isCloned: boolean;
  /** How many rows showed that. All of them are kept and forwarded. */
  readonly clonedRows: number;
  /** Sequence numbers below the highest that never came; a backlog still on its way counts too. */
  readonly missingRows: number;
  readonly quarantine: QuarantineUse & { readonly reasons: Readonly<Record<string, number>> };
}

/** @throws StoreError. */
export function storedTroubleOf(db: Db, kiosk: KioskId): StoredTrouble {
  return translating('ledger', () => {
    const clonedRows = Number(db.prepare('SELECT coalesce(sum(cloned_count), 0) AS n FROM epochs WHERE kiosk = ?').pluck().get(kiosk));
    const reasons = Object.fromEntries(quarantineReasons(db, kiosk).map(({ reason, items }) => [reason, items]));
    return {
      isCloned: clonedRows > 0,
      clonedRows,
      missingRows: missingOf(db, kiosk),
      quarantine: { ...quarantineUse(db, kiosk), reasons },
    };
  });
}

/** Every kiosk whose rows came, ever. @throws StoreError. */
export const kiosksSeen = (db: Db): KioskId[] =>
  translating('ledger', () => db.prepare('SELECT kiosk FROM epochs UNION SELECT kiosk FROM quarantine').pluck().all() as KioskId[]);
