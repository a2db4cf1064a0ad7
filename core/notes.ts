/**
 * What the core notes about rows besides the scans themselves: which were taken back, which readings are flagged, and which rows it
 * could not take. All of it names rows and none of it names a card.
 */
import type { DoubtReason } from '../protocol/doubt.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import type { FlagEntry } from './intake.ts';
import { LruMap } from './lru-map.ts';
import { type Db, inStore, type Statement } from './sqlite.ts';

/** A row by its stream's number. */
export interface RowNumber {
  readonly stream: number;
  readonly seq: number;
}

export type FlagState = FlagEntry['state'];

export interface Flag {
  readonly state: FlagState;
  readonly raisedAtMs: number;
  readonly expiresAtMs: number;
}

/** An entry, or one row of it, that is wrong in itself. The ledger still holds it; this says where and why. */
export interface SetAside {
  /** 16 bytes that tell it from any other. */
  readonly fingerprint: Uint8Array;
  readonly position: number;
  readonly kiosk: KioskId;
  /** `undefined` for a whole entry. */
  readonly seq: number | undefined;
  readonly reason: ErrorCode;
  readonly receivedAtMs: number;
}

export interface NoteCounts {
  readonly undos: number;
  /** Those that stand: not past their end. */
  readonly flags: Readonly<Record<FlagState, number>>;
  /** Rows that the gateway's triage doubts. */
  readonly doubted: number;
  readonly setAside: number;
  readonly expired: number;
  readonly daysDropped: number;
  /** Rows that came of cards that their holders had taken back; a row that comes again is counted again. */
  readonly revokedRefused: number;
}

/** Notes of what was set aside; past this the oldest is forgotten and only counted. */
export const MOST_SET_ASIDE = 10_000;

type CounterName = 'set-aside-forgotten' | 'expired-forgotten' | 'days-dropped' | 'revoked-refused';

/** Streams whose undos and doubts are remembered. */
const MOST_REMEMBERED = 8_192;

export class Notes {
  readonly #db: Db;
  readonly #addUndo: Statement;
  readonly #undoneOf: Statement;
  readonly #undone = new LruMap<number, ReadonlySet<number>>(MOST_REMEMBERED);
  readonly #setFlag: Statement;
  readonly #findFlag: Statement;
  readonly #addDoubt: Statement;
  readonly #doubtedOf: Statement;
  readonly #doubted = new LruMap<number, ReadonlySet<number>>(MOST_REMEMBERED);
  readonly #addExpired: Statement;
  readonly #addSetAside: Statement;

  constructor(db: Db) {
    this.#db = db;
    this.#addUndo = db.prepare('INSERT OR IGNORE INTO undo (stream, seq, of_stream, of_seq, received_at_ms) VALUES (?, ?, ?, ?, ?)');
    this.#undoneOf = db.prepare('SELECT of_seq FROM undo WHERE of_stream = ?').pluck();
    this.#setFlag = db.prepare(
      `INSERT INTO flag (stream, seq, state, position, raised_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state, position = excluded.position,
         raised_at_ms = excluded.raised_at_ms, expires_at_ms = excluded.expires_at_ms
       WHERE excluded.position > position`,
    );
    this.#findFlag = db.prepare('SELECT state, raised_at_ms, expires_at_ms FROM flag WHERE stream = ? AND seq = ? AND expires_at_ms > ?');
    this.#addDoubt = db.prepare('INSERT OR IGNORE INTO doubt (stream, seq, reason, raised_at_ms) VALUES (?, ?, ?, ?)');
    this.#doubtedOf = db.prepare('SELECT DISTINCT seq FROM doubt WHERE stream = ?').pluck();
    this.#addExpired = db.prepare('INSERT OR IGNORE INTO expired (stream, seq, noted_at_ms) VALUES (?, ?, ?)');
    this.#addSetAside = db.prepare(
      'INSERT OR IGNORE INTO set_aside (fingerprint, position, kiosk, seq, reason, received_at_ms) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  /** Takes the row `of` back, whether it has come or not. Twice is not an error. */
  addUndo(undo: RowNumber, of: RowNumber, receivedAtMs: number): void {
    this.#undone.delete(of.stream);
    inStore('core.db', () => this.#addUndo.run(undo.stream, undo.seq, of.stream, of.seq, receivedAtMs));
  }

  /** The numbers of a stream's rows that were taken back, come or not. */
  undoneOf(stream: number): ReadonlySet<number> {
    return numbersOf(this.#undone, this.#undoneOf, stream);
  }

  /** Keeps the state of the entry that stands latest in the ledger; one that comes again, or late, changes nothing. */
  setFlag(reading: RowNumber, flag: FlagEntry): void {
    const { state, position, raisedAtMs, expiresAtMs } = flag;
    inStore('core.db', () => this.#setFlag.run(reading.stream, reading.seq, state, position, raisedAtMs, expiresAtMs));
  }

  /** @returns the flag on a reading, cleared or not; `undefined` when there is none, or no longer. */
  flag(reading: RowNumber, nowMs: number): Flag | undefined {
    type Row = { state: FlagState; raised_at_ms: number; expires_at_ms: number } | undefined;
    const row = inStore('core.db', () => this.#findFlag.get(reading.stream, reading.seq, nowMs) as Row);
    return row && { state: row.state, raisedAtMs: row.raised_at_ms, expiresAtMs: row.expires_at_ms };
  }

  /** Lowers the weight of a row, whether it has come or not. Twice is not an error. */
  addDoubt(row: RowNumber, reason: DoubtReason, raisedAtMs: number): void {
    this.#doubted.delete(row.stream);
    inStore('core.db', () => this.#addDoubt.run(row.stream, row.seq, reason, raisedAtMs));
  }

  /** Likewise, of those that are doubted. */
  doubtedOf(stream: number): ReadonlySet<number> {
    return numbersOf(this.#doubted, this.#doubtedOf, stream);
  }

  /** Counts a row that came too late, once. */
  addExpired(row: RowNumber, nowMs: number): void {
    inStore('core.db', () => this.#addExpired.run(row.stream, row.seq, nowMs));
  }

  /** Notes what was set aside, once, and forgets the oldest past MOST_SET_ASIDE. */
  addSetAside(note: SetAside): void {
    const { fingerprint, position, kiosk, seq, reason, receivedAtMs } = note;
    inStore('core.db', () => {
      if (this.#addSetAside.run(fingerprint, position, kiosk, seq ?? null, reason, receivedAtMs).changes === 0) return;
      const { changes } = this.#db
        .prepare('DELETE FROM set_aside WHERE id <= (SELECT id FROM set_aside ORDER BY id DESC LIMIT 1 OFFSET ?)')
        .run(MOST_SET_ASIDE);
      if (changes > 0) this.count('set-aside-forgotten', changes);
    });
  }

  /** @returns what was set aside, latest first, at most `limit`. */
  setAside(limit: number): SetAside[] {
    type Row = { fingerprint: Uint8Array; position: number; kiosk: KioskId; seq: number | null; reason: ErrorCode; received_at_ms: number };
    const rows = inStore('core.db', () => this.#db.prepare('SELECT * FROM set_aside ORDER BY id DESC LIMIT ?').all(limit) as Row[]);
    return rows.map((row) => ({
      fingerprint: new Uint8Array(row.fingerprint),
      position: row.position,
      kiosk: row.kiosk,
      seq: row.seq ?? undefined,
      reason: row.reason,
      receivedAtMs: row.received_at_ms,
    }));
  }

  count(name: CounterName, by: number): void {
    const sql = 'INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value';
    inStore('core.db', () => this.#db.prepare(sql).run(name, by));
  }

  /**
   * Forgets what has aged off. An undo stays while the row that it takes back may be held: else that would stand again.
   * @param keptFromMs what came, or was raised, before it goes.
   */
  sweep(nowMs: number, keptFromMs: number): void {
    this.lookUpAnew();
    inStore('core.db', () =>
      this.#db.transaction(() => {
        const run = (sql: string, ...values: number[]): number => this.#db.prepare(sql).run(...values).changes;
        run('DELETE FROM flag WHERE expires_at_ms <= ? OR raised_at_ms < ?', nowMs, keptFromMs);
        run('DELETE FROM doubt WHERE raised_at_ms < ?', keptFromMs);
        run(
          `DELETE FROM undo WHERE received_at_ms < ? AND NOT EXISTS (SELECT 1 FROM stream_day
           WHERE stream_day.stream = undo.of_stream AND undo.of_seq BETWEEN first_seq AND last_seq)`,
          keptFromMs,
        );
        const expired = run('DELETE FROM expired WHERE noted_at_ms < ?', keptFromMs);
        if (expired > 0) this.count('expired-forgotten', expired);
        const setAside = run('DELETE FROM set_aside WHERE received_at_ms < ?', keptFromMs);
        if (setAside > 0) this.count('set-aside-forgotten', setAside);
        run(
          `DELETE FROM stream WHERE id NOT IN (SELECT stream FROM stream_day UNION SELECT stream FROM undo
           UNION SELECT of_stream FROM undo UNION SELECT stream FROM flag UNION SELECT stream FROM expired UNION SELECT stream FROM doubt)`,
        );
      })(),
    );
  }

  /** What is remembered of core.db can be more than was committed, or less than another process wrote: call after a rollback, and before a look of its own. */
  lookUpAnew(): void {
    this.#undone.clear();
    this.#doubted.clear();
  }

  counts(nowMs: number): NoteCounts {
    return inStore('core.db', () => {
      const one = (sql: string, ...values: (string | number)[]): number =>
        Number(
          this.#db
            .prepare(sql)
            .pluck()
            .get(...values) ?? 0,
        );
      const counter = (name: CounterName): number => one('SELECT value FROM counter WHERE name = ?', name);
      const flags = (state: FlagState): number => one('SELECT count(*) FROM flag WHERE state = ? AND expires_at_ms > ?', state, nowMs);
      return {
        undos: one('SELECT count(*) FROM undo'),
        flags: { confirmed: flags('confirmed'), unconfirmed: flags('unconfirmed'), cleared: flags('cleared') },
        doubted: one('SELECT count(*) FROM (SELECT DISTINCT stream, seq FROM doubt)'),
        setAside: one('SELECT count(*) FROM set_aside') + counter('set-aside-forgotten'),
        expired: one('SELECT count(*) FROM expired') + counter('expired-forgotten'),
        daysDropped: counter('days-dropped'),
        revokedRefused: counter('revoked-refused'),
      };
    });
  }
}

const numbersOf = (known: LruMap<number, ReadonlySet<number>>, query: Statement, stream: number): ReadonlySet<number> =>
  known.getOrMake(stream, () => inStore('core.db', () => new Set(query.all(stream) as number[])));
