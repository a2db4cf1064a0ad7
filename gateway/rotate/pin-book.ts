/**
 * Which of the gateway's keys each kiosk has said that it knows the gateway by, in the registry's file: who never said so can not follow to another
 * one, or was not heard since it could.
 */
import type { KioskId } from '../../protocol/ids.ts';
import { type Db, translating } from '../database.ts';

export const PINS_STEP = `CREATE TABLE pins (kiosk TEXT PRIMARY KEY, generation INTEGER NOT NULL CHECK (generation >= 0)) STRICT;`;

export class PinBook {
  readonly #db: Db;

  /** @param db the registry's. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** The generation that each has said last. @throws StoreError. */
  all(): Map<KioskId, number> {
    const rows = translating('registry', () => this.#db.prepare('SELECT kiosk, generation FROM pins').all()) as {
      kiosk: KioskId;
      generation: number;
    }[];
    return new Map(rows.map(({ kiosk, generation }) => [kiosk, generation]));
  }

  /** Keeps all of these, or none. @throws StoreError. */
  put(said: Iterable<readonly [KioskId, number]>): void {
    translating('registry', () =>
      this.#db.transact(() => {
        const insert = this.#db.prepare('INSERT OR REPLACE INTO pins VALUES (?, ?)');
        for (const [kiosk, generation] of said) insert.run(kiosk, generation);
      }),
    );
  }
}
