/** That this gateway was brought back from a backup, and which kiosks have sent again what it lacked since; in the registry's file. */
import type { KioskId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Db, translating } from '../database.ts';

export interface Restore {
  /** What kiosks are told, at the least: greater than that of every restore before. */
  readonly version: number;
  /** When the backup was made: what came later was lost here. */
  readonly backupAtMs: EpochMillis;
  readonly restoredAtMs: EpochMillis;
  /** The ledger goes on counting behind this position. */
  readonly skipTo: number;
}

export class RestoreBook {
  readonly #db: Db;

  /** @param db the registry's. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** The last one; `undefined` for a gateway that never was. @throws StoreError. */
  newest(): Restore | undefined {
    const select = `SELECT version, backup_at_ms AS backupAtMs, restored_at_ms AS restoredAtMs, skip_to AS skipTo
      FROM restores ORDER BY version DESC LIMIT 1`;
    return translating('registry', () => this.#db.prepare(select).get()) as Restore | undefined;
  }

  /** Notes a restore; its version is the second it was made in, or one more than the last one's. @throws StoreError. */
  add({ backupAtMs, restoredAtMs, skipTo }: Omit<Restore, 'version'>): void {
    const version = Math.max((this.newest()?.version ?? 0) + 1, Math.floor(restoredAtMs / 1_000));
    translating('registry', () =>
      this.#db.transact(() => this.#db.prepare('INSERT INTO restores VALUES (?, ?, ?, ?)').run(version, backupAtMs, restoredAtMs, skipTo)),
    );
  }

  /** Kiosks that have done what this version asked, or a later one, by when they said so. @throws StoreError. */
  sentAgain(version: number): Map<KioskId, EpochMillis> {
    const rows = translating('registry', () =>
      this.#db.prepare('SELECT kiosk, at_ms AS atMs FROM sent_again WHERE version >= ?').all(version),
    ) as { kiosk: KioskId; atMs: EpochMillis }[];
    return new Map(rows.map(({ kiosk, atMs }) => [kiosk, atMs]));
  }

  /** @throws StoreError. */
  setSentAgain(kiosk: KioskId, version: number, nowMs: EpochMillis): void {
    const insert = 'INSERT OR REPLACE INTO sent_again VALUES (?, ?, ?)';
    translating('registry', () => this.#db.transact(() => this.#db.prepare(insert).run(kiosk, version, nowMs)));
  }
}
