/** One day's encrypted file: the scans of that day, and which readings were taken (never what they read). */
import { StoreError } from '../protocol/errors.ts';
import type { Day } from './day.ts';
import { takeOut } from './day-erase.ts';
import { DayPlaces, PLACE_BEFORE } from './day-places.ts';
import { DAY_SCHEMA, firstHall, HALLS, LOOSE, SHELVES } from './day-schema.ts';
import { type FreshRun, FreshScans } from './fresh-scans.ts';
import { LruMap } from './lru-map.ts';
import type { RowNumber } from './notes.ts';
import { type CardPseudonym, nameText } from './pseudonym.ts';
import { KINDS, readScans, type ScanColumns, type StoredScan, scansOfCard, writeScans } from './scan-columns.ts';
import { type Db, emptyLog, inStore, openEncrypted, prepared, type Statement, widenCache } from './sqlite.ts';

export type { StoredScan } from './scan-columns.ts';

export interface DayCounts {
  readonly checkIns: number;
  readonly checkOuts: number;
  readonly readings: number;
}

/** What is known of a day's columns. */
export interface ColumnsState {
  /** 0 while there are none. */
  readonly generation: number;
  readonly shelfBits: number;
  /** Scans in them. */
  readonly scans: number;
  /** The last run that is in them. */
  readonly lastRun: number;
  /** No scan of the day, in them or not, is less sure. */
  readonly mostUnsureMs: number;
  /** Of no scan of the day did the air linger for longer. */
  readonly mostLingeringMs: number;
}

/** A part of a venue's columns: from the earliest possible start to the latest possible end of its visits. */
export interface Hall {
  readonly id: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The statements that read, by name; a test asks SQLite how it would run each. */
export const DAY_QUERIES = {
  shelf: 'SELECT scans FROM shelf WHERE id = ?',
  halls: 'SELECT id, from_ms AS fromMs, to_ms AS toMs FROM hall WHERE id BETWEEN ? AND ?',
  hall: 'SELECT visits FROM hall WHERE id = ?',
  runsAfter: 'SELECT id, scans FROM run WHERE id > ? ORDER BY id',
  placeBefore: PLACE_BEFORE,
} as const;

/** Read in one step. */
const SCANS_AT_A_TIME = 16_384;
/** Venues whose halls are remembered, of each open day. */
const MOST_VENUES = 4_096;

export class DayFile {
  readonly db: Db;
  readonly subject: string;
  readonly #queries: Readonly<Record<Exclude<keyof typeof DAY_QUERIES, 'placeBefore'>, Statement>>;
  readonly #places: DayPlaces;
  readonly #isReader: boolean;
  readonly #halls = new LruMap<number, readonly Hall[]>(MOST_VENUES);
  #isWrittenTo = false;
  #state: ColumnsState;
  #fresh: FreshScans;
  #isFreshKnown = false;
  #version = 0;
  #epoch = 0;
  #isOpen = true;
  #dataVersion = -1;

  /** @param key 32 bytes. @throws StoreError as `openEncrypted`; `store.corrupt` when the file does not open under its key. */
  constructor(
    path: string,
    options: { readonly day: Day; readonly key: Uint8Array; readonly mode: 'write' | 'read'; readonly walAutocheckpointPages: number },
  ) {
    this.subject = `day ${options.day}`;
    this.#isReader = options.mode === 'read';
    this.db = openEncrypted(path, { ...options, subject: this.subject, schema: DAY_SCHEMA, ifUnreadable: 'store.corrupt' });
    const prepare = (sql: string): Statement => inStore(this.subject, () => this.db.prepare(sql));
    this.#queries = {
      shelf: prepare(DAY_QUERIES.shelf).pluck(),
      halls: prepare(DAY_QUERIES.halls),
      hall: prepare(DAY_QUERIES.hall).pluck(),
      runsAfter: prepare(DAY_QUERIES.runsAfter),
    };
    this.#places = new DayPlaces(this.db, this.subject);
    this.#state = this.#readState();
    this.#fresh = new FreshScans(this.#state.lastRun);
    if (!this.#isReader) this.#clearLeftOver();
  }

  /** Another number after each change that may alter what the day says. */
  get version(): number {
    return this.#version;
  }

  /** Another number when what was read of it before is to be read anew: since columns were made, or rows taken out. */
  get epoch(): number {
    return this.#epoch;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get columns(): ColumnsState {
    return this.#state;
  }

  /** Looks whether another process changed the file; one that is written to here knows by itself. */
  refresh(): void {
    if (!this.#isReader) return;
    const dataVersion = inStore(this.subject, () => this.db.pragma('data_version', { simple: true }) as number);
    if (dataVersion === this.#dataVersion) return;
    this.#dataVersion = dataVersion;
    const { generation } = this.#state;
    this.#state = this.#readState();
    // Rows that came are read behind those that are known; a card that was taken out is told of to whoever keeps a file open for long.
    if (this.#state.generation !== generation) this.forgetRead();
    this.#isFreshKnown = false;
    this.#version += 1;
  }

  /** What was read is to be read anew: the columns were made, or rows taken out. */
  forgetRead(): void {
    this.#version += 1;
    this.#epoch += 1;
    this.#state = this.#readState();
    this.#fresh = new FreshScans(this.#state.lastRun);
    this.#isFreshKnown = false;
    this.#halls.clear();
  }

  /**
   * Keeps rows: all of them or, when it throws, none. When it returns, a power cut cannot lose them. A row already held is left as it is.
   * @throws StoreError.
   */
  add(rows: readonly StoredScan[]): void {
    if (!this.#isWrittenTo) widenCache(this.db);
    this.#isWrittenTo = true;
    inStore(this.subject, () =>
      this.db.transaction(() => {
        const kept = this.#places.add(rows);
        if (kept.length === 0) return;
        prepared(this.db, 'INSERT INTO run (scans) VALUES (?)').run(writeScans(kept));
        const counts = [0, 0, 0];
        for (const { kind } of kept) counts[KINDS.indexOf(kind)] = (counts[KINDS.indexOf(kind)] ?? 0) + 1;
        this.#count(counts);
        this.#reachFarther(kept);
      })(),
    );
    this.#isFreshKnown = false;
    this.#version += 1;
  }

  /** @returns whether a row of this name lies here. */
  has(row: RowNumber): boolean {
    return this.#places.has(row);
  }

  /** Says that something was said of rows: of those that lie here, what the columns have of their cards does not hold any more. */
  markStale(rows: readonly RowNumber[]): void {
    const prefixes = new Set(rows.flatMap((row) => this.#places.prefixOf(row) ?? []));
    if (prefixes.size === 0) return;
    inStore(this.subject, () =>
      this.db.transaction(() => {
        const insert = this.db.prepare('INSERT INTO stale (prefix) VALUES (?)');
        for (const prefix of prefixes) insert.run(prefix);
      })(),
    );
    this.#version += 1;
  }

  /** The rows that came since the columns were made. */
  fresh(): FreshScans {
    if (!this.#isFreshKnown) {
      for (let isMore = true; isMore; ) {
        const runs = this.runsAfter(this.#fresh.lastId);
        for (const run of runs) this.#fresh.add(run);
        isMore = runs.length > 0;
      }
      this.#isFreshKnown = true;
    }
    return this.#fresh;
  }

  /** @returns the next runs behind one, some at a time; none when there are no more. */
  runsAfter(id: number): FreshRun[] {
    return inStore(this.subject, () => {
      const runs: FreshRun[] = [];
      let scans = 0;
      for (const run of this.#queries.runsAfter.iterate(id) as Iterable<{ id: number; scans: Uint8Array }>) {
        const columns = readScans(run.scans);
        runs.push({ id: run.id, scans: columns });
        scans += columns.count;
        if (scans >= SCANS_AT_A_TIME) break;
      }
      return runs;
    });
  }

  /** Check-ins and check-outs of a card, each once, whatever was said of them; in no order. */
  scansOf(card: CardPseudonym): StoredScan[] {
    return this.#rowsOf(card).filter(({ kind }) => kind !== 'reading');
  }

  readingsOf(card: CardPseudonym): RowNumber[] {
    return this.#rowsOf(card).flatMap(({ kind, stream, seq }) => (kind === 'reading' ? [{ stream, seq }] : []));
  }

  /** @returns the scans of a shelf; `undefined` when there are none. */
  shelf(number: number): ScanColumns | undefined {
    const { generation } = this.#state;
    const bytes = inStore(this.subject, () => this.#queries.shelf.get(generation * SHELVES + number) as Uint8Array | undefined);
    return bytes && readScans(bytes);
  }

  /** On which shelf a card's scans lie. @param at where its name begins. */
  shelfOf(names: Uint8Array, at = 0): number {
    return (((names[at] ?? 0) << 8) | (names[at + 1] ?? 0)) >>> (16 - this.#state.shelfBits);
  }

  /** @returns the parts of a venue's columns: the same ones as long as they hold. */
  hallsOf(venue: number): readonly Hall[] {
    return this.#halls.getOrMake(venue, () => {
      const first = firstHall(this.#state.generation, venue);
      return inStore(this.subject, () => this.#queries.halls.all(first, first + HALLS - 1) as Hall[]);
    });
  }

  /** @returns one part of them as it lies in the file; `undefined` when it was made anew meanwhile. */
  hall(id: number): Uint8Array | undefined {
    return inStore(this.subject, () => this.#queries.hall.get(id) as Uint8Array | undefined);
  }

  /** @returns names of 16 bytes each: of cards that are still in at the day's end, or went out without having come in. */
  loose(kind: 'in' | 'out'): Uint8Array {
    const sql = 'SELECT names FROM loose WHERE generation = ? AND kind = ?';
    const read = () => this.db.prepare(sql).pluck().get(this.#state.generation, LOOSE[kind]) as Uint8Array | undefined;
    return inStore(this.subject, read) ?? new Uint8Array(0);
  }

  /** Beginnings of names whose columns do not hold any more: numbers of two bytes. */
  stalePrefixes(): number[] {
    return inStore(this.subject, () => this.db.prepare('SELECT DISTINCT prefix FROM stale').pluck().all() as number[]);
  }

  /** Reads all of it. @throws StoreError `store.corrupt` when a page was altered or what it holds does not hang together. */
  check(): void {
    const found = inStore(this.subject, () => this.db.pragma('quick_check(1)', { simple: true }) as string);
    if (found !== 'ok') throw new StoreError('store.corrupt', `${this.subject}: does not hang together`);
  }

  /** How many rows came since the columns were made. */
  get freshCount(): number {
    const { checkIns, checkOuts, readings } = this.counts();
    return checkIns + checkOuts + readings - this.#state.scans;
  }

  counts(): DayCounts {
    const read = () => this.db.prepare('SELECT scans FROM total ORDER BY kind').pluck().all() as number[];
    const [checkIns = 0, checkOuts = 0, readings = 0] = inStore(this.subject, read);
    return { checkIns, checkOuts, readings };
  }

  holds(card: CardPseudonym): boolean {
    return this.#rowsOf(card).length > 0;
  }

  /** Takes every row of a card out, also out of the write-ahead log. @returns which rows there were. @throws StoreError. */
  erase(card: CardPseudonym): RowNumber[] {
    const gone = this.#rowsOf(card);
    if (gone.length > 0) {
      inStore(this.subject, () =>
        this.db.transaction(() => {
          takeOut(this, card, gone);
          this.#forget(gone);
        })(),
      );
      this.forgetRead();
    }
    // Also where nothing was found: what was deleted before may still lie in the log.
    emptyLog(this.db, this.subject);
    return gone.map(({ stream, seq }) => ({ stream, seq }));
  }

  /** Cards that have rows here, behind `card` in the order of their names, at most `most`. */
  cardsBehind(card: CardPseudonym, most: number): CardPseudonym[] {
    const found = new Map<string, CardPseudonym>();
    const note = (names: Uint8Array, at: number): void => {
      const name = names.slice(at, at + 16) as CardPseudonym;
      if (Buffer.compare(name, card) > 0) found.set(nameText(name), name);
    };
    const shelves = 2 ** this.#state.shelfBits;
    for (let shelf = this.shelfOf(card); shelf < shelves && found.size < most; shelf++) {
      const { count, names } = this.shelf(shelf) ?? { count: 0, names: new Uint8Array(0) };
      for (let index = 0; index < count; index++) note(names, index * 16);
    }
    const { cards } = this.fresh();
    for (let number = 0; number < cards.size; number++) note(cards.name(number), 0);
    return [...found.values()].sort(Buffer.compare).slice(0, most);
  }

  /** The settings that its promises rest on, as SQLite has them. */
  settings(): Readonly<Record<string, unknown>> {
    const names = ['synchronous', 'journal_mode', 'secure_delete', 'wal_autocheckpoint'];
    return inStore(this.subject, () => Object.fromEntries(names.map((name) => [name, this.db.pragma(name, { simple: true })])));
  }

  /** How SQLite would run one of DAY_QUERIES, a line for each table it visits. */
  plan(query: keyof typeof DAY_QUERIES): string[] {
    const statement = this.db.prepare(`EXPLAIN QUERY PLAN ${DAY_QUERIES[query]}`);
    const values = DAY_QUERIES[query].split('?').slice(1).fill('0');
    return (statement.all(...values) as { detail: string }[]).map(({ detail }) => detail);
  }

  close(): void {
    this.#isOpen = false;
    inStore(this.subject, () => this.db.close());
  }

  #rowsOf(card: CardPseudonym): StoredScan[] {
    const fresh = this.fresh().scansOf(card);
    const { generation } = this.#state;
    if (generation === 0) return fresh;
    const id = generation * SHELVES + this.shelfOf(card);
    const shelf = inStore(this.subject, () => this.#queries.shelf.get(id) as Uint8Array | undefined);
    return shelf === undefined ? fresh : [...scansOfCard(shelf, card), ...fresh];
  }

  #forget(gone: readonly StoredScan[]): void {
    const counts = [0, 0, 0];
    for (const row of gone) {
      counts[KINDS.indexOf(row.kind)] = (counts[KINDS.indexOf(row.kind)] ?? 0) - 1;
      this.#places.blank(row);
    }
    this.#count(counts);
  }

  #reachFarther(rows: readonly StoredScan[]): void {
    let { mostUnsureMs, mostLingeringMs } = this.#state;
    for (const { uncertaintyMs, lingeringMs } of rows) {
      mostUnsureMs = Math.max(mostUnsureMs, uncertaintyMs);
      mostLingeringMs = Math.max(mostLingeringMs, lingeringMs);
    }
    if (mostUnsureMs === this.#state.mostUnsureMs && mostLingeringMs === this.#state.mostLingeringMs) return;
    this.db.prepare('UPDATE columns SET most_unsure_ms = ?, most_lingering_ms = ?').run(mostUnsureMs, mostLingeringMs);
    this.#state = { ...this.#state, mostUnsureMs, mostLingeringMs };
  }

  #count(counts: readonly number[]): void {
    const add = prepared(this.db, 'UPDATE total SET scans = scans + ? WHERE kind = ?');
    for (const [kind, count] of counts.entries()) if (count !== 0) add.run(count, kind);
  }

  #readState(): ColumnsState {
    const sql =
      'SELECT generation, shelf_bits AS shelfBits, scans, last_run AS lastRun, most_unsure_ms AS mostUnsureMs, most_lingering_ms AS mostLingeringMs FROM columns';
    return inStore(this.subject, () => this.db.prepare(sql).get() as ColumnsState);
  }

  /** Of columns whose making a crash cut short. */
  #clearLeftOver(): void {
    const { generation, lastRun } = this.#state;
    inStore(this.subject, () => {
      this.db.prepare('DELETE FROM run WHERE id <= ?').run(lastRun);
      this.db.prepare('DELETE FROM shelf WHERE id < ? OR id >= ?').run(generation * SHELVES, (generation + 1) * SHELVES);
      this.db.prepare('DELETE FROM hall WHERE id < ? OR id >= ?').run(firstHall(generation, 0), firstHall(generation + 1, 0));
      this.db.prepare('DELETE FROM loose WHERE generation <> ?').run(generation);
    });
  }
}
