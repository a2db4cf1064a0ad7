/** Since when each kiosk has sealed for which of the gateway's keys, in the registry's file. */
import type { KioskId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Db, translating } from '../database.ts';

export const SEALS_STEP = `CREATE TABLE seals (
  kiosk TEXT PRIMARY KEY,
  recipient BLOB NOT NULL CHECK (length(recipient) = 8),
  since_ms INTEGER NOT NULL
) STRICT;`;

export interface Followed {
  readonly kiosk: KioskId;
  /** When the first batch came that was sealed for it. */
  readonly sinceMs: EpochMillis;
}

export class SealBook {
  readonly #db: Db;

  /** @param db the registry's. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** Those that have sealed for this recipient. @param recipient its id. @throws StoreError. */
  followed(recipient: Uint8Array): Followed[] {
    const find = 'SELECT kiosk, since_ms AS sinceMs FROM seals WHERE recipient = ?';
    return translating('registry', () => this.#db.prepare(find).all(recipient)) as Followed[];
  }

  /** Keeps all of these, or none. @param recipient its id. @throws StoreError. */
  put(recipient: Uint8Array, followed: Iterable<Followed>): void {
    translating('registry', () =>
      this.#db.transact(() => {
        const insert = this.#db.prepare('INSERT OR REPLACE INTO seals (kiosk, recipient, since_ms) VALUES (?, ?, ?)');
        for (const { kiosk, sinceMs } of followed) insert.run(kiosk, recipient, sinceMs);
      }),
    );
  }
}
