/**
 * The append-only log of rows as they came, once each, and of flags; sinks read it by position. Entries lie in a file a day
 * (segments.ts), beside them an index of what was seen, quarantine, flags and cursors. A transaction commits the entries first and the index
 * behind them: what the index lacks after a crash between the two is made again from the entries.
 */
import type { DoubtEntry, FlagEntry, LedgerEntry, Placement } from '../core/intake.ts';
import { listOf, matchRows } from '../protocol/batch.ts';
import { IngestError } from '../protocol/errors.ts';
import type { Epoch, KeyId, KioskId, Seq } from '../protocol/ids.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, openDatabase, translating } from './database.ts';
import { LEDGER_STEPS } from './ledger-schema.ts';
import { LedgerTail } from './ledger-tail.ts';
import { carryOver } from './ledger-upgrade.ts';
import { SeenRows } from './seen.ts';
import type { KeptBatch, Segment } from './segment.ts';
import { DAY_MS, Segments } from './segments.ts';
import type { NotedReading } from './triage.ts';

export { DAY_MS };

export interface ArrivedRow {
  readonly seq: Seq;
  readonly row: Uint8Array;
  /** SHA-256 of the row, as `digestTextOf` gives it. */
  readonly digest: string;
}

export interface ArrivedBatch {
  readonly kiosk: KioskId;
  readonly kioskPublicKey: Uint8Array;
  readonly placement: Placement;
  readonly topic: string;
  readonly keyRecord: Uint8Array;
  readonly epoch: Epoch;
  readonly keyId: KeyId;
  readonly sign1: Uint8Array;
  readonly receivedAtMs: EpochMillis;
}

/** `cloned`: new, but its sequence number came under another content key of the same epoch as well. Kept and forwarded like `new`. */
export type Standing = 'new' | 'cloned' | 'duplicate' | 'conflict';

/** Makes flags again of the readings that an entry tells of, inside the transaction. */
export type ReplayReadings = (readings: readonly NotedReading[], receivedAtMs: EpochMillis) => void;

/** Of entries made again at a time. */
const MOST_REPLAYED = 200;
const MOST_REPLAYED_BYTES = 4_194_304;

/** @param key the identity's storeKey. @throws StoreError as openDatabase does. */
export const openLedgerFile = (path: string, key: Uint8Array, isReadOnly = false): Db =>
  openDatabase({ path, key, steps: LEDGER_STEPS, isReadOnly });

export class Ledger {
  readonly segments: Segments;
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #seen: SeenRows;
  #replay: ReplayReadings = () => {};
  #depth = 0;
  /** Appended to in this transaction. */
  #segment: Segment | undefined;
  /** In this transaction. */
  #appended: LedgerEntry[] = [];
  readonly #tail = new LedgerTail();
  #lastPosition = 0;
  /** The entries of a transaction were kept, and the index behind them was not. */
  #isIndexBehind = false;
  #isReplaying = false;

  /** @param directory of the segments. @param key the identity's storeKey. @throws StoreError as openDatabase does. */
  constructor(db: Db, directory: string, key: Uint8Array, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#seen = new SeenRows(db);
    this.segments = translating('ledger', () => new Segments(db, directory, key));
    translating('ledger', () => carryOver(db, this.segments));
    this.#lastPosition = this.#readLastPosition();
  }

  /** Makes again what the index lacks. To be called once before the first transaction. @throws StoreError. */
  recover(replay: ReplayReadings): void {
    this.#replay = replay;
    translating('ledger', () => this.#catchUp());
  }

  /** The logs are moved into their files by somebody else (checkpoint/checkpoints.ts); here only when one is longer than so many pages. */
  boundLogs(pages: number): void {
    translating('ledger', () => {
      this.#db.pragma(`wal_autocheckpoint = ${pages}`);
      this.segments.boundLogs(pages);
    });
  }

  /**
   * Runs `work` and commits what it wrote; when this returns, a power cut cannot lose it. Nothing is kept when `work` throws.
   * Inside another `transact` it is a step of that one which can fail alone.
   * @param isInEntries whether all that `work` did can be made again from the entries it appended: the index is then not synced.
   * @throws StoreError when the store can not keep it now, and whatever `work` throws.
   */
  transact<T>(work: () => T, isInEntries?: (done: T) => boolean): T {
    return translating('ledger', () => (this.#depth > 0 ? this.#step(work) : this.#transactAll(work, isInEntries)));
  }

  /**
   * Looks up each row by its identity (kiosk, key id, sequence number) and digest, and remembers those not seen before.
   * Rows come in ascending order; those that `isLegible` refuses count as arrived but are not remembered, so that a whole one in their place is taken.
   * @returns one for each row, `undefined` for those that are not legible.
   * @throws IngestError `ingest.conflict` when the key id came with another epoch before.
   */
  stand<Row extends ArrivedRow>(
    { kiosk, epoch, keyId, receivedAtMs }: Pick<ArrivedBatch, 'kiosk' | 'epoch' | 'keyId' | 'receivedAtMs'>,
    rows: readonly Row[],
    isLegible: (row: Row) => boolean,
  ): (Standing | undefined)[] {
    const epochNo = this.#seen.epochNo(kiosk, epoch);
    const keyNo = this.#seen.keyNo(kiosk, keyId, epochNo);
    if (keyNo === undefined) throw new IngestError('ingest.conflict', 'key record: its key id came with another epoch before');
    const day = Math.floor(receivedAtMs / DAY_MS);
    let cloned = 0;
    const standings = rows.map((row) => {
      if (!isLegible(row)) return undefined;
      const standing = this.#seen.stand(epochNo, keyNo, row.seq, row.digest, day);
      if (standing === 'cloned') cloned += 1;
      return standing;
    });
    this.#seen.arrived(
      epochNo,
      rows.map(({ seq }) => seq),
    );
    if (cloned > 0) this.#db.prepare('UPDATE epochs SET cloned_count = cloned_count + ? WHERE epoch_no = ?').run(cloned, epochNo);
    return standings;
  }

  /** @throws IngestError `ingest.too_many_epochs` when the kiosk begins one more than it may. To be called before `stand`. */
  checkEpoch({ kiosk, epoch }: Pick<ArrivedBatch, 'kiosk' | 'epoch'>): void {
    if (!this.#seen.hasRoomFor(kiosk, epoch))
      throw new IngestError('ingest.too_many_epochs', 'batch: of one epoch more than a kiosk may have');
  }

  /** Appends the rows of one batch as one entry. @param rows at least one. @param readings what triage is to make of them. @returns the entry's position. */
  appendBatch(batch: ArrivedBatch, rows: readonly ArrivedRow[], readings: readonly NotedReading[] = []): number {
    const segment = this.#appendTo();
    const position = this.#lastPosition + 1;
    segment.appendBatch(
      position,
      batch,
      rows.map(({ row }) => row),
      readings,
    );
    const { kiosk, kioskPublicKey, placement, topic, keyRecord, sign1, receivedAtMs } = batch;
    const kept = { kiosk, kioskPublicKey, placement, topic, keyRecord, sign1, rows: rows.map(({ row }) => row), receivedAtMs };
    this.#appended.push({ kind: 'batch', position, ...kept });
    this.#lastPosition = position;
    return position;
  }

  /** Appends what triage decided, behind the row it decided on. @returns the entry's position. */
  appendFlag(flag: Omit<FlagEntry, 'kind' | 'position'>, nowMs: EpochMillis): number {
    // Made again of readings, it is in the entries already.
    if (this.#segment === undefined && this.#isReplaying) return this.#lastPosition;
    const position = this.#lastPosition + 1;
    this.#appendTo().appendFlag(position, flag, nowMs);
    this.#appended.push({ ...flag, kind: 'flag', position });
    this.#lastPosition = position;
    return position;
  }

  /** Appends what triage doubts, behind the row it doubts. @returns the entry's position. */
  appendDoubt(doubt: Omit<DoubtEntry, 'kind' | 'position'>): number {
    const position = this.#lastPosition + 1;
    this.#appendTo().appendDoubt(position, doubt);
    this.#appended.push({ ...doubt, kind: 'doubt', position });
    this.#lastPosition = position;
    return position;
  }

  /**
   * The entries behind `position`, in order.
   * @param mostEntries at least 1. @param mostBytes of rows; one entry is given even when it alone is longer.
   */
  entriesAfter(position: number, mostEntries: number, mostBytes: number): LedgerEntry[] {
    return (
      this.#tail.after(position, mostEntries, mostBytes) ??
      translating('ledger', () => this.segments.entriesAfter(position, mostEntries, mostBytes).map(({ entry }) => entry))
    );
  }

  /** As `entriesAfter`, with what the index was made of. @throws StoreError. */
  keptAfter(position: number, mostEntries: number, mostBytes: number): KeptBatch[] {
    return translating('ledger', () => this.segments.entriesAfter(position, mostEntries, mostBytes));
  }

  /** Puts fewer rows in the place of a batch's. @throws StoreError. */
  replaceRows(position: number, rows: readonly Uint8Array[], readings: readonly NotedReading[]): void {
    this.#tail.clear();
    translating('ledger', () => this.segments.replaceRows(position, rows, readings));
  }

  /** Takes files from the disk that the index does not name any more. Not inside a transaction. */
  sweep(nos: readonly number[]): void {
    this.#tail.clear();
    this.segments.sweep(nos);
  }

  /** The position of the newest entry; 0 before the first. */
  get lastPosition(): number {
    return this.#lastPosition;
  }

  /** How many entries there are behind `position`. */
  countAfter(position: number): number {
    return this.segments.countBetween(position, this.#lastPosition);
  }

  /** When the entry behind `position` came, or was made; `undefined` when there is none. @throws StoreError. */
  receivedAfter(position: number): EpochMillis | undefined {
    const entry = this.entriesAfter(position, 1, 1)[0];
    return entry?.kind === 'batch' ? entry.receivedAtMs : entry?.raisedAtMs;
  }

  /** Goes on counting behind `position`, if it is not there yet, in a file of its own. To be called after `recover`. @throws StoreError. */
  skipTo(position: number): void {
    if (position <= this.#lastPosition) return;
    translating('ledger', () =>
      this.#db.transact(() => {
        this.segments.beginBehind(position, this.#lastPosition, this.#clock.wall());
        this.#db.prepare('UPDATE applied SET position = ?').run(position);
      }),
    );
    this.segments.lookAnew();
    this.#lastPosition = this.#readLastPosition();
  }

  /** How far a sink has taken the log; 0 for one that is new. */
  cursorOf(sink: string): number {
    const position = translating('ledger', () => this.#db.prepare('SELECT position FROM sinks WHERE name = ?').pluck().get(sink));
    return Number(position ?? 0);
  }

  /** Makes a sink known, so that what it does not take in time is counted against it. Doing so again changes nothing. */
  addSink(sink: string): void {
    this.transact(() => this.#db.prepare('INSERT INTO sinks (name, position) VALUES (?, 0) ON CONFLICT DO NOTHING').run(sink));
  }

  /** How many entries retention ended before the sink had taken them. */
  droppedOf(sink: string): number {
    const dropped = translating('ledger', () => this.#db.prepare('SELECT dropped_entries FROM sinks WHERE name = ?').pluck().get(sink));
    return Number(dropped ?? 0);
  }

  /** Keeps how far a sink has taken the log. A power cut may take it back, and the sink is offered again what it has. @throws StoreError. */
  setCursor(sink: string, position: number): void {
    const sql = 'INSERT INTO sinks (name, position) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position';
    translating('ledger', () => this.#db.transactUnsynced(() => this.#db.prepare(sql).run(sink, position)));
  }

  /** Somebody else wrote into the memory of what was seen. */
  forgetSeen(): void {
    this.#seen.forget();
  }

  /** Closes the files of entries; the index is its owner's. */
  close(): void {
    this.segments.close();
  }

  #appendTo(): Segment {
    if (this.#segment === undefined) throw new TypeError('ledger: an append outside a transaction');
    return this.#segment;
  }

  #transactAll<T>(work: () => T, isInEntries: ((done: T) => boolean) | undefined): T {
    if (this.#isIndexBehind) this.#catchUp();
    const segment = this.segments.openFor(this.#clock.wall(), this.#lastPosition + 1);
    const before = this.#lastPosition;
    let areEntriesKept = false;
    this.#segment = segment;
    this.#appended = [];
    this.#depth = 1;
    if (isInEntries !== undefined) this.#db.setSyncing(false);
    try {
      // The index's lock first, and all that is written there but the commit: what can fail fails before the entries are kept.
      this.#db.begin();
      const done = segment.db.transact(() => {
        const worked = work();
        this.#flush();
        return worked;
      });
      areEntriesKept = true;
      this.#tail.add(this.#appended);
      this.#isIndexBehind = true;
      this.#db.commit();
      this.#isIndexBehind = false;
      if (isInEntries !== undefined) this.#db.setSyncing(true);
      // A synced commit syncs all that lies before it in the log.
      if (isInEntries?.(done) === false) this.#db.transact(() => this.#setApplied());
      return done;
    } catch (error) {
      this.#db.rollback();
      segment.forget();
      this.#seen.forget();
      if (!areEntriesKept) this.#lastPosition = before;
      throw error;
    } finally {
      if (isInEntries !== undefined) this.#db.setSyncing(true);
      this.#depth = 0;
      this.#segment = undefined;
    }
  }

  #step<T>(work: () => T): T {
    const before = this.#lastPosition;
    this.#flush();
    try {
      return this.#db.transact(() =>
        this.#appendTo().db.transact(() => {
          const worked = work();
          this.#flush();
          return worked;
        }),
      );
    } catch (error) {
      this.#segment?.forget();
      this.#seen.forget();
      this.#appended = this.#appended.filter(({ position }) => position <= before);
      this.#lastPosition = before;
      throw error;
    }
  }

  #flush(): void {
    this.#seen.flush();
    this.#segment?.flush();
    this.#setApplied();
  }

  #setApplied(): void {
    this.#db.prepare('UPDATE applied SET position = ?').run(this.#lastPosition);
  }

  #catchUp(): void {
    this.#seen.forget();
    let at = this.#appliedPosition();
    for (;;) {
      const kept = this.segments.entriesAfter(at, MOST_REPLAYED, MOST_REPLAYED_BYTES);
      const last = kept.at(-1);
      if (last === undefined) break;
      at = last.entry.position;
      this.#db.transact(() => {
        for (const one of kept) this.#apply(one);
        this.#seen.flush();
        this.#db.prepare('UPDATE applied SET position = ?').run(at);
      });
    }
    this.#isIndexBehind = false;
    this.#lastPosition = this.#readLastPosition();
  }

  /** Makes the index's part of one entry again. A flag's part is made by the readings that it was made of. */
  #apply({ entry, key, readings }: KeptBatch): void {
    if (entry.kind !== 'batch' || key === undefined) return;
    const rows = matchRows(listOf(entry.sign1).listed, entry.rows);
    this.stand(
      { ...entry, ...key },
      rows.toSorted((a, b) => a.seq - b.seq),
      () => true,
    );
    this.#isReplaying = true;
    this.#replay(readings, entry.receivedAtMs);
    this.#isReplaying = false;
  }

  #appliedPosition = (): number => Number(this.#db.prepare('SELECT position FROM applied').pluck().get());

  #readLastPosition = (): number => Math.max(this.#appliedPosition(), this.segments.newest?.lastPosition() ?? 0);
}
