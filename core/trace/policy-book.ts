/**
 * By which policy is traced, in core.db: each version that ever was, who set it and when, so that a result that names one can be read for good. A
 * change made by another process holds from the next trace on.
 */
import { DecodeError, PolicyError } from '../../protocol/errors.ts';
import { type Db, inStore } from '../sqlite.ts';
import { DEFAULT_TRACE_POLICY, type TracePolicy } from './trace.ts';

export const TRACE_POLICY_STEP = `
  CREATE TABLE trace_policy (
    version INTEGER PRIMARY KEY,
    set_at_ms INTEGER NOT NULL,
    -- A person's pseudonym, as in the audit log, or a user of this machine.
    set_by TEXT NOT NULL,
    -- JSON: durations in ms.
    rules TEXT NOT NULL
  ) STRICT;
`;

export type TraceRules = Omit<TracePolicy, 'version'>;

/** What is left out, or `undefined`, stays. */
export type TraceChange = { readonly [Name in keyof TraceRules]?: TraceRules[Name] | undefined };

export interface SetPolicy {
  readonly policy: TracePolicy;
  /** `undefined` for the one that a core begins with. */
  readonly setAtMs: number | undefined;
  readonly setBy: string | undefined;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const ANCHORS = ['confirmation', 'onset', 'test'] as const;

/**
 * What a policy may say at all. Longer windows than that ask for days past retention, and of visits of minutes "medium" means everybody
 * (docs/decisions/0027-tracing-engine.md).
 */
export const TRACE_BOUNDS = {
  highWindowMs: { least: HOUR_MS, most: 7 * DAY_MS },
  farWindowMs: { least: HOUR_MS, most: 14 * DAY_MS },
  backwardWindowMs: { least: DAY_MS, most: 21 * DAY_MS },
  minimumOverlapMs: { least: MINUTE_MS, most: 12 * HOUR_MS },
  mediumMinimumOverlapMs: { least: 5 * MINUTE_MS, most: 12 * HOUR_MS },
} as const satisfies Record<Exclude<keyof TraceRules, 'anchor'>, { readonly least: number; readonly most: number }>;

interface Row {
  readonly version: number;
  readonly set_at_ms: number;
  readonly set_by: string;
  readonly rules: string;
}

export class TracePolicies {
  readonly #db: Db;
  readonly #first: TracePolicy;

  /** @param db core.db. @param first in force until one is set. */
  constructor(db: Db, first: TracePolicy = DEFAULT_TRACE_POLICY) {
    this.#db = db;
    this.#first = first;
  }

  /** The one in force. @throws StoreError. */
  current(): TracePolicy {
    const sql = 'SELECT * FROM trace_policy ORDER BY version DESC LIMIT 1';
    const row = inStore('core.db', () => this.#db.prepare(sql).get()) as Row | undefined;
    return row === undefined ? this.#first : policyOf(row);
  }

  /** The latest, at most `most`, newest first, down to the one that this core began with. @throws StoreError. */
  latest(most: number): SetPolicy[] {
    const sql = 'SELECT * FROM trace_policy ORDER BY version DESC LIMIT ?';
    const rows = inStore('core.db', () => this.#db.prepare(sql).all(most)) as Row[];
    const set = rows.map((row): SetPolicy => ({ policy: policyOf(row), setAtMs: row.set_at_ms, setBy: row.set_by }));
    return rows.length < most ? [...set, { policy: this.#first, setAtMs: undefined, setBy: undefined }] : set;
  }

  /**
   * What changes nothing is no new version. Results that are there are found anew by it; those of closed cases stay.
   * @param instead the version that it is to take the place of; the one in force where left out.
   * @returns the one in force then. @throws DecodeError `decode.out_of_range`; PolicyError `policy.older` when another has been set since; StoreError.
   */
  set(
    change: TraceChange,
    { by, nowMs, instead }: { readonly by: string; readonly nowMs: number; readonly instead?: number },
  ): TracePolicy {
    return inStore('core.db', () =>
      this.#db
        .transaction(() => {
          const { version, ...before } = this.current();
          if (instead !== undefined && instead !== version)
            throw new PolicyError('policy.older', `trace policy: version ${instead}, and ${version} is in force`);
          const given = Object.entries(change).filter(([, value]) => value !== undefined);
          const rules: TraceRules = { ...before, ...(Object.fromEntries(given) as Partial<TraceRules>) };
          refuseOutOfRange(rules);
          if (JSON.stringify(rules) === JSON.stringify(before)) return { version, ...before };
          const sql = 'INSERT INTO trace_policy (version, set_at_ms, set_by, rules) VALUES (?, ?, ?, ?)';
          this.#db.prepare(sql).run(version + 1, nowMs, by, JSON.stringify(rules));
          return { version: version + 1, ...rules };
        })
        .immediate(),
    );
  }
}

const policyOf = ({ version, rules }: Row): TracePolicy => ({ version, ...(JSON.parse(rules) as TraceRules) });

/** @throws DecodeError `decode.out_of_range` that names every fault. */
function refuseOutOfRange(rules: TraceRules): void {
  const faults = Object.entries(TRACE_BOUNDS).flatMap(([name, { least, most }]) => {
    const value = rules[name as keyof typeof TRACE_BOUNDS];
    return Number.isInteger(value) && value >= least && value <= most ? [] : [`${name}: ${value} of ${least} to ${most} ms`];
  });
  if (rules.farWindowMs < rules.highWindowMs) faults.push('farWindowMs: shorter than highWindowMs');
  if (!ANCHORS.includes(rules.anchor)) faults.push(`anchor: one of ${ANCHORS.join(', ')}`);
  if (faults.length > 0) throw new DecodeError('decode.out_of_range', `trace policy: ${faults.join('; ')}`);
}
