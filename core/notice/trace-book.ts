/** What is to be traced and what was, in core.db: durable, so that a trace that is cut off is done again. */
import type { CardPseudonym } from '../pseudonym.ts';
import { type Db, inStore, prepared } from '../sqlite.ts';

/** What is traced: a case, or a flag on a reading. */
export interface Traceable {
  /** `case/<number>` or `flag/<stream>/<number of the reading>`. */
  readonly source: string;
  readonly card: CardPseudonym;
  readonly anchorMs: number;
  /** Whether holders are told. */
  readonly isRaised: boolean;
  /** Nobody is told past it. */
  readonly endsAtMs: number | undefined;
  /** Of a flag: by its venue's rule, and that rule's version. */
  readonly flag?: { readonly minimumOverlapMs: number | undefined; readonly ruleVersion: number };
}

/** Rows within are of the trace: a later one of them changes it. */
export interface Reach {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Row {
  readonly source: string;
  readonly wanted: number;
  readonly traced_at_ms: number | null;
}

export class TraceBook {
  readonly #db: Db;

  /** @param db core.db. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** Within the caller's transaction: it is to be traced at once, unless it has been just like this. */
  want({ source, anchorMs, isRaised, endsAtMs }: Traceable, policyVersion: number, { fromMs, toMs }: Reach): void {
    const sql = `INSERT INTO trace (source, anchor_ms, is_raised, policy_version, ends_at_ms, from_ms, to_ms, wanted, done)
      VALUES (@source, @anchor, @raised, @policy, @ends, @from, @to, 1, 0)
      ON CONFLICT DO UPDATE SET anchor_ms = @anchor, is_raised = @raised, policy_version = @policy, ends_at_ms = @ends, from_ms = @from,
        to_ms = @to, wanted = wanted + 1, traced_at_ms = NULL
      WHERE anchor_ms <> @anchor OR is_raised <> @raised OR policy_version <> @policy OR ends_at_ms IS NOT @ends`;
    const raised = Number(isRaised);
    const ends = endsAtMs ?? null;
    inStore('core.db', () =>
      this.#db.prepare(sql).run({ source, anchor: anchorMs, raised, policy: policyVersion, ends, from: fromMs, to: toMs }),
    );
  }

  /** Within the caller's transaction: rows of these times came. @returns whether any trace is to be done again. */
  rowsCame(fromMs: number, toMs: number): boolean {
    const sql = 'UPDATE trace SET wanted = wanted + 1 WHERE from_ms <= ? AND to_ms >= ? AND wanted = done';
    return inStore('core.db', () => prepared(this.#db, sql).run(toMs, fromMs).changes > 0);
  }

  /** What is to be traced: at once before what may wait, and of each the one that waits longest. */
  due(): { readonly source: string; readonly wanted: number; readonly tracedAtMs: number | undefined }[] {
    const sql = 'SELECT source, wanted, traced_at_ms FROM trace WHERE wanted > done ORDER BY traced_at_ms, source';
    const rows = inStore('core.db', () => this.#db.prepare(sql).all() as Row[]);
    return rows.map(({ source, wanted, traced_at_ms }) => ({ source, wanted, tracedAtMs: traced_at_ms ?? undefined }));
  }

  /** Within the caller's transaction: traced, with the rows that had come by `wanted`. */
  done(source: string, wanted: number, nowMs: number): void {
    inStore('core.db', () => this.#db.prepare('UPDATE trace SET done = ?, traced_at_ms = ? WHERE source = ?').run(wanted, nowMs, source));
  }

  /** Since when the oldest that is due has waited: since it was traced last, or, of one that never was, since its case changed. */
  oldestDueMs(): number | undefined {
    const sql = `SELECT min(coalesce(traced_at_ms, (SELECT changed_at_ms FROM "case" WHERE source = 'case/' || id), anchor_ms))
      FROM trace WHERE wanted > done`;
    return inStore('core.db', () => this.#db.prepare(sql).pluck().get() as number | null) ?? undefined;
  }

  sources(): string[] {
    return inStore('core.db', () => this.#db.prepare('SELECT source FROM trace').pluck().all() as string[]);
  }

  /** Within the caller's transaction. */
  forget(source: string): void {
    inStore('core.db', () => this.#db.prepare('DELETE FROM trace WHERE source = ?').run(source));
  }
}
