/**
 * What each kiosk was told last and what it said to that, in the registry's file. Not the documents: they are made anew, byte for byte, from
 * the rules. The running gateway alone writes here; commands and pages look.
 */
import type { KioskId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Db, translating } from '../database.ts';

export interface Issued {
  readonly kiosk: KioskId;
  /** 32 random bytes, of this kiosk alone: its lost-card filter's key. */
  readonly filterKey: Uint8Array;
  /** SHA-256 of the rules that were signed. */
  readonly rulesDigest: Uint8Array;
  readonly version: number;
  readonly issuedAtMs: EpochMillis;
  readonly expiresAtMs: EpochMillis;
  /** The version that the kiosk has said to hold; 0 for none, `undefined` before it said anything. Confirmed is: the same as `version`. */
  readonly heldVersion: number | undefined;
  /** When it said so first. */
  readonly heldAtMs: EpochMillis | undefined;
  /** Why it did not take what it was sent, or goes by one that has expired: an error code. */
  readonly refusedCode: string | undefined;
}

export const isConfirmed = ({ version, heldVersion }: Pick<Issued, 'version' | 'heldVersion'>): boolean => version === heldVersion;

interface IssuedRow {
  kiosk: KioskId;
  filter_key: Uint8Array;
  rules_digest: Uint8Array;
  version: number;
  issued_at_ms: EpochMillis;
  expires_at_ms: EpochMillis;
  held_version: number | null;
  held_at_ms: EpochMillis | null;
  refused_code: string | null;
}

export class PolicyBook {
  readonly #db: Db;

  /** @param db the registry's. */
  constructor(db: Db) {
    this.#db = db;
  }

  /** @throws StoreError. */
  all(): Issued[] {
    return translating('registry', () => (this.#db.prepare('SELECT * FROM policies').all() as IssuedRow[]).map(issuedOf));
  }

  /** Keeps all of these, or none. @throws StoreError. */
  put(entries: readonly Issued[]): void {
    if (entries.length === 0) return;
    translating('registry', () =>
      this.#db.transact(() => {
        const insert = this.#db.prepare('INSERT OR REPLACE INTO policies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
        for (const entry of entries)
          insert.run(
            entry.kiosk,
            entry.filterKey,
            entry.rulesDigest,
            entry.version,
            entry.issuedAtMs,
            entry.expiresAtMs,
            entry.heldVersion ?? null,
            entry.heldAtMs ?? null,
            entry.refusedCode ?? null,
          );
      }),
    );
  }
}

const issuedOf = (row: IssuedRow): Issued => ({
  kiosk: row.kiosk,
  filterKey: new Uint8Array(row.filter_key),
  rulesDigest: new Uint8Array(row.rules_digest),
  version: row.version,
  issuedAtMs: row.issued_at_ms,
  expiresAtMs: row.expires_at_ms,
  heldVersion: row.held_version ?? undefined,
  heldAtMs: row.held_at_ms ?? undefined,
  refusedCode: row.refused_code ?? undefined,
});
