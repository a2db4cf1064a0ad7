/**
 * The cards that their holders took back, in core.db: the tombstone of each, how far its erasing is in each tier, and the holder's proof for
 * as long as somebody still needs it to erase: this core, or a gateway that was not told yet.
 */
import { randomBytes } from 'node:crypto';
import type { VisitorUuid } from '../../protocol/ids.ts';
import type { TierProgress } from '../../protocol/revocation-news.ts';
import { TombstoneNames, tombstoneKeyOf, tombstoneText } from '../../protocol/tombstone.ts';
import { type Db, emptyLog, inStore } from '../sqlite.ts';

export interface Revocation {
  /** Steps up with each. */
  readonly no: number;
  /** 16 bytes. */
  readonly tombstone: Uint8Array;
  /** 8 random bytes that name the receipt. */
  readonly receipt: Uint8Array;
  readonly revokedAtMs: number;
  /** When nothing of it was left in this core's files; `undefined` until then. */
  readonly erasedAtMs: number | undefined;
  /** The holder's, as it came; `undefined` once nobody needs it. */
  readonly proof: string | undefined;
}

/** Of all gateways together. */
export interface StoredTier extends TierProgress {
  /** When all of it was done; `undefined` while it is pending, or while a gateway has not said yet. */
  readonly doneAtMs: number | undefined;
}

export const REVOCATION_STEP = `
  -- Cards that were taken back, by a keyed hash that leads back to none of them.
  CREATE TABLE revocation (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    tombstone BLOB NOT NULL UNIQUE CHECK (length(tombstone) = 16),
    receipt BLOB NOT NULL CHECK (length(receipt) = 8),
    revoked_at_ms INTEGER NOT NULL,
    erased_at_ms INTEGER,
    -- Until this core and every gateway have erased what they hold.
    proof TEXT
  ) STRICT;
  CREATE TABLE revocation_tier (
    no INTEGER NOT NULL,
    tier TEXT NOT NULL,
    done INTEGER NOT NULL,
    whole INTEGER NOT NULL,
    done_at_ms INTEGER,
    PRIMARY KEY (no, tier)
  ) STRICT, WITHOUT ROWID;
  `;

/** What each gateway says of itself. */
export const GATEWAY_TIERS_STEP = `
  CREATE TABLE revocation_gateway (
    no INTEGER NOT NULL,
    gateway INTEGER NOT NULL,
    tier TEXT NOT NULL,
    done INTEGER NOT NULL,
    whole INTEGER NOT NULL,
    done_at_ms INTEGER,
    PRIMARY KEY (no, gateway, tier)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO revocation_gateway SELECT no, coalesce((SELECT no FROM machine WHERE name = 'first'), 1), tier, done, whole, done_at_ms
    FROM revocation_tier;
  DROP TABLE revocation_tier;
`;

const TIERS = ['gateway', 'kiosks', 'sinks'] as const;

interface RevocationRow {
  no: number;
  tombstone: Uint8Array;
  receipt: Uint8Array;
  revoked_at_ms: number;
  erased_at_ms: number | null;
  proof: string | null;
}

export class Revocations {
  readonly #db: Db;
  readonly #names: TombstoneNames;
  readonly #known: Set<string>;

  /** @param db core.db. @param storeKey its key. @throws StoreError. */
  constructor(db: Db, storeKey: Uint8Array) {
    this.#db = db;
    this.#names = new TombstoneNames(tombstoneKeyOf(storeKey));
    const tombstones = inStore('core.db', () => db.prepare('SELECT tombstone FROM revocation').pluck().all() as Uint8Array[]);
    this.#known = new Set(tombstones.map(tombstoneText));
  }

  /** How many cards were taken back. */
  get count(): number {
    return this.#known.size;
  }

  /** Costs a hash, and nothing while no card was taken back. */
  has(card: VisitorUuid): boolean {
    return this.#known.size > 0 && this.#known.has(this.#names.textOf(card));
  }

  find(card: VisitorUuid): Revocation | undefined {
    return this.#select('WHERE tombstone = ?', this.#names.of(card))[0];
  }

  findTombstone(tombstone: Uint8Array): Revocation | undefined {
    return this.#select('WHERE tombstone = ?', tombstone)[0];
  }

  /**
   * Keeps a tombstone: from now on nothing of the card is taken. When this returns, a power cut cannot lose it. Twice changes nothing.
   * @param gateways who have to erase it, too.
   */
  add(card: VisitorUuid, proof: string, gateways: readonly number[], nowMs: number): Revocation {
    this.#insert(this.#names.of(card), proof, gateways, nowMs);
    const added = this.find(card);
    if (added === undefined) throw new TypeError('revocation: is not there right after it was written');
    return added;
  }

  /** Keeps tombstones that this core gave out before it was brought back from a backup. @returns how many of them it did not have. */
  addTombstones(tombstones: readonly Uint8Array[], nowMs: number, most: number): number {
    const lacking = tombstones.filter((tombstone) => !this.#known.has(tombstoneText(tombstone))).slice(0, most);
    for (const tombstone of lacking) this.#insert(tombstone, null, [], nowMs);
    return lacking.length;
  }

  /** Those whose card may still lie in this core's files, oldest first. */
  unerased(): Revocation[] {
    return this.#select('WHERE erased_at_ms IS NULL');
  }

  /** How many came without a card, and may still have to be found. */
  get bareCount(): number {
    const sql = 'SELECT count(*) FROM revocation WHERE proof IS NULL AND erased_at_ms IS NULL';
    return inStore('core.db', () => this.#db.prepare(sql).pluck().get() as number);
  }

  /** Those behind `no` that somebody else still has to be told of, oldest first. */
  untold(no: number, most: number): Revocation[] {
    return this.#select('WHERE proof IS NOT NULL AND no > ?', no, most);
  }

  setErased(no: number, nowMs: number): void {
    inStore('core.db', () => {
      this.#db.prepare('UPDATE revocation SET erased_at_ms = ? WHERE no = ? AND erased_at_ms IS NULL').run(nowMs, no);
      this.#forgetProofs();
    });
  }

  /** Notes how far a gateway is. A tier that is done stays so. */
  setTiers(no: number, gateway: number, tiers: readonly TierProgress[], nowMs: number): void {
    const sql = `INSERT INTO revocation_gateway (no, gateway, tier, done, whole, done_at_ms) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET done = excluded.done, whole = excluded.whole, done_at_ms = excluded.done_at_ms WHERE done_at_ms IS NULL`;
    inStore('core.db', () => {
      this.#db.transaction(() => {
        for (const { tier, done, of } of tiers) this.#db.prepare(sql).run(no, gateway, tier, done, of, done >= of ? nowMs : null);
      })();
      this.#forgetProofs();
    });
  }

  /** A tier is done when every gateway that has to erase says so of itself. */
  tiersOf(no: number): StoredTier[] {
    const sql = 'SELECT gateway, tier, done, whole, done_at_ms AS doneAtMs FROM revocation_gateway WHERE no = ?';
    type Row = { gateway: number; tier: TierProgress['tier']; done: number; whole: number; doneAtMs: number | null };
    const rows = inStore('core.db', () => this.#db.prepare(sql).all(no) as Row[]);
    const gateways = new Set(rows.map(({ gateway }) => gateway)).size;
    return TIERS.flatMap((tier) => {
      const said = rows.filter((row) => row.tier === tier);
      if (said.length === 0) return [];
      const sum = (column: 'done' | 'whole'): number => said.reduce((all, row) => all + row[column], 0);
      const times = said.flatMap(({ doneAtMs }) => doneAtMs ?? []);
      const doneAtMs = times.length === gateways ? Math.max(...times) : undefined;
      return [{ tier, done: sum('done'), of: sum('whole'), doneAtMs }];
    });
  }

  /** Whom no gateway of then can hold any more needs no proof. */
  forgetProofsBefore(revokedAtMs: number): void {
    inStore('core.db', () => {
      const sql = 'UPDATE revocation SET proof = NULL WHERE proof IS NOT NULL AND erased_at_ms IS NOT NULL AND revoked_at_ms < ?';
      if (this.#db.prepare(sql).run(revokedAtMs).changes > 0) emptyLog(this.#db, 'core.db');
    });
  }

  /** @returns whether one of a card that `nameOf` gives is to be erased. */
  isTombstone(card: VisitorUuid, of: Revocation): boolean {
    return this.#names.textOf(card) === tombstoneText(of.tombstone);
  }

  /** A proof is needed by this core until it has erased, and by each gateway that it knows until that has. It is overwritten, in the log as well. */
  #forgetProofs(): void {
    const { changes } = this.#db
      .prepare(
        `UPDATE revocation SET proof = NULL WHERE proof IS NOT NULL AND erased_at_ms IS NOT NULL
         AND EXISTS (SELECT 1 FROM revocation_gateway AS said WHERE said.no = revocation.no AND tier = 'gateway' AND done_at_ms IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM revocation_gateway AS said JOIN machine ON machine.no = said.gateway
           WHERE said.no = revocation.no AND tier = 'gateway' AND done_at_ms IS NULL)`,
      )
      .run();
    if (changes > 0) emptyLog(this.#db, 'core.db');
  }

  #insert(tombstone: Uint8Array, proof: string | null, gateways: readonly number[], nowMs: number): void {
    const sql = 'INSERT INTO revocation (tombstone, receipt, revoked_at_ms, proof) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING';
    const expect = "INSERT INTO revocation_gateway (no, gateway, tier, done, whole) VALUES (?, ?, 'gateway', 0, 1)";
    inStore('core.db', () =>
      this.#db.transaction(() => {
        const { changes, lastInsertRowid } = this.#db.prepare(sql).run(tombstone, randomBytes(8), nowMs, proof);
        if (changes > 0) for (const gateway of gateways) this.#db.prepare(expect).run(lastInsertRowid, gateway);
      })(),
    );
    this.#known.add(tombstoneText(tombstone));
  }

  #select(where: string, value?: Uint8Array | number, most = -1): Revocation[] {
    const sql = `SELECT no, tombstone, receipt, revoked_at_ms, erased_at_ms, proof FROM revocation ${where} ORDER BY no LIMIT ?`;
    const values = value === undefined ? [most] : [value, most];
    const rows = inStore('core.db', () => this.#db.prepare(sql).all(...values) as RevocationRow[]);
    return rows.map((row) => ({
      no: row.no,
      tombstone: new Uint8Array(row.tombstone),
      receipt: new Uint8Array(row.receipt),
      revokedAtMs: row.revoked_at_ms,
      erasedAtMs: row.erased_at_ms ?? undefined,
      proof: row.proof ?? undefined,
    }));
  }
}
