/**
 * Which kiosks are admitted and where they hang; in the same file, behind doors of their own, venues, lost cards and what kiosks were told.
 * A file of its own, so that admission goes on while the ledger's disk is full, and so that commands can write it while the gateway runs.
 */
import { dirname } from 'node:path';
import type { Direction, FlagRule, Placement } from '../core/intake.ts';
import type { Role } from '../protocol/enrol.ts';
import { AdmissionError, ConfigError } from '../protocol/errors.ts';
import type { EntranceId, KioskId, VenueId } from '../protocol/ids.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { RestoreBook } from './backup/restore-book.ts';
import { type Change, RevocationLog } from './backup/revocation-log.ts';
import { ClinicianList } from './clinic/clinician-list.ts';
import { type Db, openDatabase, translating } from './database.ts';
import { parseKioskName } from './kiosk-name.ts';
import { LostList } from './policy/lost-list.ts';
import { PolicyBook } from './policy/policy-book.ts';
import type { Venue } from './policy/venue.ts';
import { VenueBook } from './policy/venue-book.ts';
import { REGISTRY_STEPS } from './registry-schema.ts';
import { ErasedCards } from './revoke/erased-cards.ts';
import { RolloutBook } from './rollout/rollout-book.ts';
import { PinBook } from './rotate/pin-book.ts';
import { SealBook } from './rotate/seal-book.ts';

export type { Venue };

export interface Kiosk {
  readonly kiosk: KioskId;
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** What operators call it; absent where nobody gave it a name. */
  readonly name?: string;
  readonly placement: Placement;
  /** What its certificate says that it is for; `kiosk` for one that was admitted by its key. */
  readonly role: Role;
  /** Whether a person set the direction of its entrance: the kiosk is told then, and else goes by its own settings. */
  readonly isDirectionTold: boolean;
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
  /** One of the venue's, or one that is not known yet and is made. */
  readonly entrance: EntranceId;
  /** Left out, the entrance keeps its own; a new one is for coming in. */
  readonly direction?: Direction;
  /** Whether a person chose that direction for the entrance, so that its kiosks are to go by it. */
  readonly isDirectionTold?: boolean;
  /** How long a visit without a check-out is taken to last, where this kiosk hangs; left out, it keeps its own where it stays at its venue, and has the venue's else. */
  readonly dwellMs?: number;
  /** Left out, it keeps its own; a new one is a `kiosk`. */
  readonly role?: Role;
}

interface KioskRow {
  kiosk: string;
  public_key: Uint8Array;
  name: string;
  venue: string;
  entrance: string;
  direction: Direction;
  dwell_ms: number;
  lingering_ms: number;
  region: string;
  are_flags_told: 0 | 1;
  flag_overlap_ms: number;
  are_flagged_suspected: 0 | 1;
  flag_rule_version: number;
  admitted_at_ms: number;
  revoked_at_ms: number | null;
  timezone: string;
  is_told: 0 | 1;
  role: Role;
}

const KIOSKS = `SELECT kiosks.kiosk, public_key, kiosks.name, kiosks.venue, entrance, entrances.direction, is_told, admitted_at_ms, revoked_at_ms, role,
    coalesce(kiosks.dwell_ms, venues.dwell_ms) AS dwell_ms, lingering_ms, region, timezone,
    are_flags_told, flag_overlap_ms, are_flagged_suspected, flag_rule_version
  FROM kiosks JOIN venues ON venues.id = kiosks.venue JOIN entrances ON entrances.id = entrance`;

export class Registry {
  readonly venueBook: VenueBook;
  readonly lostList: LostList;
  readonly clinicians: ClinicianList;
  readonly policyBook: PolicyBook;
  readonly erasedCards: ErasedCards;
  readonly restoreBook: RestoreBook;
  readonly pinBook: PinBook;
  readonly sealBook: SealBook;
  readonly rolloutBook: RolloutBook;
  readonly #db: Db;
  readonly #revocations: RevocationLog;
  #known = new Map<KioskId, Kiosk>();
  #dataVersion: unknown;
  #isReadThisTurn = false;
  #revision = 0;

  /** @param key the identity's storeKey. @throws StoreError as openDatabase does. */
  constructor(path: string, key: Uint8Array) {
    this.#db = openDatabase({ path, key, steps: REGISTRY_STEPS });
    this.venueBook = new VenueBook(this.#db, () => this.#read());
    this.#revocations = new RevocationLog(dirname(path), key);
    this.lostList = new LostList(this.#db, this.#revocations, () => this.#read());
    this.clinicians = new ClinicianList(this.#db, this.#revocations, () => this.#read());
    this.erasedCards = new ErasedCards(this.#db, key, this.#revocations, () => this.#read());
    this.policyBook = new PolicyBook(this.#db);
    this.restoreBook = new RestoreBook(this.#db);
    this.pinBook = new PinBook(this.#db);
    this.sealBook = new SealBook(this.#db);
    this.rolloutBook = new RolloutBook(this.#db, () => this.#read());
    this.#read();
  }

  /** Adds a venue, or gives one a new name or time zone. @throws ConfigError `config.invalid` for a time zone that nobody knows. */
  putVenue({ id, name, timezone }: Pick<Venue, 'id' | 'name' | 'timezone'>): void {
    if (this.venues().some((venue) => venue.id === id)) this.venueBook.edit(id, { name, timezone });
    else this.venueBook.add({ name, timezone }, id);
  }

  venues(): Venue[] {
    return this.venueBook.venues();
  }

  /**
   * Admits a kiosk, or moves one that is admitted; a revoked one is admitted again. A running gateway knows at the next connection.
   * @param takesBackRevoked false where a person's revocation of this very moment is to stand.
   * @throws AdmissionError `admission.wrong_key` when the id is admitted with another key or the key under another id,
   * `admission.unknown_venue` when there is no such venue, `admission.revoked`.
   */
  admit(admission: Admission, nowMs: EpochMillis, { takesBackRevoked = true }: { readonly takesBackRevoked?: boolean } = {}): void {
    const { kiosk, publicKey, venue } = admission;
    // Under the write lock: a command may be writing of the same kiosk.
    this.#transact(() => {
      const others = [...this.kiosks()].filter((other) => other.kiosk === kiosk || isSame(other.publicKey, publicKey));
      if (others.some((other) => other.kiosk !== kiosk || !isSame(other.publicKey, publicKey)))
        throw new AdmissionError('admission.wrong_key', `kiosk ${kiosk}: id and key are admitted, but not with each other`);
      if (!takesBackRevoked && others.some(({ revokedAtMs }) => revokedAtMs !== undefined))
        throw new AdmissionError('admission.revoked', `kiosk ${kiosk}: is revoked`);
      if (!this.venues().some(({ id }) => id === venue))
        throw new AdmissionError('admission.unknown_venue', `venue ${venue}: not registered`);
      this.#putKiosk(admission, nowMs, () => this.#revocations.add({ kind: 'admitted', atMs: nowMs, ...admission }));
    });
  }

  /** Does again what was done after the backup that this registry is of; a venue that it does not know is made. @throws StoreError. */
  replay(change: Change): void {
    switch (change.kind) {
      case 'admitted': {
        const { kiosk, publicKey, venue, entrance, direction, isDirectionTold = false, dwellMs, role } = change;
        if (!this.venues().some(({ id }) => id === venue)) this.putVenue({ id: venue, name: 'Restored', timezone: 'UTC' });
        const door = {
          venue,
          entrance,
          isDirectionTold,
          ...(direction && { direction }),
          ...(dwellMs && { dwellMs }),
          ...(role && { role }),
        };
        this.#putKiosk({ kiosk, publicKey, ...door }, change.atMs, () => {});
        return;
      }
      case 'revoked':
        this.#setRevoked(change.kiosk, change.atMs, () => {});
        return;
      case 'lost':
      case 'found':
        this.lostList.replay(change);
        return;
      case 'card-revoked':
        this.erasedCards.replay(change);
        return;
      case 'clinician-revoked':
        this.clinicians.replay(change);
        return;
      default:
    }
  }

  /** @param note is called within the transaction: what it writes elsewhere is there before this is. */
  #putKiosk(
    { kiosk, publicKey, venue, entrance, direction, isDirectionTold = false, dwellMs, role }: Admission,
    nowMs: EpochMillis,
    note: () => void,
  ): void {
    this.#transact(() => {
      this.#putEntrance(entrance, venue, direction);
      if (isDirectionTold) this.#db.prepare('UPDATE entrances SET is_told = 1 WHERE id = ?').run(entrance);
      this.#db
        .prepare(
          `INSERT INTO kiosks (kiosk, public_key, venue, entrance, dwell_ms, admitted_at_ms) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (kiosk) DO UPDATE SET venue = excluded.venue, entrance = excluded.entrance, revoked_at_ms = NULL,
             dwell_ms = coalesce(excluded.dwell_ms, CASE WHEN excluded.venue = kiosks.venue THEN kiosks.dwell_ms END)`,
        )
        .run(kiosk, publicKey, venue, entrance, dwellMs ?? null, nowMs);
      if (role !== undefined) this.#setRole(kiosk, role);
      this.#leaveTakenName(kiosk);
      note();
    });
  }

  /** One that comes back, or to another venue, may find its name taken. */
  #leaveTakenName(kiosk: KioskId): void {
    const name = this.#db.prepare('SELECT name FROM kiosks WHERE kiosk = ?').pluck().get(kiosk) as string;
    if (this.#otherNamed(name, kiosk) !== undefined) this.#db.prepare("UPDATE kiosks SET name = '' WHERE kiosk = ?").run(kiosk);
  }

  /** Writes down what a kiosk's certificate says that it is for. @throws StoreError. */
  keepRole(kiosk: KioskId, role: Role): void {
    if (this.kiosk(kiosk)?.role !== role) this.#transact(() => this.#setRole(kiosk, role));
  }

  #setRole(kiosk: KioskId, role: Role): void {
    this.#db.prepare('UPDATE kiosks SET role = ? WHERE kiosk = ?').run(role, kiosk);
  }

  /**
   * Gives a kiosk a name, or with an empty one takes it back. @throws ConfigError `config.invalid` for a name that is none (kiosk-name.ts), a kiosk
   * that is not registered, or a name that another admitted one at the venue has; StoreError.
   */
  rename(kiosk: KioskId, wanted: string): void {
    const name = parseKioskName(wanted);
    this.#transact(() => {
      const venue = this.#db.prepare('SELECT venue FROM kiosks WHERE kiosk = ?').pluck().get(kiosk);
      if (venue === undefined) throw new ConfigError('config.invalid', `kiosk ${kiosk}: not registered here`);
      const other = this.#otherNamed(name, kiosk);
      if (other !== undefined) throw new ConfigError('config.invalid', `name of kiosk ${kiosk}: kiosk ${other} of its venue has it`);
      this.#db.prepare('UPDATE kiosks SET name = ? WHERE kiosk = ?').run(name, kiosk);
    });
  }

  /** As `rename`, where no other one there has the name; else nothing: a door is not kept shut for a name. @throws StoreError. */
  renameWhereFree(kiosk: KioskId, name: string): void {
    if (this.#otherNamed(name, kiosk) === undefined) this.rename(kiosk, name);
  }

  #otherNamed(name: string, kiosk: KioskId): string | undefined {
    if (name === '') return undefined;
    const other = `SELECT other.kiosk FROM kiosks AS own JOIN kiosks AS other ON other.venue = own.venue AND other.kiosk <> own.kiosk
      WHERE own.kiosk = ? AND other.name = ? AND other.revoked_at_ms IS NULL`;
    return this.#db.prepare(other).pluck().get(kiosk, name) as string | undefined;
  }

  /** Takes a kiosk's admission back; a running gateway cuts it off. @returns false when no such kiosk is admitted. */
  revoke(kiosk: KioskId, nowMs: EpochMillis): boolean {
    return this.#setRevoked(kiosk, nowMs, () => this.#revocations.add({ kind: 'revoked', atMs: nowMs, kiosk }));
  }

  #setRevoked(kiosk: KioskId, nowMs: EpochMillis, note: () => void): boolean {
    const revoke = 'UPDATE kiosks SET revoked_at_ms = ? WHERE kiosk = ? AND revoked_at_ms IS NULL';
    return this.#transact(() => {
      const isRevoked = this.#db.prepare(revoke).run(nowMs, kiosk).changes > 0;
      if (isRevoked) note();
      return isRevoked;
    });
  }

  /** @returns the kiosk, also a revoked one, as it stands now, whichever process changed it. @throws StoreError. */
  kiosk(kiosk: KioskId): Kiosk | undefined {
    this.#refresh();
    return this.#known.get(kiosk);
  }

  /** As `kiosk`, for whoever asks for each batch: as it stood when this turn of the event loop first asked. @throws StoreError. */
  kioskThisTurn(kiosk: KioskId): Kiosk | undefined {
    if (!this.#isReadThisTurn) {
      this.#refresh();
      this.#isReadThisTurn = true;
      setImmediate(() => {
        this.#isReadThisTurn = false;
      });
    }
    return this.#known.get(kiosk);
  }

  /** Every kiosk, revoked ones too. */
  kiosks(): Iterable<Kiosk> {
    this.#refresh();
    return this.#known.values();
  }

  /** Another one than before whenever something in the file may have changed, whichever process changed it. @throws StoreError. */
  revision(): number {
    this.#refresh();
    return this.#revision;
  }

  close(): void {
    this.#revocations.close();
    this.#db.close();
  }

  #putEntrance(entrance: EntranceId, venue: VenueId, direction: Direction | undefined): void {
    const known = this.#db.prepare('SELECT venue FROM entrances WHERE id = ?').pluck().get(entrance);
    if (known !== undefined && known !== venue)
      throw new ConfigError('config.invalid', `entrance ${entrance}: is of another venue than ${venue}`);
    if (known === undefined)
      this.#db
        .prepare("INSERT INTO entrances (id, venue, name, direction, is_told) VALUES (?, ?, '', ?, 0)")
        .run(entrance, venue, direction ?? 'in');
    else if (direction !== undefined) this.#db.prepare('UPDATE entrances SET direction = ? WHERE id = ?').run(direction, entrance);
  }

  #transact<T>(work: () => T): T {
    const done = translating('registry', () => this.#db.transact(work));
    this.#read();
    return done;
  }

  #readDataVersion = (): unknown => this.#db.prepare('PRAGMA data_version').pluck().get();

  #refresh(): void {
    // Steps when another connection has committed; asking takes some microseconds.
    if (translating('registry', () => this.#readDataVersion()) !== this.#dataVersion) this.#read();
  }

  #read(): void {
    translating('registry', () => {
      this.#dataVersion = this.#readDataVersion();
      const rows = this.#db.prepare(KIOSKS).all() as KioskRow[];
      this.#revision += 1;
      this.#known = new Map(rows.map((row) => [row.kiosk as KioskId, kioskOf(row)]));
    });
  }
}

const kioskOf = (row: KioskRow): Kiosk => ({
  kiosk: row.kiosk as KioskId,
  publicKey: new Uint8Array(row.public_key),
  ...(row.name === '' ? {} : { name: row.name }),
  placement: {
    venue: row.venue as VenueId,
    entrance: row.entrance as EntranceId,
    direction: row.direction,
    dwellMs: row.dwell_ms,
    lingeringMs: row.lingering_ms,
    ...(row.region === '' ? {} : { region: row.region }),
    ...(row.flag_rule_version === 0 ? {} : { flagRule: flagRuleOf(row) }),
  },
  role: row.role,
  isDirectionTold: row.is_told === 1,
  timezone: row.timezone,
  admittedAtMs: row.admitted_at_ms as EpochMillis,
  revokedAtMs: row.revoked_at_ms === null ? undefined : (row.revoked_at_ms as EpochMillis),
});

const flagRuleOf = (row: KioskRow): FlagRule => ({
  version: row.flag_rule_version,
  ...(row.are_flags_told === 1 ? { minimumOverlapMs: row.flag_overlap_ms } : {}),
  isSuspected: row.are_flagged_suspected === 1,
});

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
