/** The key of each day. To forget a day's key is to forget the day: its file is noise from then on. */
import { randomBytes } from 'node:crypto';
import type { Day } from './day.ts';
import { type Db, inStore, type Statement } from './sqlite.ts';

export interface DayKey {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Whether the day's file has once been made. */
  readonly isMade: boolean;
}

export class DayKeys {
  readonly #db: Db;
  readonly #find: Statement;
  readonly #list: Statement;

  constructor(db: Db) {
    this.#db = db;
    this.#find = db.prepare('SELECT key, is_made FROM day WHERE day = ?');
    this.#list = db.prepare('SELECT day FROM day ORDER BY day').pluck();
  }

  /** Every day that has a key, oldest first. */
  days(): Day[] {
    return inStore('core.db', () => this.#list.all() as Day[]);
  }

  find(day: Day): DayKey | undefined {
    const row = inStore('core.db', () => this.#find.get(day) as { key: Uint8Array; is_made: number } | undefined);
    return row && { key: new Uint8Array(row.key), isMade: row.is_made === 1 };
  }

  /** @returns the day's key: when it had none, a random one that a power cut can no longer lose. */
  make(day: Day): DayKey {
    inStore('core.db', () => this.#db.prepare('INSERT OR IGNORE INTO day (day, key, is_made) VALUES (?, ?, 0)').run(day, randomBytes(32)));
    return this.find(day) ?? this.make(day);
  }

  /** Notes that the day's file is there. */
  setMade(day: Day): void {
    inStore('core.db', () => this.#db.prepare('UPDATE day SET is_made = 1 WHERE day = ?').run(day));
  }

  /**
   * When this returns, nobody can open the day's file again: the key is overwritten in core.db and its write-ahead log is emptied.
   * (A reader in another process can hold the log open; it is then emptied with the next day that is forgotten.)
   * @param note is called once within the same transaction, if the day had a key.
   */
  forget(day: Day, note: () => void): void {
    inStore('core.db', () => {
      this.#db.transaction(() => {
        const { changes } = this.#db.prepare('DELETE FROM day WHERE day = ?').run(day);
        this.#db.prepare('DELETE FROM stream_day WHERE day = ?').run(day);
        if (changes > 0) note();
      })();
      this.#db.pragma('wal_checkpoint(TRUNCATE)');
    });
  }
}
