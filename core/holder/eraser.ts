/**
 * Takes everything under one card out of the core's files, and out of their write-ahead logs: rows of every day, and what core.db says about
 * those rows and about the card. Between two files others have their turn.
 */

import { codeOf } from '../../protocol/errors.ts';
import type { DayStore } from '../day-store.ts';
import type { RowNumber } from '../notes.ts';
import type { CardPseudonym } from '../pseudonym.ts';
import { type Db, emptyLog, inStore } from '../sqlite.ts';

export interface EraserStores {
  /** core.db. */
  readonly db: Db;
  readonly days: DayStore;
}

export interface Erased {
  readonly rows: number;
  /** Days that can not be read now: what may be in them is to be tried again. */
  readonly unreadableDays: number;
}

const CARDS_AT_A_TIME = 2_000;
/** What core.db notes about a row, by the columns that name it. */
const ABOUT_ROWS = [
  'DELETE FROM flag WHERE stream = ? AND seq = ?',
  'DELETE FROM doubt WHERE stream = ? AND seq = ?',
  'DELETE FROM undo WHERE of_stream = ? AND of_seq = ?',
] as const;

export class Eraser {
  readonly #stores: EraserStores;

  constructor(stores: EraserStores) {
    this.#stores = stores;
  }

  /** When it resolves, nothing of the card is in any file that can be read. Doing so again changes nothing. @throws StoreError. */
  async erase(card: CardPseudonym): Promise<Erased> {
    const { days } = this.#stores;
    let rows = 0;
    let unreadableDays = 0;
    for (const day of days.days()) {
      try {
        const gone = days.find(day)?.erase(card) ?? [];
        rows += gone.length;
        if (gone.length > 0) this.#forgetNotes(gone);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        unreadableDays += 1;
      }
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#forgetCard(card);
    return { rows, unreadableDays };
  }

  /** Whether anything of a card is held, in a day that can be read or in core.db. @throws StoreError of core.db. */
  holds(card: CardPseudonym): boolean {
    const { db, days } = this.#stores;
    const isInDays = days.days().some((day) => {
      try {
        return days.find(day)?.holds(card) ?? false;
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        // It may be in there.
        return true;
      }
    });
    return (
      isInDays ||
      inStore('core.db', () => {
        const tables = db.prepare(TABLES_WITH_CARDS).pluck().all() as string[];
        return tables.some((table) => db.prepare(`SELECT 1 FROM "${table}" WHERE card = ? LIMIT 1`).get(card) !== undefined);
      })
    );
  }

  /** Every card that a day's file holds rows of, by and by; one that was in several days comes several times. @throws StoreError. */
  async *cards(): AsyncGenerator<CardPseudonym, void> {
    const { days } = this.#stores;
    for (const day of days.days()) {
      let last = new Uint8Array(0) as CardPseudonym | undefined;
      while (last !== undefined) {
        const some: readonly CardPseudonym[] = days.find(day)?.cardsBehind(last, CARDS_AT_A_TIME) ?? [];
        yield* some;
        last = some.at(-1);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
  }

  #forgetNotes(rows: readonly RowNumber[]): void {
    const { db } = this.#stores;
    inStore('core.db', () =>
      db.transaction(() => {
        for (const sql of ABOUT_ROWS) {
          const forget = db.prepare(sql);
          for (const { stream, seq } of rows) forget.run(stream, seq);
        }
      })(),
    );
  }

  /** Every table of core.db that names cards has a column `card` for it: what hangs on such a row goes with it. */
  #forgetCard(card: CardPseudonym): void {
    const { db } = this.#stores;
    inStore('core.db', () => {
      const tables = db.prepare(TABLES_WITH_CARDS).pluck().all() as string[];
      db.transaction(() => {
        for (const table of tables) db.prepare(`DELETE FROM "${table}" WHERE card = ?`).run(card);
      })();
    });
    emptyLog(db, 'core.db');
  }
}

const TABLES_WITH_CARDS = `SELECT tables.name FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
  WHERE tables.type = 'table' AND columns.name = 'card'`;
