/**
 * Which kiosks are admitted and where they hang. A file of its own, so that admission goes on while the ledger's disk is full,
 * and so that `vestibule gateway admit` can write it while the gateway runs.
 */
import type { Direction, Placement } from '../core/intake.ts';
import { AdmissionError, ConfigError } from '../protocol/errors.ts';
import type { EntranceId, KioskId, VenueId } from '../protocol/ids.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, openDatabase, translating } from './database.ts';

export interface Venue {
  readonly id: VenueId;
  /** For operators, 1 to 100 characters. */
  readonly name: string;
  /** IANA name, such as `Europe/Berlin`: decides where a venue's day ends. */
  readonly timezone: string;
}

export interface Kiosk {
  readonly kiosk: KioskId;
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly placement: Placement;
  readonly timezone: string;
  readonly admittedAtMs: EpochMillis;
  /** `undefined` while admitted. */
  readonly revokedAtMs: EpochMillis | undefined;
}

export interface Admission {
  readonly kiosk: KioskId;
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly venue: VenueId;
  readonly entrance: EntranceId;
  readonly direction: Direction;
  /** How long a visit without a check-out is taken to last. */
  readonly dwellMs: number;
}

const STEPS = [
  `CREATE TABLE venues (id TEXT PRIMARY KEY, name TEXT NOT NULL, timezone TEXT NOT NULL) STRICT;
   CREATE TABLE kiosks (
     kiosk TEXT PRIMARY KEY,
     public_key BLOB NOT NULL UNIQUE,
     venue TEXT NOT NULL REFERENCES venues (id),
     entrance TEXT NOT NULL,
     direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'both')),
     dwell_ms INTEGER NOT NULL CHECK (dwell_ms > 0),
     admitted_at_ms INTEGER NOT NULL,
     revoked_at_ms INTEGER
   ) STRICT;`,
];

interface KioskRow {
  kiosk: string;
  public_key: Uint8Array;
  venue: string;
  entrance: string;
  direction: Direction;
  dwell_ms: number;
  admitted_at_ms: number;
  revoked_at_ms: number | null;
  timezone: string;
}

export class Registry {
  readonly #db: Db;
  #known = new Map<KioskId, Kiosk>();
  #dataVersion: unknown;

  /** @param key the identity's storeKey. @throws StoreError as openDatabase does. */
  constructor(path: string, key: Uint8Array) {
    this.#db = openDatabase({ path, key, steps: STEPS });
    this.#read();
  }

  /** Adds a venue, or gives one a new name or time zone. @throws ConfigError `config.invalid` for a time zone that nobody knows. */
  putVenue({ id, name, timezone }: Venue): void {
    if (!isTimezone(timezone)) throw new ConfigError('config.invalid', `time zone: "${timezone}" is no IANA name`);
    this.#write(
      'INSERT INTO venues (id, name, timezone) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, timezone = excluded.timezone',
      [id, name, timezone],
    );
  }

  venues(): Venue[] {
    return translating('registry', () => this.#db.prepare('SELECT id, name, timezone FROM venues ORDER BY name').all() as Venue[]);
  }

  /**
   * Admits a kiosk, or moves one that is admitted; a revoked one is admitted again. A running gateway knows at the next connection.
   * @throws AdmissionError `admission.wrong_key` when the id is admitted with another key or the key under another id,
   * `admission.unknown_venue` when there is no such venue.
   */
  admit(admission: Admission, nowMs: EpochMillis): void {
    const { kiosk, publicKey, venue, entrance, direction, dwellMs } = admission;
    const others = [...this.kiosks()].filter((other) => other.kiosk === kiosk || isSame(other.publicKey, publicKey));
    if (others.some((other) => other.kiosk !== kiosk || !isSame(other.publicKey, publicKey)))
      throw new AdmissionError('admission.wrong_key', `kiosk ${kiosk}: id and key are admitted, but not with each other`);
    if (!this.venues().some(({ id }) => id === venue))
      throw new AdmissionError('admission.unknown_venue', `venue ${venue}: not registered`);
    this.#write(
      `INSERT INTO kiosks (kiosk, public_key, venue, entrance, direction, dwell_ms, admitted_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (kiosk) DO UPDATE SET venue = excluded.venue, entrance = excluded.entrance, direction = excluded.direction,
         dwell_ms = excluded.dwell_ms, revoked_at_ms = NULL`,
      [kiosk, publicKey, venue, entrance, direction, dwellMs, nowMs],
    );
  }

  /** Takes a kiosk's admission back; a running gateway cuts it off. @returns false when no such kiosk is admitted. */
  revoke(kiosk: KioskId, nowMs: EpochMillis): boolean {
    return this.#write('UPDATE kiosks SET revoked_at_ms = ? WHERE kiosk = ? AND revoked_at_ms IS NULL', [nowMs, kiosk]) > 0;
  }

  /** @returns the kiosk, also a revoked one, as it stands now, whichever process changed it. @throws StoreError. */
  kiosk(kiosk: KioskId): Kiosk | undefined {
    this.#refresh();
    return this.#known.get(kiosk);
  }

  /** Every kiosk, revoked ones too. */
  kiosks(): Iterable<Kiosk> {
    this.#refresh();
    return this.#known.values();
  }

  close(): void {
    this.#db.close();
  }

  #write(sql: string, values: readonly unknown[]): number {
    const changes = translating('registry', () => this.#db.prepare(sql).run(...values).changes);
    this.#read();
    return changes;
  }

  #refresh(): void {
    // Steps when another connection has committed; asking costs about a microsecond, so that each batch can ask.
    if (translating('registry', () => this.#db.pragma('data_version')) !== this.#dataVersion) this.#read();
  }

  #read(): void {
    translating('registry', () => {
      this.#dataVersion = this.#db.pragma('data_version');
      const rows = this.#db.prepare('SELECT kiosks.*, timezone FROM kiosks JOIN venues ON venues.id = venue').all() as KioskRow[];
      this.#known = new Map(rows.map((row) => [row.kiosk as KioskId, kioskOf(row)]));
    });
  }
}

const kioskOf = (row: KioskRow): Kiosk => ({
  kiosk: row.kiosk as KioskId,
  publicKey: new Uint8Array(row.public_key),
  placement: { venue: row.venue as VenueId, entrance: row.entrance as EntranceId, direction: row.direction, dwellMs: row.dwell_ms },
  timezone: row.timezone,
  admittedAtMs: row.admitted_at_ms as EpochMillis,
  revokedAtMs: row.revoked_at_ms === null ? undefined : (row.revoked_at_ms as EpochMillis),
});

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
