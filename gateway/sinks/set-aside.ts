/**
 * What one sink refuses for what it is: named by its place in the ledger, with the reason, until a person has it tried again, throws it
 * away, or retention ends it. Bounded: a sink that refuses more than that is at fault itself, and waits.
 */
import { type ErrorCode, SinkError } from '../../protocol/errors.ts';
import type { KioskId } from '../../protocol/ids.ts';
import type { LedgerEntry } from '../../protocol/ledger-entry.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Db, translating } from '../database.ts';

export interface SetAsideEntry {
  readonly sink: string;
  readonly position: number;
  readonly kiosk: KioskId;
  readonly kind: LedgerEntry['kind'];
  readonly reason: ErrorCode;
  readonly setAsideAtMs: EpochMillis;
}

/** Of one sink. */
export const MOST_SET_ASIDE = 1_000;

export class SetAside {
  readonly #db: Db;

  /** @param db the ledger's index. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** Sets one aside; again gives it another reason. @throws SinkError `sink.quarantine_full`, StoreError. */
  add(sink: string, entry: LedgerEntry, reason: ErrorCode, nowMs: EpochMillis): void {
    translating('ledger', () =>
      this.#db.transact(() => {
        if (!this.has(sink, entry.position) && this.count(sink) >= MOST_SET_ASIDE)
          throw new SinkError('sink.quarantine_full', `sink ${sink}: ${MOST_SET_ASIDE} entries are set aside`);
        this.#db
          .prepare(
            `INSERT INTO set_aside (sink, position, kiosk, kind, reason, set_aside_at_ms) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET reason = excluded.reason`,
          )
          .run(sink, entry.position, kioskOf(entry), entry.kind, reason, nowMs);
      }),
    );
  }

  has(sink: string, position: number): boolean {
    return (
      translating('ledger', () => this.#db.prepare('SELECT 1 FROM set_aside WHERE sink = ? AND position = ?').get(sink, position)) !==
      undefined
    );
  }

  /** The entries that are not set aside. */
  without(sink: string, entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
    const [first, last] = [entries[0]?.position ?? 0, entries.at(-1)?.position ?? 0];
    const positions = translating('ledger', () =>
      this.#db.prepare('SELECT position FROM set_aside WHERE sink = ? AND position BETWEEN ? AND ?').pluck().all(sink, first, last),
    ) as number[];
    if (positions.length === 0) return entries;
    const known = new Set(positions);
    return entries.filter(({ position }) => !known.has(position));
  }

  count(sink: string): number {
    return Number(translating('ledger', () => this.#db.prepare('SELECT count(*) FROM set_aside WHERE sink = ?').pluck().get(sink)));
  }

  /** @returns in the ledger's order, all of one sink. */
  list(sink: string): SetAsideEntry[] {
    return translating('ledger', () =>
      this.#db
        .prepare(
          'SELECT sink, position, kiosk, kind, reason, set_aside_at_ms AS setAsideAtMs FROM set_aside WHERE sink = ? ORDER BY position',
        )
        .all(sink),
    ) as SetAsideEntry[];
  }

  /** @returns false when it was not there. */
  drop(sink: string, position: number): boolean {
    const sql = 'DELETE FROM set_aside WHERE sink = ? AND position = ?';
    return translating('ledger', () => this.#db.prepare(sql).run(sink, position).changes) > 0;
  }
}

export const kioskOf = (entry: LedgerEntry): KioskId =>
  entry.kind === 'batch' ? entry.kiosk : entry.kind === 'flag' ? entry.reading.kiosk : entry.row.kiosk;
