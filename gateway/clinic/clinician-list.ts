/**
 * Who may record results at which venue, in the registry's file: the digest of each clinician's code, never the code. A running gateway tells
 * the venue's clinic kiosks within a second of a change.
 */
import { randomBytes } from 'node:crypto';
import { clinicianDigestOf, MOST_CLINICIANS } from '../../protocol/clinic.ts';
import { SECRET_BYTES } from '../../protocol/code-payload.ts';
import { ConfigError } from '../../protocol/errors.ts';
import type { VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { Change, RevocationLog } from '../backup/revocation-log.ts';
import { type Db, translating } from '../database.ts';

export interface Clinician {
  /** From 1 on; what a list and a revocation name it by. */
  readonly number: number;
  readonly venue: VenueId;
  /** What an operator calls it, up to 40 characters; a desk or a duty serves as well as a person. */
  readonly label: string;
  /** 16 bytes, of `clinicianDigestOf`. */
  readonly digest: Uint8Array;
  readonly addedAtMs: EpochMillis;
  /** `undefined` while the code is good. */
  readonly revokedAtMs: EpochMillis | undefined;
}

interface Row {
  number: number;
  venue: VenueId;
  label: string;
  digest: Uint8Array;
  added_at_ms: EpochMillis;
  revoked_at_ms: EpochMillis | null;
}

const LABEL = /^[^\p{Cc}]{1,40}$/u;

export class ClinicianList {
  readonly #db: Db;
  readonly #revocations: RevocationLog;
  readonly #onChange: () => void;

  /** @param db the registry's. @param revocations told of each revocation before it stands. @param onChange told after each change made here. */
  constructor(db: Db, revocations: RevocationLog, onChange: () => void) {
    this.#db = db;
    this.#revocations = revocations;
    this.#onChange = onChange;
  }

  /**
   * Makes a new clinician's code. @returns its number, and the secret, which lies nowhere else.
   * @throws ConfigError `config.invalid` for a label of another form, or past 256 at one venue; StoreError.
   */
  add(venue: VenueId, label: string, nowMs: EpochMillis): { readonly number: number; readonly secret: Uint8Array } {
    const name = label.trim();
    if (!LABEL.test(name))
      throw new ConfigError('config.invalid', 'clinician: a label has 1 to 40 characters, none of them a control character');
    const secret = new Uint8Array(randomBytes(SECRET_BYTES));
    return this.#write(() => {
      if (this.#db.prepare('SELECT 1 FROM venues WHERE id = ?').get(venue) === undefined)
        throw new ConfigError('config.invalid', `venue ${venue}: not registered`);
      const insert = 'INSERT INTO clinicians (venue, label, digest, added_at_ms) VALUES (?, ?, ?, ?)';
      const { lastInsertRowid } = this.#db.prepare(insert).run(venue, name, clinicianDigestOf(secret), nowMs);
      if (this.digestsAt(venue).length > MOST_CLINICIANS)
        throw new ConfigError('config.invalid', `clinicians: more than ${MOST_CLINICIANS} at one venue do not fit on the list`);
      return { number: Number(lastInsertRowid), secret };
    });
  }

  /** @returns false when no such code is good. @throws StoreError. */
  revoke(number: number, nowMs: EpochMillis): boolean {
    return this.#write(() => {
      const found = this.all().find((one) => one.number === number && one.revokedAtMs === undefined);
      if (found === undefined) return false;
      this.#revocations.add({ kind: 'clinician-revoked', atMs: nowMs, digest: found.digest });
      this.#setRevoked(found.digest, nowMs);
      return true;
    });
  }

  /** Does again what was done after the backup that this list is of. @throws StoreError. */
  replay({ digest, atMs }: Extract<Change, { kind: 'clinician-revoked' }>): void {
    this.#write(() => this.#setRevoked(digest, atMs));
  }

  /** The newest first, revoked ones too. @throws StoreError. */
  all(): Clinician[] {
    return translating('registry', () =>
      (this.#db.prepare('SELECT * FROM clinicians ORDER BY number DESC').all() as Row[]).map(clinicianOf),
    );
  }

  /** @returns the clinician with that digest, also a revoked one. @throws StoreError. */
  find(digest: Uint8Array): Clinician | undefined {
    const row = translating('registry', () => this.#db.prepare('SELECT * FROM clinicians WHERE digest = ?').get(digest)) as Row | undefined;
    return row && clinicianOf(row);
  }

  /** Of the codes that are good at a venue; 16 bytes each, at most 256, in an order that changes with nothing else. @throws StoreError. */
  digestsAt(venue: VenueId): Uint8Array[] {
    const sql = 'SELECT digest FROM clinicians WHERE venue = ? AND revoked_at_ms IS NULL ORDER BY digest';
    return translating('registry', () => this.#db.prepare(sql).pluck().all(venue) as Uint8Array[]).map((digest) => new Uint8Array(digest));
  }

  #setRevoked(digest: Uint8Array, atMs: EpochMillis): void {
    this.#db.prepare('UPDATE clinicians SET revoked_at_ms = ? WHERE digest = ? AND revoked_at_ms IS NULL').run(atMs, digest);
  }

  #write<T>(work: () => T): T {
    const done = translating('registry', () => this.#db.transact(work));
    this.#onChange();
    return done;
  }
}

const clinicianOf = (row: Row): Clinician => ({
  number: row.number,
  venue: row.venue,
  label: row.label,
  digest: new Uint8Array(row.digest),
  addedAtMs: row.added_at_ms,
  revokedAtMs: row.revoked_at_ms ?? undefined,
});
