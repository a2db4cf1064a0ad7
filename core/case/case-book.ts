/** The table of cases in core.db: written by cases.ts alone. */
import type { VenueId } from '../../protocol/ids.ts';
import type { CardPseudonym } from '../pseudonym.ts';
import { type Db, inStore, type Statement } from '../sqlite.ts';
import type { Case, CaseSource, CaseState } from './case.ts';

/** What a source says of a case. */
export interface CaseSaid {
  readonly card: CardPseudonym;
  readonly source: CaseSource;
  /** The same thing said again is the same case. */
  readonly origin: string;
  readonly said: CaseState;
  readonly confirmedAtMs?: number | undefined;
  readonly testedAtMs?: number | undefined;
  readonly onsetAtMs?: number | undefined;
  readonly venue?: VenueId | undefined;
  readonly region?: string | undefined;
}

interface Row {
  readonly id: number;
  readonly card: Uint8Array;
  readonly source: CaseSource;
  readonly origin: string;
  readonly said: CaseState;
  readonly decided: CaseState | null;
  readonly confirmed_at_ms: number | null;
  readonly tested_at_ms: number | null;
  readonly onset_at_ms: number | null;
  readonly raised_at_ms: number;
  readonly changed_at_ms: number;
  readonly venue: VenueId | null;
  readonly region: string | null;
}

export class CaseBook {
  readonly #db: Db;
  readonly #put: Statement;
  readonly #byOrigin: Statement;
  readonly #byId: Statement;

  constructor(db: Db) {
    this.#db = db;
    this.#put = db.prepare(
      `INSERT INTO "case" (card, source, origin, said, confirmed_at_ms, tested_at_ms, onset_at_ms, raised_at_ms, changed_at_ms, venue, region)
       VALUES (@card, @source, @origin, @said, @confirmed, @tested, @onset, @now, @now, @venue, @region)
       ON CONFLICT (origin) DO UPDATE SET card = @card, said = @said, confirmed_at_ms = @confirmed, tested_at_ms = @tested,
         onset_at_ms = @onset, changed_at_ms = @now, venue = @venue, region = @region
       WHERE card IS NOT @card OR said IS NOT @said OR confirmed_at_ms IS NOT @confirmed OR tested_at_ms IS NOT @tested
         OR onset_at_ms IS NOT @onset`,
    );
    this.#byOrigin = db.prepare('SELECT * FROM "case" WHERE origin = ?');
    this.#byId = db.prepare('SELECT * FROM "case" WHERE id = ?');
  }

  /** Writes what is said in the place of what its origin said before. @returns whether that changes anything. */
  put(said: CaseSaid, nowMs: number): boolean {
    const { confirmedAtMs, testedAtMs, onsetAtMs, venue, region, ...rest } = said;
    const times = { confirmed: confirmedAtMs ?? null, tested: testedAtMs ?? null, onset: onsetAtMs ?? null };
    const row = { ...rest, ...times, venue: venue ?? null, region: region ?? null, now: nowMs };
    return inStore('core.db', () => this.#put.run(row).changes > 0);
  }

  /** What its source says is no more: dismissed, where there was such a case. @returns whether that changes anything. */
  withdraw(origin: string, nowMs: number): boolean {
    const sql = `UPDATE "case" SET said = 'dismissed', changed_at_ms = ? WHERE origin = ? AND said <> 'dismissed'`;
    return inStore('core.db', () => this.#db.prepare(sql).run(nowMs, origin).changes > 0);
  }

  /** Keeps what a health officer decides. @param onsetAtMs left out, it stays. @returns whether that changes anything. */
  decide(id: number, state: CaseState, times: { readonly confirmedAtMs?: number; readonly onsetAtMs?: number }, nowMs: number): boolean {
    const sql = `UPDATE "case" SET decided = ?, confirmed_at_ms = coalesce(confirmed_at_ms, ?), onset_at_ms = coalesce(?, onset_at_ms),
      changed_at_ms = ? WHERE id = ? AND (decided IS NOT ? OR (? IS NOT NULL AND onset_at_ms IS NOT ?))`;
    const { confirmedAtMs = null, onsetAtMs = null } = times;
    return inStore(
      'core.db',
      () => this.#db.prepare(sql).run(state, confirmedAtMs, onsetAtMs, nowMs, id, state, onsetAtMs, onsetAtMs).changes > 0,
    );
  }

  find(id: number): Case | undefined {
    const row = inStore('core.db', () => this.#byId.get(id)) as Row | undefined;
    return row && caseOf(row);
  }

  /** @returns whether this is what its origin said; times that a decision may have changed since are not looked at then. */
  isSaid({ card, origin, said, confirmedAtMs, testedAtMs, onsetAtMs, region }: CaseSaid): boolean {
    const sql = `SELECT count(*) FROM "case" WHERE origin = ? AND card = ? AND said = ? AND tested_at_ms IS ? AND region IS ?
      AND (decided IS NOT NULL OR (onset_at_ms IS ? AND confirmed_at_ms IS coalesce(?, confirmed_at_ms)))`;
    const values = [origin, card, said, testedAtMs ?? null, region ?? null, onsetAtMs ?? null, confirmedAtMs ?? null];
    return inStore(
      'core.db',
      () =>
        this.#db
          .prepare(sql)
          .pluck()
          .get(...values) === 1,
    );
  }

  ofOrigin(origin: string): Case | undefined {
    const row = inStore('core.db', () => this.#byOrigin.get(origin)) as Row | undefined;
    return row && caseOf(row);
  }

  /** By number, at most `limit` behind `afterId`. */
  list(afterId: number, limit: number): Case[] {
    const sql = 'SELECT * FROM "case" WHERE id > ? ORDER BY id LIMIT ?';
    return inStore('core.db', () => this.#db.prepare(sql).all(afterId, limit) as Row[]).map(caseOf);
  }

  /** Suspected and confirmed ones, by number. */
  open(): Case[] {
    const sql = `SELECT * FROM "case" WHERE coalesce(decided, said) <> 'dismissed' ORDER BY id`;
    return inStore('core.db', () => this.#db.prepare(sql).all() as Row[]).map(caseOf);
  }

  /** Forgets cases of which nothing is so late. @returns how many. */
  sweep(keptFromMs: number): number {
    const sql = `DELETE FROM "case" WHERE coalesce(max(confirmed_at_ms, coalesce(tested_at_ms, 0)), tested_at_ms, raised_at_ms) < ?`;
    return inStore('core.db', () => this.#db.prepare(sql).run(keptFromMs).changes);
  }

  counts(): Readonly<Record<CaseState, number>> {
    const sql = 'SELECT coalesce(decided, said) AS state, count(*) AS count FROM "case" GROUP BY 1';
    const rows = inStore('core.db', () => this.#db.prepare(sql).all() as { state: CaseState; count: number }[]);
    const of = (state: CaseState): number => rows.find((row) => row.state === state)?.count ?? 0;
    return { suspected: of('suspected'), confirmed: of('confirmed'), dismissed: of('dismissed') };
  }
}

const caseOf = (row: Row): Case => ({
  id: row.id,
  card: new Uint8Array(row.card) as CardPseudonym,
  state: row.decided ?? row.said,
  source: row.source,
  isDecided: row.decided !== null,
  confirmedAtMs: row.confirmed_at_ms ?? undefined,
  testedAtMs: row.tested_at_ms ?? undefined,
  onsetAtMs: row.onset_at_ms ?? undefined,
  raisedAtMs: row.raised_at_ms,
  changedAtMs: row.changed_at_ms,
  venue: row.venue ?? undefined,
  region: row.region ?? undefined,
});
