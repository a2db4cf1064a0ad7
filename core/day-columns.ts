/**
 * Lays a day's scans onto shelves by card, and the visits that they make into halls by venue, so that a trace reads few bytes in a row. What is
 * made is of another generation than what is read meanwhile, and takes its place in one commit: a crash between costs the work and nothing else.
 */
import { byGateway, type DayScan } from './card-scans.ts';
import { DAY_MS, type Day, startOfDay } from './day.ts';
import type { DayFile } from './day-file.ts';
import { firstHall, HALLS, LOOSE, SHELVES } from './day-schema.ts';
import type { CardPseudonym } from './pseudonym.ts';
import { pickScans, readScans, type ScanColumns, ScanGatherer, type StoredScan, scanAt } from './scan-columns.ts';
import { inStore, moveLog, type Statement, withoutSync } from './sqlite.ts';
import { CardTable } from './trace/card-table.ts';
import type { Turns } from './trace/turns.ts';
import { LONGEST_STAY_MS, type Visit } from './visit.ts';
import { bytesOf, VisitGatherer } from './visit-columns.ts';

/** So many scans lie on a shelf when it is made: a page or two of the file. */
const SCANS_A_SHELF = 48;
/** Of the two bytes that `place` keeps of a name. */
const MOST_SHELF_BITS = 14;
/** A part of a venue's columns: some 30 kB. */
const VISITS_A_HALL = 512;
/** Longer visits lie in parts of their own: a look passes over whatever may reach from as far back as the longest does. */
const USUAL_VISIT_MS = 3 * 3_600_000;
/** Written in one step. */
const BYTES_A_STEP = 262_144;
/** Moved out of the write-ahead log in one step. */
const BYTES_A_MOVE = 1_048_576;
/** Sorted in one step. */
const SCANS_A_STEP = 65_536;

/** @param scans of one card on this day, in no order. @returns its visits by those that stand. */
export type VisitRule = (scans: readonly StoredScan[]) => {
  readonly visits: readonly DayVisit[];
  readonly standing: readonly DayScan[];
};

export interface DayVisit extends Pick<Visit, 'possible' | 'certain' | 'groupSize' | 'isDoubtful' | 'lingeringMs' | 'closedBy' | 'endMs'> {
  /** The rows that made it; of the first, the venue's number in core.db. */
  readonly scans: readonly { readonly stream: number; readonly seq: number; readonly venueNumber: number }[];
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

/** Indices of scans by the shelf that they go to. */
interface ByShelf {
  readonly order: Uint32Array;
  /** Where each shelf's begin in it; they end where those of the next begin. */
  readonly starts: Uint32Array;
}

class ColumnsMaker {
  readonly #file: DayFile;
  readonly #startMs: number;
  readonly #rule: VisitRule;
  readonly #generation: number;
  readonly #bits: number;
  readonly #expected: number;
  readonly #visits = new VisitGatherer();
  readonly #byVenue = new Map<number, number[]>();
  readonly #loose = { in: [] as Uint8Array[], out: [] as Uint8Array[] };
  readonly #insertShelf: Statement;
  readonly #insertHall: Statement;
  #waiting: (() => void)[] = [];
  #waitingBytes = 0;
  #inLogBytes = 0;

  constructor(file: DayFile, day: Day, rule: VisitRule) {
    this.#file = file;
    this.#startMs = startOfDay(day);
    this.#rule = rule;
    this.#generation = file.columns.generation + 1;
    this.#insertShelf = file.db.prepare('INSERT INTO shelf (id, scans) VALUES (?, ?)');
    this.#insertHall = file.db.prepare('INSERT INTO hall (id, from_ms, to_ms, visits) VALUES (?, ?, ?, ?)');
    this.#expected = file.freshCount;
    const scans = file.columns.scans + this.#expected;
    const wanted = Math.ceil(Math.log2(Math.max(1, scans / SCANS_A_SHELF)));
    this.#bits = Math.min(MOST_SHELF_BITS, Math.max(file.columns.shelfBits, wanted));
  }

  /** Each step is short; what others do between two of them is left for the next columns. */
  *steps(): Generator<void> {
    const file = this.#file;
    const { db } = file;
    const one = (sql: string): number => inStore(file.subject, () => Number(db.prepare(sql).pluck().get() ?? 0));
    const lastRun = Math.max(file.columns.lastRun, one('SELECT max(id) FROM run'));
    const lastStale = one('SELECT max(id) FROM stale');
    yield* this.#clear();
    const fresh = yield* this.#gatherFresh(lastRun);
    const { order, starts } = yield* this.#byShelf(fresh);
    let scans = 0;
    const spread = this.#bits - file.columns.shelfBits;
    const hasOld = file.columns.generation > 0;
    for (let shelf = 0; shelf < 2 ** this.#bits; shelf++) {
      const on = new ScanGatherer(SCANS_A_SHELF * 2);
      const old = hasOld ? file.shelf(shelf >>> spread) : undefined;
      if (old !== undefined) {
        const picks: number[] = [];
        for (let index = 0; index < old.count; index++) if (this.#shelfOf(old.names, index * 16) === shelf) picks.push(index);
        on.push(old, picks);
      }
      on.push(fresh, order.subarray(starts[shelf], starts[shelf + 1]));
      if (on.columns.count === 0) continue;
      scans += on.columns.count;
      if (this.#layShelf(shelf, on.columns)) yield* this.#write();
      yield;
    }
    for (const venue of [...this.#byVenue.keys()].sort((a, b) => a - b)) yield* this.#layHalls(venue, this.#byVenue.get(venue) ?? []);
    yield* this.#write();
    this.#takePlace({ scans, lastRun, lastStale });
    this.#file.forgetRead();
    yield;
    // Of the generation before, by and by.
    yield* this.#clearBefore(lastRun);
  }

  *#gatherFresh(lastRun: number): Generator<void, ScanColumns> {
    const fresh = new ScanGatherer(this.#expected);
    for (let last = this.#file.columns.lastRun; last < lastRun; ) {
      const runs = this.#file.runsAfter(last).filter(({ id }) => id <= lastRun);
      for (const { scans } of runs) fresh.pushAll(scans);
      last = runs.at(-1)?.id ?? lastRun;
      yield;
    }
    return fresh.columns;
  }

  *#byShelf({ count, names }: ScanColumns): Generator<void, ByShelf> {
    const starts = new Uint32Array(2 ** this.#bits + 1);
    const order = new Uint32Array(count);
    for (let index = 0; index < count; index++) {
      const behind = this.#shelfOf(names, index * 16) + 1;
      starts[behind] = (starts[behind] as number) + 1;
      if (index % SCANS_A_STEP === 0) yield;
    }
    for (let shelf = 1; shelf < starts.length; shelf++) starts[shelf] = (starts[shelf] as number) + (starts[shelf - 1] as number);
    const next = starts.slice();
    for (let index = 0; index < count; index++) {
      const shelf = this.#shelfOf(names, index * 16);
      order[next[shelf] as number] = index;
      next[shelf] = (next[shelf] as number) + 1;
      if (index % SCANS_A_STEP === 0) yield;
    }
    return { order, starts };
  }

  #shelfOf(names: Uint8Array, at: number): number {
    return (((names[at] as number) << 8) | (names[at + 1] as number)) >>> (16 - this.#bits);
  }

  /** @returns whether it is time to write. */
  #layShelf(shelf: number, unsorted: ScanColumns): boolean {
    const cards = new CardTable(unsorted.count);
    const byCard: number[][] = [];
    for (let index = 0; index < unsorted.count; index++) {
      const number = cards.number(unsorted.names, index * 16);
      const own = byCard[number];
      if (own === undefined) byCard[number] = [index];
      else own.push(index);
    }
    const bytes = pickScans(unsorted, byCard.flat());
    const columns = readScans(bytes);
    let first = 0;
    for (const { length } of byCard) {
      this.#layVisits(columns, first, first + length);
      first += length;
    }
    const id = this.#generation * SHELVES + shelf;
    return this.#later(bytes.length, () => this.#insertShelf.run(id, bytes));
  }

  /** @param first of the scans of one card. @param end where another's begin. */
  #layVisits(columns: ScanColumns, first: number, end: number): void {
    const card = columns.names.slice(first * 16, first * 16 + 16) as CardPseudonym;
    const scans: StoredScan[] = [];
    for (let index = first; index < end; index++) scans.push(scanAt(columns, index, card));
    const { visits, standing } = this.#rule(scans);
    if (byGateway(standing).some((own) => isOutFirst(own, this.#startMs))) this.#loose.out.push(card);
    const isIn = visits.some(({ closedBy, endMs }) => closedBy === 'dwell' && endMs >= this.#startMs + DAY_MS);
    if (isIn) this.#loose.in.push(card);
    // Told of by the overlay, always.
    if (isIn) return;
    for (const visit of visits) {
      const venue = visit.scans[0]?.venueNumber ?? 0;
      const index = this.#visits.push(visit, visit.scans, venue, card);
      const there = this.#byVenue.get(venue);
      if (there === undefined) this.#byVenue.set(venue, [index]);
      else there.push(index);
    }
  }

  *#layHalls(venue: number, indices: readonly number[]): Generator<void> {
    const isLong = (index: number): boolean => this.#visits.lengthMs(index) > USUAL_VISIT_MS;
    const most = Math.max(VISITS_A_HALL, Math.ceil(indices.length / (HALLS - 2)));
    let id = firstHall(this.#generation, venue);
    for (const some of [indices.filter((index) => !isLong(index)), indices.filter(isLong)]) {
      const sorted = some.sort((a, b) => this.#visits.fromMs(a) - this.#visits.fromMs(b));
      for (let first = 0; first < sorted.length; first += most) {
        const part = sorted.slice(first, first + most);
        const columns = this.#visits.columns(part, this.#startMs);
        const bytes = bytesOf(columns);
        const fromMs = columns.baseMs + (columns.fromMs[0] as number);
        const toMs = columns.baseMs + columns.toMs.reduce((latest, one) => Math.max(latest, one), Number.NEGATIVE_INFINITY);
        const own = id;
        id += 1;
        if (this.#later(bytes.length, () => this.#insertHall.run(own, fromMs, toMs, bytes))) yield* this.#write();
        yield;
      }
    }
  }

  #later(bytes: number, write: () => void): boolean {
    this.#waiting.push(write);
    this.#waitingBytes += bytes;
    return this.#waitingBytes >= BYTES_A_STEP;
  }

  /** Nothing reads it yet, so that a power cut may take it: it is synced with the commit that puts it in its place. */
  *#write(): Generator<void> {
    const [waiting, bytes] = [this.#waiting, this.#waitingBytes];
    this.#waiting = [];
    this.#waitingBytes = 0;
    yield* this.#change(bytes, () => {
      for (const write of waiting) write();
    });
  }

  *#change(bytes: number, run: () => void): Generator<void> {
    const { db, subject } = this.#file;
    withoutSync(db, subject, run);
    yield;
    this.#inLogBytes += bytes;
    if (this.#inLogBytes < BYTES_A_MOVE) return;
    this.#inLogBytes = 0;
    moveLog(db, subject);
    yield;
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
  *#clear(): Generator<void> {
    yield* this.#delete('shelf', 'scans', `id >= ${this.#generation * SHELVES}`);
    yield* this.#delete('hall', 'visits', `id >= ${firstHall(this.#generation, 0)}`);
    inStore(this.#file.subject, () => this.#file.db.prepare('DELETE FROM loose WHERE generation >= ?').run(this.#generation));
  }

  *#clearBefore(lastRun: number): Generator<void> {
    yield* this.#delete('run', 'scans', `id <= ${lastRun}`);
    yield* this.#delete('shelf', 'scans', `id < ${this.#generation * SHELVES}`);
    yield* this.#delete('hall', 'visits', `id < ${firstHall(this.#generation, 0)}`);
    inStore(this.#file.subject, () => this.#file.db.prepare('DELETE FROM loose WHERE generation < ?').run(this.#generation));
  }

  /** In steps: what is deleted is overwritten. */
  *#delete(table: string, blob: string, where: string): Generator<void> {
    const { db, subject } = this.#file;
    const next = db.prepare(`SELECT id, length(${blob}) AS bytes FROM ${table} WHERE ${where} ORDER BY id LIMIT 256`);
    const remove = db.prepare(`DELETE FROM ${table} WHERE ${where} AND id <= ?`);
    for (;;) {
      const some = inStore(subject, () => next.all() as { id: number; bytes: number }[]);
      let [last, sum] = [some[0]?.id, some[0]?.bytes ?? 0];
      for (const { id, bytes } of some.slice(1)) {
        if (sum + bytes > BYTES_A_STEP) break;
        sum += bytes;
        last = id;
      }
      if (last === undefined) return;
      yield* this.#change(sum, () => remove.run(last));
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
