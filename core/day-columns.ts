/**
 * Lays a day's scans onto shelves by card, and the visits that they make into halls by venue, so that a trace reads few bytes in a row. What is
 * made is of another generation than what is read meanwhile, and takes its place in one commit: a crash between costs the work and nothing else.
 */
import { byGateway, type DayScan } from './card-scans.ts';
import { DAY_MS, type Day, startOfDay } from './day.ts';
import { type DayFile, LOOSE, SHELVES } from './day-file.ts';
import { pickScans, type ScanColumns, type StoredScan, scanAt } from './scan-columns.ts';
import { inStore, type Statement } from './sqlite.ts';
import type { CardVisit } from './store.ts';
import { CardTable } from './trace/card-table.ts';
import type { Turns } from './trace/turns.ts';
import { LONGEST_STAY_MS } from './visit.ts';
import { bytesOf, VisitGatherer } from './visit-columns.ts';

/** So many scans lie on a shelf when it is made: a page or two of the file. */
const SCANS_A_SHELF = 48;
/** Of the two bytes that `place` keeps of a name. */
const MOST_SHELF_BITS = 14;
/** A part of a venue's columns: some 30 kB. */
const VISITS_A_HALL = 512;
/** Longer visits lie in parts of their own: a look passes over whatever may reach from as far back as the longest does. */
const USUAL_VISIT_MS = 3 * 3_600_000;
/** Written in one commit. */
const BYTES_A_COMMIT = 1_000_000;

/** @param scans of one card on this day, in no order. @returns its visits by those that stand. */
export type VisitRule = (scans: readonly StoredScan[]) => {
  readonly visits: readonly DayVisit[];
  readonly standing: readonly DayScan[];
};

export interface DayVisit extends CardVisit {
  readonly closedBy: 'check-out' | 'check-in-elsewhere' | 'dwell';
  readonly endMs: number;
  /** Its number in core.db. */
  readonly venueNumber: number;
}

/**
 * Makes the columns of all that the day holds.
 * @param turns lets others have their turn; when one of them takes rows out or closes the file, nothing is made, and it is to be tried again.
 * @throws StoreError.
 */
export async function makeColumns(file: DayFile, day: Day, rule: VisitRule, turns: Turns): Promise<void> {
  const { epoch } = file;
  const maker = new ColumnsMaker(file, day, rule);
  for (const _ of maker.steps()) {
    if (!turns.isOver) continue;
    await turns.next();
    if (!file.isOpen || file.epoch !== epoch) return;
  }
}

class ColumnsMaker {
  readonly #file: DayFile;
  readonly #startMs: number;
  readonly #rule: VisitRule;
  readonly #generation: number;
  readonly #bits: number;
  readonly #visits = new VisitGatherer();
  readonly #byVenue = new Map<number, number[]>();
  readonly #loose = { in: [] as Uint8Array[], out: [] as Uint8Array[] };
  readonly #insertShelf: Statement;
  readonly #insertHall: Statement;
  #waiting: (() => void)[] = [];
  #waitingBytes = 0;

  constructor(file: DayFile, day: Day, rule: VisitRule) {
    this.#file = file;
    this.#startMs = startOfDay(day);
    this.#rule = rule;
    this.#generation = file.columns.generation + 1;
    this.#insertShelf = file.db.prepare('INSERT INTO shelf (id, scans) VALUES (?, ?)');
    this.#insertHall = file.db.prepare('INSERT INTO hall (generation, venue, from_ms, to_ms, visits) VALUES (?, ?, ?, ?, ?)');
    const scans = file.columns.scans + file.fresh().count;
    const wanted = Math.ceil(Math.log2(Math.max(1, scans / SCANS_A_SHELF)));
    this.#bits = Math.min(MOST_SHELF_BITS, Math.max(file.columns.shelfBits, wanted));
  }

  /** Each step is short; what others do between two of them is left for the next columns. */
  *steps(): Generator<void> {
    const file = this.#file;
    const { db } = file;
    const fresh = file.fresh();
    const runs = fresh.runs.slice();
    const lastRun = fresh.lastId;
    const lastStale = inStore(file.subject, () => Number(db.prepare('SELECT max(id) FROM stale').pluck().get() ?? 0));
    this.#clear();
    const byShelf = new Map<number, [number, number][]>();
    for (const [run, { count, names }] of runs.entries()) {
      for (let index = 0; index < count; index++) {
        const shelf = this.#shelfOf(names, index * 16);
        const picks = byShelf.get(shelf);
        if (picks === undefined) byShelf.set(shelf, [[run, index]]);
        else picks.push([run, index]);
      }
      yield;
    }
    let scans = 0;
    const spread = this.#bits - file.columns.shelfBits;
    const hasOld = file.columns.generation > 0;
    for (let shelf = 0; shelf < 2 ** this.#bits; shelf++) {
      const from: ScanColumns[] = [];
      const picks: [number, number][] = [];
      const old = hasOld ? file.shelf(shelf >>> spread) : undefined;
      if (old !== undefined) {
        from.push(old);
        for (let index = 0; index < old.count; index++) if (this.#shelfOf(old.names, index * 16) === shelf) picks.push([0, index]);
      }
      for (const [run, index] of byShelf.get(shelf) ?? []) {
        picks.push([from.length, index]);
        from.push(runs[run] as ScanColumns);
      }
      if (picks.length === 0) continue;
      scans += picks.length;
      this.#layShelf(shelf, from, picks);
      yield;
    }
    for (const [venue, indices] of this.#byVenue) {
      yield* this.#layHalls(venue, indices);
    }
    this.#write();
    yield;
    this.#takePlace({ scans, lastRun, lastStale });
    this.#file.forgetRead();
    yield;
    // Of the generation before, by and by.
    yield* this.#clearBefore(lastRun);
  }

  #shelfOf(names: Uint8Array, at: number): number {
    return (((names[at] as number) << 8) | (names[at + 1] as number)) >>> (16 - this.#bits);
  }

  #layShelf(shelf: number, from: readonly ScanColumns[], picks: [number, number][]): void {
    const cards = new CardTable(picks.length);
    const byCard: [number, number][][] = [];
    for (const pick of picks) {
      const number = cards.number((from[pick[0]] as ScanColumns).names, pick[1] * 16);
      const own = byCard[number];
      if (own === undefined) byCard[number] = [pick];
      else own.push(pick);
    }
    const bytes = pickScans(from, byCard.flat());
    const id = this.#generation * SHELVES + shelf;
    this.#later(bytes.length, () => this.#insertShelf.run(id, bytes));
    for (const [number, own] of byCard.entries()) {
      const card = cards.name(number);
      this.#layVisits(
        card,
        own.map(([place, index]) => scanAt(from[place] as ScanColumns, index, card)),
      );
    }
  }

  #layVisits(card: Uint8Array, scans: readonly StoredScan[]): void {
    const { visits, standing } = this.#rule(scans);
    if (byGateway(standing).some((own) => isOutFirst(own, this.#startMs))) this.#loose.out.push(card);
    const isIn = visits.some(({ closedBy, endMs }) => closedBy === 'dwell' && endMs >= this.#startMs + DAY_MS);
    if (isIn) this.#loose.in.push(card);
    // Told of by the overlay, always.
    if (isIn) return;
    for (const visit of visits) {
      const index = this.#visits.count;
      this.#visits.push(visit, visit.venueNumber, card);
      const there = this.#byVenue.get(visit.venueNumber);
      if (there === undefined) this.#byVenue.set(visit.venueNumber, [index]);
      else there.push(index);
    }
  }

  *#layHalls(venue: number, indices: readonly number[]): Generator<void> {
    const isLong = (index: number): boolean => this.#visits.lengthMs(index) > USUAL_VISIT_MS;
    for (const some of [indices.filter((index) => !isLong(index)), indices.filter(isLong)]) {
      const sorted = some.sort((a, b) => this.#visits.fromMs(a) - this.#visits.fromMs(b));
      for (let first = 0; first < sorted.length; first += VISITS_A_HALL) {
        const part = sorted.slice(first, first + VISITS_A_HALL);
        const columns = this.#visits.columns(part, this.#startMs);
        const bytes = bytesOf(columns);
        const fromMs = columns.baseMs + (columns.fromMs[0] as number);
        const toMs = columns.baseMs + columns.toMs.reduce((latest, one) => Math.max(latest, one), Number.NEGATIVE_INFINITY);
        this.#later(bytes.length, () => this.#insertHall.run(this.#generation, venue, fromMs, toMs, bytes));
        yield;
      }
    }
  }

  #later(bytes: number, write: () => void): void {
    this.#waiting.push(write);
    this.#waitingBytes += bytes;
    if (this.#waitingBytes >= BYTES_A_COMMIT) this.#write();
  }

  #write(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    inStore(this.#file.subject, () =>
      this.#file.db.transaction(() => {
        for (const write of waiting) write();
      })(),
    );
  }

  #takePlace({ scans, lastRun, lastStale }: { readonly scans: number; readonly lastRun: number; readonly lastStale: number }): void {
    const { db, subject } = this.#file;
    inStore(subject, () =>
      db.transaction(() => {
        for (const kind of ['in', 'out'] as const) {
          const names = Buffer.concat(this.#loose[kind]);
          db.prepare('INSERT INTO loose (generation, kind, names) VALUES (?, ?, ?)').run(this.#generation, LOOSE[kind], names);
        }
        const update = 'UPDATE columns SET generation = ?, shelf_bits = ?, scans = ?, last_run = ?';
        db.prepare(update).run(this.#generation, this.#bits, scans, lastRun);
        db.prepare('DELETE FROM stale WHERE id <= ?').run(lastStale);
      })(),
    );
  }

  /** What an earlier making that was given up has left. */
  #clear(): void {
    const { db, subject } = this.#file;
    inStore(subject, () => {
      db.prepare('DELETE FROM shelf WHERE id >= ?').run(this.#generation * SHELVES);
      db.prepare('DELETE FROM hall WHERE generation >= ?').run(this.#generation);
      db.prepare('DELETE FROM loose WHERE generation >= ?').run(this.#generation);
    });
  }

  *#clearBefore(lastRun: number): Generator<void> {
    const { db, subject } = this.#file;
    for (const sql of [
      `DELETE FROM run WHERE id IN (SELECT id FROM run WHERE id <= ${lastRun} ORDER BY id LIMIT 16)`,
      `DELETE FROM shelf WHERE id IN (SELECT id FROM shelf WHERE id < ${this.#generation * SHELVES} LIMIT 128)`,
      `DELETE FROM hall WHERE id IN (SELECT id FROM hall WHERE generation < ${this.#generation} LIMIT 64)`,
      `DELETE FROM loose WHERE generation < ${this.#generation}`,
    ]) {
      while (inStore(subject, () => db.prepare(sql).run().changes) > 0) yield;
    }
  }
}

/** Whether a card went out before it came in: a visit of the day before may end with that. */
function isOutFirst(standing: readonly DayScan[], startMs: number): boolean {
  let [firstInMs, firstOutMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { kind, atMs } of standing) {
    if (kind === 'check-in') firstInMs = Math.min(firstInMs, atMs);
    else firstOutMs = Math.min(firstOutMs, atMs);
  }
  return firstOutMs <= firstInMs && firstOutMs <= startMs + LONGEST_STAY_MS;
}
