/**
 * Makes a day's columns anew when enough rows came since. In short steps between which others have their turn, and one day at a time; what is
 * not in the columns yet is in every answer all the same, only slower.
 */
import { codeOf, StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { Day } from './day.ts';
import { makeColumns, type VisitRule } from './day-columns.ts';
import type { DayStore } from './day-store.ts';
import { Turns } from './trace/turns.ts';

const TIDY_AFTER_MS = 60_000;
/** So many rows are looked at one by one in some tenths of a second. */
const FEWEST_FRESH = 4_096;
/** Of the rows in the columns: a day's rows are laid into columns some sixteen times while they come. */
const FRESH_SHARE = 1 / 16;

export interface TidierParts {
  readonly days: DayStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly heldDays: () => readonly Day[];
  readonly rule: () => VisitRule;
}

export class Tidier {
  readonly #parts: TidierParts;
  readonly #stop = new AbortController();
  #last: Promise<void> = Promise.resolve();
  readonly #holders = new Set<object>();
  /** Told of already. */
  readonly #failed = new Set<Day>();
  #isSoon = false;
  #cancel: () => void = () => {};

  constructor(parts: TidierParts) {
    this.#parts = parts;
  }

  /** Call when rows came: within a minute it is looked whether they are enough. */
  soon(): void {
    if (this.#isSoon || this.#stop.signal.aborted) return;
    this.#isSoon = true;
    this.#cancel = this.#parts.clock.after(TIDY_AFTER_MS, () => {
      this.#isSoon = false;
      void this.tidy();
    });
  }

  /** Resolves when every day's columns have most of its rows. A day that can not be read or written is told of in the log, once, and left as it is. */
  tidy(): Promise<void> {
    this.#last = this.#last.then(() => this.#tidyDays());
    return this.#last;
  }

  /**
   * Tidies, and then keeps the columns as they are, so that a trace reads the same ones from its beginning to its end.
   * @returns lets go of them; twice is not an error.
   */
  async hold(): Promise<() => void> {
    if (this.#holders.size === 0) await this.tidy();
    const holder = {};
    this.#holders.add(holder);
    return () => this.#holders.delete(holder);
  }

  /** Ends what is under way. Twice is not an error. */
  close(): void {
    this.#cancel();
    this.#stop.abort();
  }

  async #tidyDays(): Promise<void> {
    const { heldDays, clock, log } = this.#parts;
    const { signal } = this.#stop;
    const turns = new Turns(clock, signal);
    if (signal.aborted) return;
    for (const day of heldDays()) {
      if (this.#holders.size > 0) return;
      try {
        await this.#tidyDay(day, turns);
        this.#failed.delete(day);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof StoreError)) throw error;
        if (this.#failed.has(day)) continue;
        this.#failed.add(day);
        log.warn('columns.failed', { day, code: codeOf(error) });
      }
    }
  }

  async #tidyDay(day: Day, turns: Turns): Promise<void> {
    const { days, rule } = this.#parts;
    const file = days.find(day);
    if (file === undefined) return;
    if (file.freshCount < Math.max(FEWEST_FRESH, file.columns.scans * FRESH_SHARE)) return;
    await makeColumns(file, day, rule(), turns);
  }
}
