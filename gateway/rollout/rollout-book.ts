/**
 * Which release goes to which kiosks, and how far each is, in the registry's file. Commands start, widen, pause and stop; the running gateway
 * alone writes down what kiosks say, and that it paused by itself.
 */
import { createHash } from 'node:crypto';
import { ConfigError, type ErrorCode } from '../../protocol/errors.ts';
import type { KioskId, VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Db, translating } from '../database.ts';

export const ROLLOUTS_STEP = `CREATE TABLE rollouts (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     digest TEXT NOT NULL,
     version TEXT NOT NULL,
     board TEXT NOT NULL,
     length_bytes INTEGER NOT NULL CHECK (length_bytes > 0),
     state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'stopped')),
     why TEXT,
     percent INTEGER NOT NULL CHECK (percent BETWEEN 1 AND 100),
     -- JSON arrays; both empty: every kiosk.
     kiosks TEXT NOT NULL,
     venues TEXT NOT NULL,
     most_failed INTEGER NOT NULL CHECK (most_failed >= 0),
     at_once INTEGER NOT NULL CHECK (at_once > 0),
     started_at_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE rollout_kiosks (
     number INTEGER NOT NULL REFERENCES rollouts (number),
     kiosk TEXT NOT NULL,
     phase TEXT NOT NULL,
     why TEXT,
     at_ms INTEGER NOT NULL,
     PRIMARY KEY (number, kiosk)
   ) STRICT, WITHOUT ROWID;`;

/** How many more may fail each time that it goes on: as many as at its start. */
export const ROLLOUT_MAY_FAIL_STEP = `
  ALTER TABLE rollouts ADD COLUMN may_fail INTEGER NOT NULL DEFAULT 0 CHECK (may_fail >= 0);
  UPDATE rollouts SET may_fail = most_failed;`;

export interface RolloutOrder {
  /** SHA-256 of the bundle's head, in hexadecimal. */
  readonly digest: string;
  readonly version: string;
  /** What it runs on: other kiosks are not meant. */
  readonly board: string;
  readonly lengthBytes: number;
  /** Of those that are meant: 1 to 100. More are the same ones and others. */
  readonly percent: number;
  /** Who is meant: these, and those of these venues; both empty: all. */
  readonly kiosks: readonly KioskId[];
  readonly venues: readonly VenueId[];
  /** It pauses by itself when more than so many refuse it, or go back. */
  readonly mostFailed: number;
  /** So many connected ones take it at the same time. */
  readonly atOnce: number;
}

export interface Rollout extends RolloutOrder {
  readonly number: number;
  readonly state: 'running' | 'paused' | 'stopped';
  /** Why it paused by itself. */
  readonly why: ErrorCode | undefined;
  readonly startedAtMs: EpochMillis;
}

/** `offered`: it was told, and has not answered yet; else what its state says. */
export type RolloutPhase = 'offered' | 'waiting' | 'taking' | 'ready' | 'trying' | 'kept' | 'refused' | 'failed';

export interface RolloutStep {
  readonly kiosk: KioskId;
  readonly phase: RolloutPhase;
  readonly why: ErrorCode | undefined;
  readonly atMs: EpochMillis;
}

interface RolloutRow {
  number: number;
  digest: string;
  version: string;
  board: string;
  length_bytes: number;
  state: Rollout['state'];
  why: ErrorCode | null;
  percent: number;
  kiosks: string;
  venues: string;
  most_failed: number;
  at_once: number;
  started_at_ms: EpochMillis;
}

export class RolloutBook {
  readonly #db: Db;
  readonly #onChange: () => void;

  /** @param db the registry's. @param onChange told when a rollout is started, or is another than before; not of each step of a kiosk. */
  constructor(db: Db, onChange: () => void) {
    this.#db = db;
    this.#onChange = onChange;
  }

  /** The last that was started, also a stopped one; `undefined` before the first. @throws StoreError. */
  newest(): Rollout | undefined {
    const row = translating('registry', () => this.#db.prepare('SELECT * FROM rollouts ORDER BY number DESC LIMIT 1').get());
    return row === undefined ? undefined : rolloutOf(row as RolloutRow);
  }

  /** How far each kiosk is that was told. @throws StoreError. */
  steps(number: number): RolloutStep[] {
    const rows = translating('registry', () =>
      this.#db.prepare('SELECT kiosk, phase, why, at_ms AS atMs FROM rollout_kiosks WHERE number = ? ORDER BY kiosk').all(number),
    ) as (Omit<RolloutStep, 'why'> & { why: ErrorCode | null })[];
    return rows.map((row) => ({ ...row, why: row.why ?? undefined }));
  }

  /** @throws ConfigError `config.invalid` while another is not stopped; StoreError. */
  start(order: RolloutOrder, nowMs: EpochMillis): Rollout {
    const { digest, version, board, lengthBytes, percent, kiosks, venues, mostFailed, atOnce } = order;
    const insert = `INSERT INTO rollouts (digest, version, board, length_bytes, state, percent, kiosks, venues, most_failed, may_fail, at_once, started_at_ms)
      VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)`;
    const who = [JSON.stringify(kiosks), JSON.stringify(venues)];
    return this.#write(() => {
      const before = this.newest();
      if (before !== undefined && before.state !== 'stopped')
        throw new ConfigError('config.invalid', `rollout ${before.number} of ${before.version} is ${before.state}: stop it first`);
      this.#db.prepare(insert).run(digest, version, board, lengthBytes, percent, ...who, mostFailed, mostFailed, atOnce, nowMs);
    });
  }

  /**
   * @param which its number; left out, the one that is under way. @param why of a gateway that pauses by itself.
   * @throws ConfigError `config.invalid` where none is under way, or not that one; StoreError.
   */
  pause(which?: number, why: ErrorCode | null = null): Rollout {
    return this.#change(which, (number) =>
      this.#db.prepare("UPDATE rollouts SET state = 'paused', why = ? WHERE number = ?").run(why, number),
    );
  }

  /** Goes on, maybe to more. Kiosks that failed are not counted again: `mostFailed` more may. @throws as `pause`. */
  goOn(percent: number | undefined, which?: number): Rollout {
    return this.#change(which, (number) => {
      const failed = this.steps(number).filter(hasFailed).length;
      this.#db
        .prepare(
          `UPDATE rollouts SET state = 'running', why = NULL, percent = coalesce(?, percent),
             most_failed = CASE WHEN why IS NULL THEN most_failed ELSE may_fail + ? END WHERE number = ?`,
        )
        .run(percent ?? null, failed, number);
    });
  }

  /** For good: kiosks that keep the release go on with it. @throws as `pause`. */
  stop(which?: number): Rollout {
    return this.#change(which, (number) => this.#db.prepare("UPDATE rollouts SET state = 'stopped' WHERE number = ?").run(number));
  }

  /** Keeps all of these, or none. @throws StoreError. */
  put(number: number, steps: readonly RolloutStep[]): void {
    if (steps.length === 0) return;
    translating('registry', () =>
      this.#db.transact(() => {
        const insert = this.#db.prepare('INSERT OR REPLACE INTO rollout_kiosks VALUES (?, ?, ?, ?, ?)');
        for (const { kiosk, phase, why, atMs } of steps) insert.run(number, kiosk, phase, why ?? null, atMs);
      }),
    );
  }

  #live(which: number | undefined): Rollout {
    const live = this.newest();
    if (live === undefined || live.state === 'stopped') throw new ConfigError('config.invalid', 'no rollout is under way');
    if (which !== undefined && live.number !== which) throw new ConfigError('config.invalid', `rollout ${which} is not under way any more`);
    return live;
  }

  #change(which: number | undefined, update: (number: number) => void): Rollout {
    return this.#write(() => update(this.#live(which).number));
  }

  /** What `change` looks at and what it writes are one: gateway, page and commands write here, and one that is stopped stays stopped. */
  #write(change: () => void): Rollout {
    const newest = translating('registry', () =>
      this.#db.transact(() => {
        change();
        return this.newest();
      }),
    );
    this.#onChange();
    return newest ?? this.#live(undefined);
  }
}

const rolloutOf = (row: RolloutRow): Rollout => ({
  number: row.number,
  digest: row.digest,
  version: row.version,
  board: row.board,
  lengthBytes: row.length_bytes,
  state: row.state,
  why: row.why ?? undefined,
  percent: row.percent,
  kiosks: JSON.parse(row.kiosks) as KioskId[],
  venues: JSON.parse(row.venues) as VenueId[],
  mostFailed: row.most_failed,
  atOnce: row.at_once,
  startedAtMs: row.started_at_ms,
});

/** What is over for a kiosk, one way or the other. */
export const isOver = ({ phase }: Pick<RolloutStep, 'phase'>): boolean => phase === 'kept' || phase === 'failed' || phase === 'refused';
export const hasFailed = ({ phase }: Pick<RolloutStep, 'phase'>): boolean => phase === 'failed' || phase === 'refused';

/** @returns whether a kiosk is among those that a rollout goes to: of more percent the same ones are, and others. */
export function isMeant({ digest, percent, kiosks, venues }: Rollout, kiosk: KioskId, venue: VenueId): boolean {
  const isNamed = (kiosks.length === 0 && venues.length === 0) || kiosks.includes(kiosk) || venues.includes(venue);
  if (!isNamed) return false;
  const place = createHash('sha256').update(`${digest} ${kiosk}`).digest().readUInt32BE(0) / 2 ** 32;
  return place * 100 < percent;
}
