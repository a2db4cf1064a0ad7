/**
 * What this kiosk has promised, until the gateway has it: sealed rows, the key records they need, and the counter of their sequence.
 * Two connections: `append` commits with synchronous=FULL and is the only one a scan waits for; settling and pruning commit with
 * NORMAL, because a settle that a power cut takes back only sends a row again. Opens no socket, seals nothing, knows no card.
 */
import { StoreError } from '../protocol/errors.ts';
import type { Epoch, KeyId, Seq } from '../protocol/ids.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import type { AdoptedKey, AppendTime, KeptKey, KeyNumber, OutboxLimits, OutboxRow, Pruned } from './outbox-row.ts';
import { bringUp } from './outbox-schema.ts';
import {
  adoptInto,
  countedIn,
  type Durability,
  durabilityOf,
  type Gone,
  INSERT_ROW,
  KEY_OF,
  type LookedAt,
  OLDEST_UNSENT,
  type OldestRow,
  OVERDUE,
  SETTLED_BEFORE,
  SETTLED_BEHIND,
  UNSENT_AFTER,
  WRITE_NEXT,
  WRITE_RUN,
} from './outbox-sql.ts';
import { openSqlite, pagesOf, type Sqlite, type Statement, translated } from './sqlite.ts';

/** Settling may need pages while the file is at its bound: so many more than append may use. */
const RESERVE_PAGES = 1_024;
/** Rows deleted in one transaction, so that a scan waits for a few ms of it at most. */
const PRUNE_ROWS = 500;

export class Outbox {
  readonly #path: string;
  readonly #limits: OutboxLimits;
  readonly #appender: Sqlite;
  readonly #keeper: Sqlite;
  readonly #statements: Map<string, Statement> = new Map();
  /** Rows under each key, to know when its record may go. */
  #rowsOf = new Map<KeyNumber, number>();
  /** Running time before this process, and the monotonic time it is counted on from. */
  readonly #runBeforeMs: number;
  readonly #startedMs: MonotonicMillis;
  /** The only writer holds the lock of the directory: the number is read once and counted on in RAM. */
  #nextSeq = 1 as Seq;
  /** No unsent row lies before this position. */
  #unsentFrom = Number.MIN_SAFE_INTEGER;
  #unsent = 0;
  #settled = 0;
  #deleted = 0;
  /** Rows deleted in the transaction that runs; counted off once it is committed. */
  #gone: Gone[] = [];
  #isFrozen = false;

  /**
   * Opens, or makes, the outbox in `path`.
   * @param now monotonic time of this boot, from which running time is counted.
   * @throws StoreError store.corrupt, store.newer, store.read_only, store.disk_full, store.failed.
   */
  constructor(path: string, limits: OutboxLimits, now: MonotonicMillis) {
    this.#path = path;
    this.#limits = limits;
    this.#startedMs = now;
    const pages = Math.max(pagesOf(limits.maxBytes), 16);
    this.#appender = openSqlite(path, { synchronous: 'FULL', maxPages: pages });
    try {
      translated(path, () => bringUp(this.#appender));
      this.#keeper = openSqlite(path, { synchronous: 'NORMAL', maxPages: pages + RESERVE_PAGES });
    } catch (error) {
      this.#appender.close();
      throw error;
    }
    // What is pruned is overwritten, not only unlinked.
    this.#keeper.pragma('secure_delete = ON');
    try {
      this.#runBeforeMs = this.#meta<number>('run_ms');
      this.#count();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get epoch(): Epoch {
    return new Uint8Array(this.#meta<Buffer>('epoch')) as Epoch;
  }

  get path(): string {
    return this.#path;
  }

  /** What the next row will be numbered. */
  get nextSeq(): Seq {
    return this.#nextSeq;
  }

  /** Rows promised and not settled. */
  get queued(): number {
    return this.#unsent;
  }

  /** Unsent rows that retention has dropped, and damaged ones that fit no message, in the whole life of this outbox. */
  get droppedUnsent(): number {
    return this.#meta<number>('dropped_unsent');
  }

  /** Rows that were deleted since this outbox was opened: as they were they may stand in its log. */
  get deleted(): number {
    return this.#deleted;
  }

  /** The latest wall time written down by `remember`; 0 before the first. */
  get knownWallMs(): EpochMillis {
    return this.#meta<number>('known_wall_ms') as EpochMillis;
  }

  /** How long this kiosk's processes have run by `now`, in all. */
  runMs(now: MonotonicMillis): number {
    return this.#runBeforeMs + Math.max(0, now - this.#startedMs);
  }

  /** How long the oldest unsent row has waited, in running time; `undefined` when none waits. */
  oldestQueuedMs(now: MonotonicMillis): number | undefined {
    const oldest = this.#oldest();
    return oldest && Math.max(0, this.runMs(now) - oldest.runMs);
  }

  /** Whether a row that lies before `position` is unsent. @throws StoreError. */
  hasUnsentBefore(position: number): boolean {
    const oldest = this.#oldest();
    return oldest !== undefined && oldest.position < position;
  }

  /**
   * Keeps a key record. When this returns a power cut can not lose it, so rows may be sealed under its key.
   * @returns the number to append under. @throws StoreError.
   */
  keepKey(keyId: KeyId, record: Uint8Array): KeyNumber {
    return this.#written(() => {
      const insert = 'INSERT INTO keys (key_id, record) VALUES (?, ?)';
      const key = Number(this.#statement(this.#appender, insert).run(keyId, record).lastInsertRowid);
      this.#rowsOf.set(key, 0);
      return key;
    });
  }

  /**
   * Keeps one row under the next sequence number: one transaction, one commit, one fsync. When this returns, a power cut can not
   * lose the row. One page is written, but for one in some dozen. When it throws, nothing was kept and nothing kept before was touched.
   * @param seal makes the row for its sequence number; called again, for the same number, where a first attempt is rolled back.
   * @throws StoreError store.full at the bound of rows or bytes; store.disk_full, store.read_only, store.corrupt, store.failed.
   */
  append(key: KeyNumber, seal: (seq: Seq) => Uint8Array, time: AppendTime): Seq {
    if (this.#unsent >= this.#limits.maxRows) throw new StoreError('store.full', `outbox: full at ${this.#limits.maxRows} records`);
    const seq = this.#nextSeq;
    const { wallMs = null, monotonicMs } = time;
    // One statement is a transaction of its own: BEGIN and COMMIT as statements would only be more to run.
    this.#written(() => this.#statement(this.#appender, INSERT_ROW).run(seq, key, seq, seal(seq), wallMs, this.runMs(monotonicMs)));
    this.#nextSeq = (seq + 1) as Seq;
    this.#unsent += 1;
    this.#rowsOf.set(key, (this.#rowsOf.get(key) ?? 0) + 1);
    return seq;
  }

  /** Unsent rows behind `position`, oldest first, at most `limit`. Reading does not remove. @throws StoreError. */
  unsentAfter(position: number, limit: number): OutboxRow[] {
    return translated(this.#path, () => this.#statement(this.#keeper, UNSENT_AFTER).all(position, limit) as OutboxRow[]);
  }

  /** Of these, the rows that are still unsent, in the order asked for. @throws StoreError. */
  unsentAt(positions: readonly number[]): OutboxRow[] {
    const sql = 'SELECT position, key, seq, row FROM rows WHERE position = ? AND settled_run_ms IS NULL';
    return translated(this.#path, () => {
      const find = this.#statement(this.#keeper, sql);
      return positions.map((position) => find.get(position) as OutboxRow | undefined).filter((row) => row !== undefined);
    });
  }

  /** The key record kept under `key`. @throws StoreError store.corrupt when there is none. */
  keyOf(key: KeyNumber): KeptKey {
    const found = translated(this.#path, () => this.#statement(this.#keeper, KEY_OF).get(key));
    if (found === undefined) throw new StoreError('store.corrupt', 'outbox: rows without their key record');
    return found as KeptKey;
  }

  /** Notes that the gateway has committed these rows. Settling twice is not an error. A power cut may take it back. @throws StoreError. */
  settle(positions: readonly number[], now: MonotonicMillis): void {
    const sql = 'UPDATE rows SET settled_run_ms = ? WHERE position = ? AND settled_run_ms IS NULL';
    const runMs = this.runMs(now);
    const changed = this.#kept(() => {
      const update = this.#statement(this.#keeper, sql);
      return positions.reduce((sum, position) => sum + update.run(runMs, position).changes, 0);
    });
    this.#unsent -= changed;
    this.#settled += changed;
  }

  /** Takes the settling of some rows behind a position back. @returns where it stopped; `undefined` when none are behind it. @throws StoreError. */
  unsettle(behind: number, limit: number, isWanted: (row: OutboxRow) => boolean): LookedAt | undefined {
    const update = this.#statement(this.#keeper, 'UPDATE rows SET settled_run_ms = NULL WHERE position = ?');
    const looked = this.#amongSettled(behind, limit, isWanted, (position) => update.run(position));
    this.#unsent += looked?.rows ?? 0;
    this.#settled -= looked?.rows ?? 0;
    this.#unsentFrom = Number.MIN_SAFE_INTEGER;
    return looked;
  }

  /** Forgets some settled rows behind a position. @returns as `unsettle`. @throws StoreError. */
  dropSettled(behind: number, limit: number, isWanted: (row: OutboxRow) => boolean): LookedAt | undefined {
    return this.#amongSettled(behind, limit, isWanted, (position) => this.#delete('SELECT ?', [position]));
  }

  /** The last version of what was to be sent again that was carried out; 0 before the first. */
  get sentAgain(): number {
    return this.#meta<number>('sent_again');
  }

  /** When this returns, no power cut takes back what was unsettled for it. @throws StoreError. */
  setSentAgain(version: number): void {
    translated(this.#path, () => this.#statement(this.#appender, 'UPDATE meta SET sent_again = ?').run(version));
  }

  /**
   * Forgets settled rows past their time, and unsent rows past retention; some hundreds a call.
   * A row is past retention when this kiosk has *run* that long since, whatever the clock says, or when the wall clock says so
   * and both the row's time and the present one are to be believed.
   * @param wallMs the present time; `undefined` while it is not to be believed.
   * @throws StoreError.
   */
  prune(now: MonotonicMillis, wallMs: EpochMillis | undefined): Pruned {
    const runMs = this.runMs(now);
    const { retentionMs, keepSettledMs, maxSettledRows } = this.#limits;
    const pruned = this.#kept(() => {
      const overdue = this.#delete(OVERDUE, [
        this.#unsentFrom,
        PRUNE_ROWS,
        runMs - retentionMs,
        wallMs === undefined ? null : wallMs - retentionMs,
      ]);
      if (overdue > 0) this.#statement(this.#keeper, 'UPDATE meta SET dropped_unsent = dropped_unsent + ?').run(overdue);
      const late = this.#delete(SETTLED_BEFORE, [runMs - keepSettledMs, PRUNE_ROWS]);
      const over = this.#settled - late - maxSettledRows;
      const many = over > 0 ? this.#delete(SETTLED_BEFORE, [Number.MAX_SAFE_INTEGER, Math.min(over, PRUNE_ROWS)]) : 0;
      this.#statement(this.#keeper, WRITE_RUN).run(runMs, overdue + late + many === 0 ? runMs : Number.MAX_SAFE_INTEGER);
      return { settled: late + many, droppedUnsent: overdue };
    });
    if (pruned.settled + pruned.droppedUnsent > 0) this.#forgetKeys();
    return pruned;
  }

  /** Gives up an unsent row that can never be sent, and counts it. @throws StoreError. */
  drop(position: number): void {
    this.#kept(() => {
      const dropped = this.#delete('SELECT ?', [position]);
      this.#statement(this.#keeper, 'UPDATE meta SET dropped_unsent = dropped_unsent + ?').run(dropped);
    });
  }

  /** Writes down the wall time, against which a clock that was lost is recognised after the next boot. @throws StoreError. */
  remember(wallMs: EpochMillis): void {
    this.#kept(() => this.#statement(this.#keeper, 'UPDATE meta SET known_wall_ms = ?').run(wallMs));
  }

  /** After a step of the wall clock the times of the rows so far say nothing about their age. @throws StoreError. */
  undate(): void {
    this.#kept(() => this.#statement(this.#keeper, 'UPDATE meta SET undated_before = ?').run(this.#nextSeq));
  }

  /** While its disk does not answer every write is refused (store.hung): one that was begun would hold up the whole process. */
  freeze(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
  }

  /** What the connection of a scan promises by; a test looks. */
  durability = (): Durability => durabilityOf(this.#appender, this.#keeper);

  /** Closes both connections. Closing twice is not an error. */
  close(): void {
    this.#appender.close();
    this.#keeper.close();
  }

  /** @returns whether the rows of that damaged outbox were carried over already. */
  hasAdopted(name: string): boolean {
    return translated(this.#path, () => this.#statement(this.#keeper, 'SELECT 1 FROM adopted WHERE name = ?').get(name)) !== undefined;
  }

  /** Takes the rows of damaged outboxes in before all others, once: a kill in between leaves all to be done again. @throws StoreError. */
  adopt(names: readonly string[], keys: readonly AdoptedKey[], now: MonotonicMillis): void {
    const runMs = this.runMs(now);
    translated(this.#path, () => this.#appender.transaction(() => adoptInto(this.#appender, names, keys, runMs)).immediate());
    this.#count();
  }

  #oldest(): OldestRow | undefined {
    if (this.#unsent === 0) return undefined;
    const oldest = translated(this.#path, () => this.#statement(this.#keeper, OLDEST_UNSENT).get(this.#unsentFrom)) as
      | OldestRow
      | undefined;
    if (oldest !== undefined) this.#unsentFrom = oldest.position;
    return oldest;
  }

  #amongSettled(behind: number, limit: number, isWanted: (row: OutboxRow) => boolean, change: (at: number) => void): LookedAt | undefined {
    return this.#kept(() => {
      const rows = this.#statement(this.#keeper, SETTLED_BEHIND).all(behind, limit) as OutboxRow[];
      const wanted = rows.filter(isWanted);
      for (const { position } of wanted) change(position);
      return rows.length === 0 ? undefined : { at: rows.at(-1)?.position ?? behind, rows: wanted.length };
    });
  }

  /** Deletes the rows that `selection` finds. @returns how many. */
  #delete(selection: string, values: readonly (number | null)[]): number {
    const sql = `DELETE FROM rows WHERE position IN (${selection}) RETURNING key, settled_run_ms IS NULL AS isUnsent`;
    const gone = this.#statement(this.#keeper, sql).all(...values) as Gone[];
    // With the newest row its number would go, too.
    if (gone.length > 0) this.#statement(this.#keeper, WRITE_NEXT).run(this.#nextSeq, this.#nextSeq);
    this.#gone.push(...gone);
    return gone.length;
  }

  #kept<T>(work: () => T): T {
    this.#refuseIfFrozen();
    this.#gone = [];
    const result = translated(this.#path, () => this.#keeper.transaction(work).immediate());
    this.#deleted += this.#gone.length;
    for (const { key, isUnsent } of this.#gone) {
      this.#rowsOf.set(key, (this.#rowsOf.get(key) ?? 1) - 1);
      if (isUnsent === 1) this.#unsent -= 1;
      else this.#settled -= 1;
    }
    this.#gone = [];
    return result;
  }

  /** Runs a write of the appender; where the file is at its bound, once more after settled rows made room. */
  #written<T>(work: () => T): T {
    this.#refuseIfFrozen();
    try {
      return translated(this.#path, work);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'store.disk_full' || !this.#isAtBound()) throw error;
      if (this.#kept(() => this.#delete(SETTLED_BEFORE, [Number.MAX_SAFE_INTEGER, PRUNE_ROWS])) === 0) throw this.#fullError(error);
    }
    try {
      return translated(this.#path, work);
    } catch (error) {
      throw error instanceof StoreError && error.code === 'store.disk_full' && this.#isAtBound() ? this.#fullError(error) : error;
    }
  }

  #refuseIfFrozen(): void {
    if (this.#isFrozen) throw new StoreError('store.hung', 'outbox: the disk does not answer');
  }

  /** SQLite says FULL both for a full disk and for a file at its bound. */
  #isAtBound(): boolean {
    const pages = this.#appender.pragma('page_count', { simple: true }) as number;
    return pages >= (this.#appender.pragma('max_page_count', { simple: true }) as number);
  }

  #fullError(cause: StoreError): StoreError {
    return new StoreError('store.full', `outbox: ${this.#limits.maxBytes} bytes in use, ${this.#unsent} records unsent`, { cause });
  }

  #forgetKeys(): void {
    // A kiosk that starts again and again for days has more keys than a call takes arguments.
    const newest = [...this.#rowsOf.keys()].reduce((latest, key) => Math.max(latest, key), 0);
    const idle = [...this.#rowsOf].filter(([key, rows]) => rows <= 0 && key !== newest).map(([key]) => key);
    if (idle.length === 0) return;
    this.#kept(() => {
      for (const key of idle) this.#statement(this.#keeper, 'DELETE FROM keys WHERE key = ?').run(key);
    });
    for (const key of idle) this.#rowsOf.delete(key);
  }

  #count(): void {
    const counted = translated(this.#path, () => countedIn(this.#keeper));
    ({ rowsOf: this.#rowsOf, unsent: this.#unsent, settled: this.#settled, nextSeq: this.#nextSeq } = counted);
    this.#unsentFrom = Number.MIN_SAFE_INTEGER;
  }

  #meta<T>(column: string): T {
    return translated(this.#path, () => this.#statement(this.#keeper, `SELECT ${column} FROM meta`).pluck().get() as T);
  }

  #statement(db: Sqlite, sql: string): Statement {
    const name = `${db === this.#appender ? 'a' : 'k'} ${sql}`;
    const found = this.#statements.get(name);
    if (found !== undefined) return found;
    const made = db.prepare(sql);
    this.#statements.set(name, made);
    return made;
  }
}
