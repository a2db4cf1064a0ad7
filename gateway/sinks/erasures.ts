/**
 * Which rows each sink elsewhere is still to be told to erase: kept from before the ledger loses them until the sink has said that it did. All
 * lie in one heap, so that nothing here says which of them were of one card.
 */
import type { RowIdentity } from '../../core/intake.ts';
import { MOST_ERASED } from '../../protocol/erasure.ts';
import { codeOf } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import { type Db, translating } from '../database.ts';
import { SteadyLog } from '../steady-log.ts';

export const ERASURES_STEP = `
  CREATE TABLE erasures (
    sink TEXT NOT NULL,
    kiosk TEXT NOT NULL,
    key_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (sink, kiosk, key_id, seq)
  ) STRICT, WITHOUT ROWID;`;

interface ErasureRow {
  kiosk: RowIdentity['kiosk'];
  key_id: Uint8Array;
  seq: RowIdentity['seq'];
}

export class Erasures {
  readonly #db: Db;

  /** @param db the ledger's index. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** These sinks have to be told of these rows. When this returns, a power cut cannot lose it; again it changes nothing. @throws StoreError. */
  note(sinks: readonly string[], rows: readonly RowIdentity[]): void {
    if (sinks.length === 0 || rows.length === 0) return;
    translating('ledger', () =>
      this.#db.transact(() => {
        const put = this.#db.prepare('INSERT INTO erasures (sink, kiosk, key_id, seq) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING');
        for (const sink of sinks) for (const { kiosk, keyId, seq } of rows) put.run(sink, kiosk, keyId, seq);
      }),
    );
  }

  /** How many rows the sink has not said to have erased. @throws StoreError. */
  count(sink: string): number {
    return Number(translating('ledger', () => this.#db.prepare('SELECT count(*) FROM erasures WHERE sink = ?').pluck().get(sink)));
  }

  /** Some of them. @throws StoreError. */
  some(sink: string): RowIdentity[] {
    const sql = 'SELECT kiosk, key_id, seq FROM erasures WHERE sink = ? LIMIT ?';
    const rows = translating('ledger', () => this.#db.prepare(sql).all(sink, MOST_ERASED) as ErasureRow[]);
    return rows.map(({ kiosk, key_id, seq }) => ({ kiosk, keyId: new Uint8Array(key_id) as RowIdentity['keyId'], seq }));
  }

  /** The sink has erased them. @throws StoreError. */
  done(sink: string, rows: readonly RowIdentity[]): void {
    translating('ledger', () =>
      this.#db.transact(() => {
        const drop = this.#db.prepare('DELETE FROM erasures WHERE sink = ? AND kiosk = ? AND key_id = ? AND seq = ?');
        for (const { kiosk, keyId, seq } of rows) drop.run(sink, kiosk, keyId, seq);
      }),
    );
  }
}

/** One that takes no erasures to-day may after its next upgrade. */
const AGAIN_AFTER_MS = 60_000;

/** Tells one sink. */
export class SinkErasures {
  readonly #name: string;
  readonly #erase: (rows: readonly RowIdentity[]) => Promise<void>;
  readonly #erasures: Erasures;
  readonly #clock: Clock;
  readonly #trouble: SteadyLog;
  #againAtMs = 0;

  constructor(name: string, erase: (rows: readonly RowIdentity[]) => Promise<void>, erasures: Erasures, clock: Clock, log: Log) {
    this.#name = name;
    this.#erase = erase;
    this.#erasures = erasures;
    this.#clock = clock;
    this.#trouble = new SteadyLog(log, clock, 'erasure');
  }

  /** How many it has not said to have erased. @throws StoreError. */
  get rows(): number {
    return this.#erasures.count(this.#name);
  }

  /** Whether there is something to tell now. @throws StoreError. */
  get isDue(): boolean {
    return this.#clock.monotonic() >= this.#againAtMs && this.#erasures.count(this.#name) > 0;
  }

  /** Tells all there is. What the sink refuses, or where it can not be reached, is told again after a minute. */
  async tell(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted && this.isDue) {
        const rows = this.#erasures.some(this.#name);
        await this.#erase(rows);
        this.#erasures.done(this.#name, rows);
        this.#trouble.recovered({ sink: this.#name });
      }
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#againAtMs = this.#clock.monotonic() + AGAIN_AFTER_MS;
      this.#trouble.failed({ sink: this.#name, code });
    }
  }
}
