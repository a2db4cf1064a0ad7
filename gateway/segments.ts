/**
 * Which files the ledger's entries lie in, a file a day: begins a new one, opens old ones to be read, drops one that retention ends.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../protocol/errors.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, emptyLog } from './database.ts';
import { type KeptBatch, Segment } from './segment.ts';
import type { NotedReading } from './triage.ts';

export const DAY_MS = 86_400_000;

interface Place {
  readonly no: number;
  readonly day: number;
  readonly startedAtMs: EpochMillis;
  readonly firstPosition: number;
  /** Positions that were passed over right before it. */
  readonly skipped: number;
}

/** Old ones open at a time: a sink that is days behind reads one after the other. */
const MOST_OPEN = 3;

export class Segments {
  readonly #index: Db;
  readonly #directory: string;
  readonly #key: Uint8Array;
  readonly #isReadOnly: boolean;
  #places: Place[] = [];
  #newest: Segment | undefined;
  readonly #opened = new Map<number, Segment>();
  /** Files whose rows were replaced, and whose logs may hold them still. */
  readonly #replacedIn = new Set<number>();
  #logPages: number | undefined;

  /**
   * @param index the ledger's index, which knows the files. @param directory theirs, made when it is not there. @param key the
   * identity's storeKey. @throws StoreError as openDatabase does.
   */
  constructor(index: Db, directory: string, key: Uint8Array, isReadOnly = false) {
    this.#index = index;
    this.#directory = directory;
    this.#key = key;
    this.#isReadOnly = isReadOnly;
    this.#read();
    if (isReadOnly) return;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#settleStrangers();
  }

  /** The one that is written; `undefined` before the first entry. */
  get newest(): Segment | undefined {
    const place = this.#places.at(-1);
    if (place === undefined || this.#newest !== undefined) return this.#newest;
    this.#newest = this.#open(place);
    if (this.#logPages !== undefined) this.#newest.boundLog(this.#logPages);
    return this.#newest;
  }

  /** Of the file that is written; `undefined` before the first entry. */
  get newestPath(): string | undefined {
    const place = this.#places.at(-1);
    return place && this.#pathOf(place);
  }

  /** From now on a log is moved into its file here only when it is longer than so many pages. */
  boundLogs(pages: number): void {
    this.#logPages = pages;
    this.#newest?.boundLog(pages);
  }

  /** The first position that there is; `undefined` when there is no file. */
  get firstPosition(): number | undefined {
    return this.#places[0]?.firstPosition;
  }

  /**
   * Begins a new file when another day has begun than the newest one's. Not inside a transaction.
   * @param firstPosition of the entry that comes next.
   */
  openFor(nowMs: EpochMillis, firstPosition: number): Segment {
    const day = Math.floor(nowMs / DAY_MS);
    const last = this.#places.at(-1);
    // A clock that is set back over midnight makes no file of its own; one that was far ahead does.
    const isItsDay = last !== undefined && (day === last.day || day === last.day - 1);
    const newest = this.newest;
    if (isItsDay && newest !== undefined) return newest;
    this.#index.transact(() =>
      this.#index.prepare('INSERT INTO segments (day, started_at_ms, first_position) VALUES (?, ?, ?)').run(day, nowMs, firstPosition),
    );
    this.lookAnew();
    return this.newest as Segment;
  }

  /** How many entries there are behind `after`, up to `through`. */
  countBetween(after: number, through: number): number {
    const from = Math.max(after, (this.firstPosition ?? through + 1) - 1);
    const skipped = this.#places.reduce(
      (sum, place) =>
        sum + Math.max(0, Math.min(through, place.firstPosition - 1) - Math.max(from, place.firstPosition - 1 - place.skipped)),
      0,
    );
    return Math.max(0, through - from - skipped);
  }

  /** Begins a new file whose first entry comes behind `position`. Inside a transaction of the index. @param lastPosition before it. */
  beginBehind(position: number, lastPosition: number, nowMs: EpochMillis): void {
    const insert = 'INSERT INTO segments (day, started_at_ms, first_position, skipped) VALUES (?, ?, ?, ?)';
    this.#index.prepare(insert).run(Math.floor(nowMs / DAY_MS), nowMs, position + 1, position - lastPosition);
  }

  /** Another has begun, or was given up. */
  lookAnew(): void {
    this.#newest?.close();
    this.#newest = undefined;
    this.#read();
  }

  /** As Segment's, over all files. @throws StoreError `store.failed` when a file is gone. */
  entriesAfter(position: number, mostEntries: number, mostBytes: number): KeptBatch[] {
    const found: KeptBatch[] = [];
    let bytes = 0;
    for (const [index, place] of this.#places.entries()) {
      const isBehind = (this.#places[index + 1]?.firstPosition ?? Number.POSITIVE_INFINITY) <= position + 1;
      if (isBehind) continue;
      const more = this.#segmentAt(place).entriesAfter(position, mostEntries - found.length, mostBytes - bytes);
      if (found.length > 0 && bytesOf(more.slice(0, 1)) > mostBytes - bytes) break;
      found.push(...more);
      bytes += bytesOf(more);
      if (found.length >= mostEntries || bytes >= mostBytes) break;
    }
    return found;
  }

  /** As Segment's. @throws StoreError `store.failed` when the file is gone. */
  replaceRows(position: number, rows: readonly Uint8Array[], readings: readonly NotedReading[]): void {
    const place = this.#places.findLast(({ firstPosition }) => firstPosition <= position);
    if (place === undefined || !this.#segmentAt(place).replaceRows(position, rows, readings)) return;
    this.#replacedIn.add(place.no);
  }

  /** What was replaced lies in no write-ahead log any more. @throws StoreError `store.busy` while somebody else reads. */
  emptyLogs(): void {
    for (const no of this.#replacedIn) {
      const place = this.#places.find((one) => one.no === no);
      if (place !== undefined) emptyLog(this.#segmentAt(place).db, `ledger file ${no}`);
      this.#replacedIn.delete(no);
    }
  }

  /** @returns the last position of the files that were begun before `beforeMs`, and their numbers; `undefined` for none. */
  begunBefore(
    beforeMs: EpochMillis,
    nowMs: EpochMillis,
    lastPosition: number,
  ): { readonly through: number; readonly nos: readonly number[] } | undefined {
    // One that says it was begun after now was so by a clock that was ahead: no later than the next that does not.
    const isBegunBefore = (index: number): boolean => {
      const believed = this.#places.slice(index).find(({ startedAtMs }) => startedAtMs <= nowMs);
      return believed !== undefined && believed.startedAtMs < beforeMs;
    };
    const past = this.#places.findIndex((_place, index) => !isBegunBefore(index));
    const dropped = past === -1 ? this.#places : this.#places.slice(0, past);
    if (dropped.length === 0) return undefined;
    const next = this.#places[dropped.length];
    return { through: next === undefined ? lastPosition : next.firstPosition - 1, nos: dropped.map(({ no }) => no) };
  }

  /** Forgets files, inside the caller's transaction; `sweep` then takes them off the disk. */
  drop(nos: readonly number[]): void {
    for (const no of nos) this.#index.prepare('DELETE FROM segments WHERE no = ?').run(no);
  }

  /** Takes from the disk what the index does not name any more. Not inside a transaction. */
  sweep(nos: readonly number[]): void {
    this.closeReaders();
    this.lookAnew();
    for (const no of nos) for (const end of ['', '-wal', '-shm']) rmSync(`${join(this.#directory, nameOf(no))}${end}`, { force: true });
  }

  /** Per kiosk, over all files. */
  totals(): ReturnType<Segment['totals']> {
    return this.#places.flatMap((place) => (existsSync(this.#pathOf(place)) ? this.#segmentAt(place).totals() : []));
  }

  closeReaders(): void {
    for (const segment of this.#opened.values()) segment.close();
    this.#opened.clear();
  }

  close(): void {
    this.closeReaders();
    this.#newest?.close();
    this.#newest = undefined;
  }

  #segmentAt(place: Place): Segment {
    if (place === this.#places.at(-1) && this.newest !== undefined) return this.newest;
    const known = this.#opened.get(place.no);
    if (known !== undefined) return known;
    if (this.#opened.size >= MOST_OPEN) this.closeReaders();
    if (!existsSync(this.#pathOf(place))) throw new StoreError('store.failed', `${this.#pathOf(place)}: is gone`);
    const opened = this.#open(place);
    this.#opened.set(place.no, opened);
    return opened;
  }

  #open = (place: Place): Segment => new Segment(this.#pathOf(place), this.#key, this.#isReadOnly);

  /**
   * Files that the index does not know. Before its first: dropped, and a crash left them on the disk. Behind its last: the index was brought
   * back from a backup, and what they hold is made known to it again.
   */
  #settleStrangers(): void {
    const nos = readdirSync(this.#directory)
      .map((name) => Number(/^(\d{8})\.db$/.exec(name)?.[1] ?? 0))
      .filter((no) => no > 0)
      .sort((a, b) => a - b);
    const last = Number(this.#index.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'segments'").pluck().get() ?? 0);
    const dropped = nos.filter((no) => no <= last && !this.#places.some((place) => place.no === no));
    if (dropped.length > 0) this.sweep(dropped);
    for (const no of nos.filter((no) => no > last)) this.#adopt(no);
  }

  #adopt(no: number): void {
    const segment = new Segment(join(this.#directory, nameOf(no)), this.#key);
    const first = segment.first();
    segment.close();
    // Made, and nothing was committed to it.
    if (first === undefined) {
      this.sweep([no]);
      return;
    }
    const { position, receivedAtMs } = first;
    this.#index.transact(() =>
      this.#index
        .prepare('INSERT INTO segments (no, day, started_at_ms, first_position) VALUES (?, ?, ?, ?)')
        .run(no, Math.floor(receivedAtMs / DAY_MS), receivedAtMs, position),
    );
    this.#read();
  }

  #read(): void {
    this.#places = this.#index
      .prepare('SELECT no, day, started_at_ms AS startedAtMs, first_position AS firstPosition, skipped FROM segments ORDER BY no')
      .all() as Place[];
  }

  #pathOf = ({ no }: Place): string => join(this.#directory, nameOf(no));
}

const nameOf = (no: number): string => `${String(no).padStart(8, '0')}.db`;

const bytesOf = (kept: readonly KeptBatch[]): number =>
  kept.reduce((sum, { entry }) => sum + (entry.kind === 'batch' ? entry.rows.reduce((rows, row) => rows + row.length, 0) : 0), 0);
