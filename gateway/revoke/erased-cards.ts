/**
 * The cards that their holders took back, in the registry's file: a tombstone of each, what is still to be erased here, and which kiosks
 * have not heard of it. Nothing in it leads back to a card.
 */
import type { KioskId, VisitorUuid } from '../../protocol/ids.ts';
import { TombstoneNames, tombstoneKeyOf, tombstoneText } from '../../protocol/tombstone.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Change, RevocationLog } from '../backup/revocation-log.ts';
import { type Db, translating } from '../database.ts';

export const ERASED_CARDS_STEP = `
  -- Cards that were taken back, by a keyed hash; the core's name for each is another.
  CREATE TABLE erased_cards (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    tombstone BLOB NOT NULL UNIQUE CHECK (length(tombstone) = 16),
    core_tombstone BLOB NOT NULL CHECK (length(core_tombstone) = 16),
    told_at_ms INTEGER NOT NULL,
    -- When nothing of it was left in the ledger's files.
    erased_at_ms INTEGER,
    -- Of the ledger's entry that tells sinks; NULL where there is none.
    position INTEGER
  ) STRICT;
  CREATE TABLE erased_unheard (
    no INTEGER NOT NULL,
    kiosk TEXT NOT NULL,
    PRIMARY KEY (no, kiosk)
  ) STRICT, WITHOUT ROWID;
  -- How many kiosks had to hear of it.
  ALTER TABLE erased_cards ADD COLUMN kiosks INTEGER NOT NULL DEFAULT 0;`;

/** Which core told of a card, and its tombstone for it: each has its own. */
export const ERASED_TOLD_STEP = `
  CREATE TABLE erased_told (
    no INTEGER NOT NULL,
    core TEXT NOT NULL,
    tombstone BLOB NOT NULL CHECK (length(tombstone) = 16),
    PRIMARY KEY (no, core)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO erased_told SELECT no, 'core', core_tombstone FROM erased_cards;
  ALTER TABLE erased_cards DROP COLUMN core_tombstone;`;

/** Which sinks elsewhere have erased all that there was of a card. */
export const ERASED_SINKS_STEP = `
  CREATE TABLE erased_sinks (
    no INTEGER NOT NULL,
    sink TEXT NOT NULL,
    PRIMARY KEY (no, sink)
  ) STRICT, WITHOUT ROWID;`;

/** By the name of its sink. */
export interface ToldBy {
  readonly core: string;
  /** 16 bytes. */
  readonly tombstone: Uint8Array;
}

/** The core in the gateway's own process. */
const HERE = 'core';

export interface ErasedCard {
  /** Steps up with each. */
  readonly no: number;
  /** 16 bytes. */
  readonly tombstone: Uint8Array;
  readonly erasedAtMs: EpochMillis | undefined;
  /** How many kiosks were to hear of it, and which have not yet. */
  readonly kiosks: number;
  readonly unheard: readonly KioskId[];
  /** Sinks that have erased it. */
  readonly sinks: readonly string[];
}

interface ErasedRow {
  no: number;
  tombstone: Uint8Array;
  erased_at_ms: EpochMillis | null;
  kiosks: number;
}

export class ErasedCards {
  /** 32 bytes: kiosks get it, to know such a card when it is shown. */
  readonly tombstoneKey: Uint8Array;
  readonly #db: Db;
  readonly #revocations: RevocationLog;
  readonly #onChange: () => void;
  readonly #names: TombstoneNames;
  readonly #known: Set<string>;

  /** @param db the registry's. @param revocations told of each change before it stands. @param onChange told after each. */
  constructor(db: Db, storeKey: Uint8Array, revocations: RevocationLog, onChange: () => void) {
    this.tombstoneKey = tombstoneKeyOf(storeKey);
    this.#db = db;
    this.#revocations = revocations;
    this.#onChange = onChange;
    this.#names = new TombstoneNames(this.tombstoneKey);
    const tombstones = translating('registry', () => db.prepare('SELECT tombstone FROM erased_cards').pluck().all() as Uint8Array[]);
    this.#known = new Set(tombstones.map(tombstoneText));
  }

  /** Costs a hash, and nothing while no card was taken back: asked for every row that comes. */
  has(card: VisitorUuid): boolean {
    return this.#known.size > 0 && this.#known.has(this.#names.textOf(card));
  }

  /**
   * From now on nothing of the card is taken. When this returns, a power cut cannot lose it. @param kiosks who have to hear of it.
   * @returns false when it was known. @throws StoreError.
   */
  add(card: VisitorUuid, { core, tombstone: coreTombstone }: ToldBy, kiosks: readonly KioskId[], nowMs: EpochMillis): boolean {
    const tombstone = this.#names.of(card);
    return this.#insert({ tombstone, coreTombstone, core, atMs: nowMs }, kiosks, () =>
      this.#revocations.add({ kind: 'card-revoked', atMs: nowMs, tombstone, coreTombstone, ...(core === HERE ? {} : { core }) }),
    );
  }

  /** Does again what was done after the backup that this registry is of: the restored ledger is searched for the card. @throws StoreError. */
  replay(change: Extract<Change, { kind: 'card-revoked' }>): void {
    this.#insert(change, [], () => {});
  }

  /** Every one may lie in the ledger again: it was brought back from a backup. @throws StoreError. */
  eraseAnew(): void {
    translating('registry', () => this.#db.transact(() => this.#db.prepare('UPDATE erased_cards SET erased_at_ms = NULL').run()));
  }

  /** All of them, in their order. @throws StoreError. */
  all(): ErasedCard[] {
    return translating('registry', () => {
      const rows = this.#db.prepare('SELECT * FROM erased_cards ORDER BY no').all() as ErasedRow[];
      const unheard = this.#db.prepare('SELECT no, kiosk FROM erased_unheard').all() as { no: number; kiosk: KioskId }[];
      const told = this.#db.prepare('SELECT no, sink FROM erased_sinks').all() as { no: number; sink: string }[];
      const kiosksOf = Map.groupBy(unheard, ({ no }) => no);
      const sinksOf = Map.groupBy(told, ({ no }) => no);
      return rows.map((row) => ({
        no: row.no,
        tombstone: new Uint8Array(row.tombstone),
        erasedAtMs: row.erased_at_ms ?? undefined,
        kiosks: row.kiosks,
        unheard: (kiosksOf.get(row.no) ?? []).map(({ kiosk }) => kiosk),
        sinks: (sinksOf.get(row.no) ?? []).map(({ sink }) => sink),
      }));
    });
  }

  /** Those that a core told of, with its own tombstones. @throws StoreError. */
  toldBy(core: string): (ErasedCard & { readonly coreTombstone: Uint8Array })[] {
    const sql = 'SELECT no, tombstone FROM erased_told WHERE core = ?';
    const rows = translating('registry', () => this.#db.prepare(sql).all(core) as { no: number; tombstone: Uint8Array }[]);
    if (rows.length === 0) return [];
    const tombstones = new Map(rows.map(({ no, tombstone }) => [no, new Uint8Array(tombstone)]));
    return this.all().flatMap((card) => {
      const coreTombstone = tombstones.get(card.no);
      return coreTombstone === undefined ? [] : [{ ...card, coreTombstone }];
    });
  }

  /** The cores that told of each card, by its number. @throws StoreError. */
  tellers(): ReadonlyMap<number, readonly string[]> {
    const rows = translating('registry', () => this.#db.prepare('SELECT no, core FROM erased_told ORDER BY no, core').all()) as {
      no: number;
      core: string;
    }[];
    return new Map([...Map.groupBy(rows, ({ no }) => no)].map(([no, told]) => [no, told.map(({ core }) => core)]));
  }

  /** The tombstones of the newest, at most `most`, and up to which number they go. @throws StoreError. */
  newest(most: number): { readonly upTo: number; readonly tombstones: readonly Uint8Array[] } {
    const sql = 'SELECT no, tombstone FROM erased_cards ORDER BY no DESC LIMIT ?';
    const rows = translating('registry', () => this.#db.prepare(sql).all(most) as { no: number; tombstone: Uint8Array }[]);
    return { upTo: rows[0]?.no ?? 0, tombstones: rows.map(({ tombstone }) => tombstone) };
  }

  /** @returns a test for cards of these tombstones. */
  findsCardsOf(tombstones: readonly Uint8Array[]): (card: VisitorUuid) => boolean {
    const sought = new Set(tombstones.map(tombstoneText));
    return (card) => sought.has(this.#names.textOf(card));
  }

  /** @throws StoreError. */
  setErased(nos: readonly number[], nowMs: EpochMillis): void {
    const sql = 'UPDATE erased_cards SET erased_at_ms = ? WHERE no = ?';
    translating('registry', () =>
      this.#db.transact(() => {
        for (const no of nos) this.#db.prepare(sql).run(nowMs, no);
      }),
    );
    this.#onChange();
  }

  /** These kiosks have heard of it, or never will. @throws StoreError. */
  setHeard(no: number, kiosks: readonly KioskId[]): void {
    translating('registry', () =>
      this.#db.transact(() => {
        for (const kiosk of kiosks) this.#db.prepare('DELETE FROM erased_unheard WHERE no = ? AND kiosk = ?').run(no, kiosk);
      }),
    );
    this.#onChange();
  }

  /** These sinks have erased all that there was of the card. @throws StoreError. */
  setSinks(no: number, sinks: readonly string[]): void {
    translating('registry', () =>
      this.#db.transact(() => {
        for (const sink of sinks) this.#db.prepare('INSERT INTO erased_sinks VALUES (?, ?) ON CONFLICT DO NOTHING').run(no, sink);
      }),
    );
    this.#onChange();
  }

  /** @returns whether the card is new; another core that tells of it is noted as well. */
  #insert(
    { tombstone, coreTombstone, core = HERE, atMs }: Omit<Extract<Change, { kind: 'card-revoked' }>, 'kind'>,
    kiosks: readonly KioskId[],
    note: () => void,
  ): boolean {
    const put = 'INSERT INTO erased_cards (tombstone, told_at_ms, kiosks) VALUES (?, ?, ?) ON CONFLICT DO NOTHING';
    const tell =
      'INSERT INTO erased_told SELECT no, ?, ? FROM erased_cards WHERE tombstone = ? ON CONFLICT DO UPDATE SET tombstone = excluded.tombstone';
    const isNew = translating('registry', () =>
      this.#db.transact(() => {
        const before = this.#db.prepare(
          'SELECT erased_told.tombstone FROM erased_told JOIN erased_cards USING (no) WHERE core = ? AND erased_cards.tombstone = ?',
        );
        const known = before.pluck().get(core, tombstone) as Uint8Array | undefined;
        if (known !== undefined && Buffer.compare(known, coreTombstone) === 0) return false;
        const { changes, lastInsertRowid } = this.#db.prepare(put).run(tombstone, atMs, kiosks.length);
        for (const kiosk of changes === 0 ? [] : kiosks)
          this.#db.prepare('INSERT INTO erased_unheard VALUES (?, ?)').run(lastInsertRowid, kiosk);
        this.#db.prepare(tell).run(core, coreTombstone, tombstone);
        note();
        return changes > 0;
      }),
    );
    this.#known.add(tombstoneText(tombstone));
    if (isNew) this.#onChange();
    return isNew;
  }
}
