/**
 * What came from an admitted kiosk and is wrong in itself: kept whole with its reason, and bounded, until retention ends it or a
 * person looks. When a kiosk's share is full nothing is dropped: the batch is not acknowledged and stays with the kiosk.
 */
import { type ErrorCode, IngestError } from '../protocol/errors.ts';
import type { KioskId, Seq } from '../protocol/ids.ts';
import { digestOf } from '../protocol/row.ts';
import type { EpochMillis } from '../protocol/units.ts';
import type { Db } from './database.ts';

/** What one kiosk may have in quarantine. */
export interface QuarantineLimits {
  readonly mostItems: number;
  readonly mostBytes: number;
}

export interface QuarantineItem {
  readonly kiosk: KioskId;
  readonly receivedAtMs: EpochMillis;
  readonly reason: ErrorCode;
  /** A whole message, or one row. */
  readonly content: Uint8Array;
  /** For one row: where it stood, and what is needed to verify it. */
  readonly of?: { readonly seq: Seq; readonly sign1: Uint8Array; readonly keyRecord: Uint8Array };
}

export interface QuarantineUse {
  readonly items: number;
  readonly bytes: number;
}

export class Quarantine {
  readonly #db: Db;
  readonly #limits: QuarantineLimits;

  constructor(db: Db, limits: QuarantineLimits) {
    this.#db = db;
    this.#limits = limits;
  }

  /**
   * Keeps one item, inside the caller's transaction. What is there already is not kept twice.
   * @throws IngestError `ingest.quarantine_full`.
   */
  add({ kiosk, receivedAtMs, reason, content, of }: QuarantineItem): void {
    const digest = digestOf(content);
    if (this.#db.prepare('SELECT 1 FROM quarantine WHERE kiosk = ? AND digest = ?').get(kiosk, digest) !== undefined) return;
    const sizeBytes = content.length + (of === undefined ? 0 : of.sign1.length + of.keyRecord.length);
    const { items, bytes } = quarantineUse(this.#db, kiosk);
    if (items + 1 > this.#limits.mostItems || bytes + sizeBytes > this.#limits.mostBytes)
      throw new IngestError('ingest.quarantine_full', `quarantine of ${kiosk}: ${items} items, ${bytes} bytes and ${sizeBytes} more`);
    this.#db
      .prepare(
        `INSERT INTO quarantine (kiosk, digest, received_at_ms, reason, seq, sign1, key_record, content, size_bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(kiosk, digest, receivedAtMs, reason, of?.seq ?? null, of?.sign1 ?? null, of?.keyRecord ?? null, content, sizeBytes);
  }
}

export const quarantineUse = (db: Db, kiosk: KioskId): QuarantineUse =>
  db.prepare('SELECT count(*) AS items, coalesce(sum(size_bytes), 0) AS bytes FROM quarantine WHERE kiosk = ?').get(kiosk) as QuarantineUse;

/** @returns how many items there are for each reason. */
export const quarantineReasons = (db: Db, kiosk: KioskId): { readonly reason: string; readonly items: number }[] =>
  db.prepare('SELECT reason, count(*) AS items FROM quarantine WHERE kiosk = ? GROUP BY reason ORDER BY reason').all(kiosk) as {
    reason: string;
    items: number;
  }[];
