/** One day's encrypted file: the scans of that day, and which readings were taken (never what they read). */
import type { Day } from './day.ts';
import type { RowNumber } from './notes.ts';
import type { CardPseudonym } from './pseudonym.ts';
import { type Db, emptyLog, inStore, openEncrypted, type Statement, widenCache } from './sqlite.ts';

/** A scan as it lies in the file: stream and venue by their numbers in core.db. */
export interface StoredScan extends RowNumber {
  readonly card: CardPseudonym;
  readonly venue: number;
  readonly kind: 'check-in' | 'check-out';
  readonly atMs: number;
  readonly uncertaintyMs: number;
  readonly dwellMs: number;
  readonly lingeringMs: number;
  readonly groupSize: number;
}

export interface StoredReading extends RowNumber {
  readonly card: CardPseudonym;
  readonly atMs: number;
}

export interface DayCounts {
  readonly checkIns: number;
  readonly checkOuts: number;
  readonly readings: number;
}

/**
 * Scans surer than this are looked for close to their time; the few others have an index of their own, so that one kiosk without a
 * clock does not make every look a day wide. Ten minutes: above what a synced or same-boot stamp is unsure by.
 */
export const SURE_MS = 600_000;

const CHECK_IN = 1;
const CHECK_OUT = 2;

// Rows are found by (stream, seq) and lie in that order, as they arrive; the two indices carry it in place of a row id.
const SCHEMA = [
  `
  CREATE TABLE scan (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    card BLOB NOT NULL CHECK (length(card) = 16),
    venue INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind IN (${CHECK_IN}, ${CHECK_OUT})),
    at_ms INTEGER NOT NULL,
    uncertainty_ms INTEGER NOT NULL CHECK (uncertainty_ms >= 0),
    dwell_ms INTEGER NOT NULL CHECK (dwell_ms >= 0),
    group_size INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX scan_by_card ON scan (card);
  CREATE INDEX scan_by_venue ON scan (venue, at_ms);
  CREATE INDEX scan_unsure ON scan (venue, at_ms) WHERE uncertainty_ms > ${SURE_MS};

  CREATE TABLE reading (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    card BLOB NOT NULL CHECK (length(card) = 16),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reading_by_card ON reading (card);
  `,
  'ALTER TABLE scan ADD COLUMN lingering_ms INTEGER NOT NULL DEFAULT 0 CHECK (lingering_ms >= 0)',
] as const;

/** The statements that read, by name; a test asks SQLite how it would run each. */
export const DAY_QUERIES = {
  scansOf: 'SELECT stream, seq, venue, kind, at_ms, uncertainty_ms, dwell_ms, lingering_ms, group_size FROM scan WHERE card = ?',
  scansAt: 'SELECT card, kind, at_ms, uncertainty_ms, dwell_ms FROM scan WHERE venue = ? AND at_ms BETWEEN ? AND ?',
  unsureScansAt: `SELECT card, kind, at_ms, uncertainty_ms, dwell_ms FROM scan INDEXED BY scan_unsure
    WHERE venue = ? AND at_ms BETWEEN ? AND ? AND uncertainty_ms > ${SURE_MS}`,
  readingsOf: 'SELECT stream, seq FROM reading WHERE card = ?',
  hasScan: 'SELECT 1 FROM scan WHERE stream = ? AND seq = ?',
  hasReading: 'SELECT 1 FROM reading WHERE stream = ? AND seq = ?',
} as const;

/** One scan at a venue, as little as tells whether its card is worth a closer look. */
export interface VenueScan {
  /** A `CardPseudonym`. */
  readonly card: Buffer;
  readonly isCheckIn: boolean;
  readonly atMs: number;
  readonly uncertaintyMs: number;
  readonly dwellMs: number;
}

interface ScanColumns {
  readonly stream: number;
  readonly seq: number;
  readonly card: Buffer;
  readonly venue: number;
  readonly kind: number;
  readonly at_ms: number;
  readonly uncertainty_ms: number;
  readonly dwell_ms: number;
  readonly lingering_ms: number;
  readonly group_size: number;
}

export class DayFile {
  readonly #db: Db;
  readonly #subject: string;
  readonly #addScan: Statement;
  readonly #addReading: Statement;
  #isWrittenTo = false;
  readonly #queries: Readonly<Record<keyof typeof DAY_QUERIES, Statement>>;

  /** @param key 32 bytes. @throws StoreError as `openEncrypted`; `store.corrupt` when the file does not open under its key. */
  constructor(
    path: string,
    options: { readonly day: Day; readonly key: Uint8Array; readonly mode: 'write' | 'read'; readonly walAutocheckpointPages: number },
  ) {
    this.#subject = `day ${options.day}`;
    this.#db = openEncrypted(path, { ...options, subject: this.#subject, schema: SCHEMA, ifUnreadable: 'store.corrupt' });
    const prepare = (sql: string): Statement => inStore(this.#subject, () => this.#db.prepare(sql));
    this.#addScan = prepare('INSERT OR IGNORE INTO scan VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#addReading = prepare('INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)');
    this.#queries = {
      scansOf: prepare(DAY_QUERIES.scansOf),
      scansAt: prepare(DAY_QUERIES.scansAt),
      unsureScansAt: prepare(DAY_QUERIES.unsureScansAt),
      readingsOf: prepare(DAY_QUERIES.readingsOf),
      hasScan: prepare(DAY_QUERIES.hasScan),
      hasReading: prepare(DAY_QUERIES.hasReading),
    };
  }

  /** Keeps rows: all of them or, when it throws, none. When it returns, a power cut cannot lose them. A row already held is left as it is. */
  add(scans: readonly StoredScan[], readings: readonly StoredReading[]): void {
    if (!this.#isWrittenTo) widenCache(this.#db);
    this.#isWrittenTo = true;
    inStore(this.#subject, () =>
      this.#db.transaction(() => {
        for (const scan of scans) {
          const kind = scan.kind === 'check-in' ? CHECK_IN : CHECK_OUT;
          const { stream, seq, card, venue, atMs, uncertaintyMs, dwellMs, lingeringMs, groupSize } = scan;
          this.#addScan.run(stream, seq, card, venue, kind, atMs, uncertaintyMs, dwellMs, groupSize, lingeringMs);
        }
        for (const { stream, seq, card, atMs } of readings) this.#addReading.run(stream, seq, card, atMs);
      })(),
    );
  }

  /** @returns whether a scan or a reading of this name lies here. */
  has(row: RowNumber): boolean {
    const { hasScan, hasReading } = this.#queries;
    return inStore(
      this.#subject,
      () => hasScan.get(row.stream, row.seq) !== undefined || hasReading.get(row.stream, row.seq) !== undefined,
    );
  }

  scansOf(card: CardPseudonym): StoredScan[] {
    const rows = inStore(this.#subject, () => this.#queries.scansOf.all(card) as Omit<ScanColumns, 'card'>[]);
    return rows.map((row) => ({
      stream: row.stream,
      seq: row.seq,
      card,
      venue: row.venue,
      kind: row.kind === CHECK_IN ? 'check-in' : 'check-out',
      atMs: row.at_ms,
      uncertaintyMs: row.uncertainty_ms,
      dwellMs: row.dwell_ms,
      lingeringMs: row.lingering_ms,
      groupSize: row.group_size,
    }));
  }

  /** Scans at a venue between two instants, both included: all that are surer than SURE_MS, and maybe others. */
  scansAt(venue: number, fromMs: number, toMs: number): VenueScan[] {
    return this.#venueScans(this.#queries.scansAt, venue, fromMs, toMs);
  }

  /** Scans at a venue between two instants, both included, that are less sure than SURE_MS. */
  unsureScansAt(venue: number, fromMs: number, toMs: number): VenueScan[] {
    return this.#venueScans(this.#queries.unsureScansAt, venue, fromMs, toMs);
  }

  readingsOf(card: CardPseudonym): RowNumber[] {
    return inStore(this.#subject, () => this.#queries.readingsOf.all(card) as RowNumber[]);
  }

  counts(): DayCounts {
    return inStore(this.#subject, () => {
      const one = (sql: string, ...values: number[]): number =>
        this.#db
          .prepare(sql)
          .pluck()
          .get(...values) as number;
      return {
        checkIns: one('SELECT count(*) FROM scan WHERE kind = ?', CHECK_IN),
        checkOuts: one('SELECT count(*) FROM scan WHERE kind = ?', CHECK_OUT),
        readings: one('SELECT count(*) FROM reading'),
      };
    });
  }

  /** Takes every row of a card out, also out of the write-ahead log. @returns which rows there were. @throws StoreError. */
  erase(card: CardPseudonym): RowNumber[] {
    const gone = inStore(this.#subject, () =>
      this.#db.transaction(() =>
        ['scan', 'reading'].flatMap(
          (table) => this.#db.prepare(`DELETE FROM ${table} WHERE card = ? RETURNING stream, seq`).all(card) as RowNumber[],
        ),
      )(),
    );
    // Also where nothing was found: what was deleted before may still lie in the log.
    emptyLog(this.#db, this.#subject);
    return gone;
  }

  /** Cards that have rows here, behind `card` in the order of their names, at most `most`. */
  cardsBehind(card: CardPseudonym, most: number): CardPseudonym[] {
    const sql = `SELECT card FROM (SELECT DISTINCT card FROM scan WHERE card > ?1 ORDER BY card LIMIT ?2)
      UNION SELECT card FROM (SELECT DISTINCT card FROM reading WHERE card > ?1 ORDER BY card LIMIT ?2) ORDER BY card LIMIT ?2`;
    const cards = inStore(this.#subject, () => this.#db.prepare(sql).pluck().all({ 1: card, 2: most }) as Uint8Array[]);
    return cards.map((found) => new Uint8Array(found) as CardPseudonym);
  }

  /** The settings that its promises rest on, as SQLite has them. */
  settings(): Readonly<Record<string, unknown>> {
    const names = ['synchronous', 'journal_mode', 'secure_delete', 'wal_autocheckpoint'];
    return inStore(this.#subject, () => Object.fromEntries(names.map((name) => [name, this.#db.pragma(name, { simple: true })])));
  }

  /** How SQLite would run one of DAY_QUERIES, a line for each table it visits. */
  plan(query: keyof typeof DAY_QUERIES): string[] {
    const statement = this.#db.prepare(`EXPLAIN QUERY PLAN ${DAY_QUERIES[query]}`);
    const values = DAY_QUERIES[query].split('?').slice(1).fill('0');
    return (statement.all(...values) as { detail: string }[]).map(({ detail }) => detail);
  }

  close(): void {
    inStore(this.#subject, () => this.#db.close());
  }

  #venueScans(query: Statement, venue: number, fromMs: number, toMs: number): VenueScan[] {
    const rows = inStore(this.#subject, () => query.all(venue, fromMs, toMs) as Omit<ScanColumns, 'venue' | 'stream' | 'seq'>[]);
    return rows.map((row) => ({
      card: row.card,
      isCheckIn: row.kind === CHECK_IN,
      atMs: row.at_ms,
      uncertaintyMs: row.uncertainty_ms,
      dwellMs: row.dwell_ms,
    }));
  }
}
