/**
 * The day files: which there are, which are open, and how one is dropped whole. `days/YYYY-MM-DD.db`, each under its own random
 * key, which lies in core.db.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Day } from './day.ts';
import { type DayCounts, DayFile } from './day-file.ts';
import type { DayKeys } from './day-keys.ts';
import { LruMap } from './lru-map.ts';
import { inStore } from './sqlite.ts';

export interface DayStoreOptions {
  readonly dir: string;
  readonly keys: DayKeys;
  readonly log: Log;
  /** A reader makes, completes and drops nothing. */
  readonly mode: 'write' | 'read';
  /** Files open at a time; each takes 3 file handles, and 4 MB at most or 16 MB when written to. */
  readonly mostOpen?: number;
  readonly walAutocheckpointPages?: number;
}

/** Retention's 21 days, and a few that are only being dropped. */
const MOST_OPEN = 24;
/** 16 MB; SQLite's own is 1,000. Measured in docs/decisions/0011-core-store.md. */
const WAL_AUTOCHECKPOINT_PAGES = 4_000;

const DAY_FILE = /^(\d{4}-\d\d-\d\d)\.db(-wal|-shm|-journal)?$/;

/** Of several days together. */
export interface DaysCounts extends DayCounts {
  /** Of these, those whose files are lost or can not be read: nothing of them is counted. */
  readonly unreadableDays: number;
}

export class DayStore {
  readonly #dir: string;
  readonly #keys: DayKeys;
  readonly #log: Log;
  readonly #mode: 'write' | 'read';
  readonly #walAutocheckpointPages: number;
  readonly #open: LruMap<Day, DayFile>;

  /** Completes what a crash left half dropped: a file without a key is removed. @throws StoreError as `inStore`. */
  constructor(options: DayStoreOptions) {
    this.#dir = options.dir;
    this.#keys = options.keys;
    this.#log = options.log;
    this.#mode = options.mode;
    this.#walAutocheckpointPages = options.walAutocheckpointPages ?? WAL_AUTOCHECKPOINT_PAGES;
    this.#open = new LruMap(options.mostOpen ?? MOST_OPEN, (file) => file.close());
    if (this.#mode === 'write') this.#removeForgotten();
  }

  /** How many files are open now. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Every day that is held, oldest first. */
  days(): Day[] {
    return this.#keys.days();
  }

  /**
   * @returns the day's file; `undefined` when nothing of that day is held.
   * @throws StoreError `store.corrupt` when the file is lost or does not open, and as `openEncrypted`. Other days are not touched by it.
   */
  find(day: Day): DayFile | undefined {
    const open = this.#open.get(day);
    if (open !== undefined) return open;
    const found = this.#keys.find(day);
    // Made a moment ago by a writer in another process, or by one that crashed: nothing is in it.
    if (found === undefined || (!found.isMade && this.#mode === 'read')) return undefined;
    if (found.isMade && !existsSync(this.#path(day))) {
      // A writer in another process may have dropped the day between the two looks.
      if (this.#keys.find(day) === undefined) return undefined;
      throw new StoreError('store.corrupt', `day ${day}: its file is missing`);
    }
    const file = new DayFile(this.#path(day), {
      day,
      key: found.key,
      mode: this.#mode,
      walAutocheckpointPages: this.#walAutocheckpointPages,
    });
    if (!found.isMade) this.#keys.setMade(day);
    this.#open.set(day, file);
    return file;
  }

  /** As `find`, and makes the day's key and file when there are none. */
  findOrMake(day: Day): DayFile {
    const held = this.find(day);
    if (held !== undefined) return held;
    this.#keys.make(day);
    return this.find(day) ?? this.findOrMake(day);
  }

  countsOf(days: readonly Day[]): DaysCounts {
    const sum = { checkIns: 0, checkOuts: 0, readings: 0, unreadableDays: 0 };
    for (const day of days) {
      try {
        const counts = this.find(day)?.counts();
        sum.checkIns += counts?.checkIns ?? 0;
        sum.checkOuts += counts?.checkOuts ?? 0;
        sum.readings += counts?.readings ?? 0;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        sum.unreadableDays += 1;
      }
    }
    return sum;
  }

  /**
   * Forgets a day: first its key, then its file. When this returns, nothing of it can be read. Twice is not an error.
   * @param note is called once together with the forgetting of the key, so that a crash counts it neither twice nor not at all.
   */
  drop(day: Day, note: () => void): void {
    this.#keys.forget(day, note);
    this.#open.delete(day);
    this.#removeFiles(day);
    this.#log.info('day.dropped', { day });
  }

  close(): void {
    this.#open.clear();
  }

  #removeForgotten(): void {
    inStore('day files', () => mkdirSync(this.#dir, { recursive: true, mode: 0o700 }));
    const names = inStore('day files', () => readdirSync(this.#dir));
    const days = new Set(names.map((name) => DAY_FILE.exec(name)?.[1] as Day | undefined));
    for (const day of days) {
      if (day === undefined || this.#keys.find(day) !== undefined) continue;
      this.#removeFiles(day);
      this.#log.warn('day.drop_completed', { day });
    }
  }

  #removeFiles(day: Day): void {
    inStore(`day ${day}`, () => {
      for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${this.#path(day)}${suffix}`, { force: true });
    });
  }

  #path(day: Day): string {
    return join(this.#dir, `${day}.db`);
  }
}
