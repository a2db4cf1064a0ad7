/**
 * Which enrolment codes were given out, which kiosk each became, and the certificate that each kiosk has. Codes are kept as hashes.
 * A file of its own: `vestibule enrol` writes it while the gateway runs, and a restored registry does not bring a used code back.
 */
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import type { Role } from '../../protocol/enrol.ts';
import type { EntranceId, KioskId, VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { type Change, RevocationLog } from '../backup/revocation-log.ts';
import { type Db, openDatabase, translating } from '../database.ts';

/** What a code is good for: one kiosk at one door. */
export interface CodeOrder {
  readonly venue: VenueId;
  readonly entrance: EntranceId;
  /** Left out: the entrance keeps its own. */
  readonly direction: 'in' | 'out' | 'both' | undefined;
  /** Left out: as long as at the venue. */
  readonly dwellMs: number | undefined;
  readonly role: Role;
  /** The kiosk whose place this one takes: revoked when the code is used. */
  readonly replaces: KioskId | undefined;
  /** What the kiosk will be called; left out: as the one that it replaces, else nothing. */
  readonly name?: string | undefined;
  readonly expiresAtMs: EpochMillis;
}

export interface GivenCode extends CodeOrder {
  /** From 1 on; what a label and a list name it by. */
  readonly number: number;
  readonly madeAtMs: EpochMillis;
  /** When it was made, for one that nobody was shown. */
  readonly withdrawnAtMs: EpochMillis | undefined;
  /** Who used it; `undefined` while nobody has. */
  readonly bound:
    | { readonly kiosk: KioskId; readonly publicKey: Uint8Array; readonly atMs: EpochMillis; readonly isDone: boolean }
    | undefined;
}

export interface HeldCertificate {
  readonly kiosk: KioskId;
  readonly role: Role;
  /** For which it was issued; raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly certificatePem: string;
}

const STEPS = [
  `CREATE TABLE codes (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     secret_hash BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
     venue TEXT NOT NULL,
     entrance TEXT NOT NULL,
     direction TEXT CHECK (direction IN ('in', 'out', 'both')),
     dwell_ms INTEGER CHECK (dwell_ms > 0),
     role TEXT NOT NULL CHECK (role IN ('kiosk', 'clinic')),
     replaces TEXT,
     made_at_ms INTEGER NOT NULL,
     expires_at_ms INTEGER NOT NULL,
     withdrawn_at_ms INTEGER,
     kiosk TEXT,
     public_key BLOB,
     bound_at_ms INTEGER,
     -- 1 when all that the code asks for has been done: what an operator changes afterwards is not put back by a request that comes again.
     is_done INTEGER NOT NULL DEFAULT 0 CHECK (is_done IN (0, 1)),
     CHECK ((kiosk IS NULL) = (public_key IS NULL) AND (kiosk IS NULL) = (bound_at_ms IS NULL))
   ) STRICT;
   -- The role that a kiosk was enrolled for, and the last certificate it was issued.
   CREATE TABLE certificates (
     kiosk TEXT PRIMARY KEY,
     role TEXT NOT NULL CHECK (role IN ('kiosk', 'clinic')),
     public_key BLOB NOT NULL CHECK (length(public_key) = 32),
     certificate TEXT NOT NULL
   ) STRICT;`,
  'ALTER TABLE codes ADD COLUMN name TEXT;',
];

interface CodeRow {
  number: number;
  venue: VenueId;
  entrance: EntranceId;
  direction: 'in' | 'out' | 'both' | null;
  dwell_ms: number | null;
  role: Role;
  replaces: KioskId | null;
  name: string | null;
  made_at_ms: EpochMillis;
  expires_at_ms: EpochMillis;
  withdrawn_at_ms: EpochMillis | null;
  kiosk: KioskId | null;
  public_key: Uint8Array | null;
  bound_at_ms: EpochMillis | null;
  is_done: 0 | 1;
}

export class CodeBook {
  readonly #db: Db;
  readonly #revocations: RevocationLog;

  /** @param key the identity's storeKey. @throws StoreError as openDatabase does. */
  constructor(path: string, key: Uint8Array) {
    this.#db = openDatabase({ path, key, steps: STEPS });
    this.#revocations = new RevocationLog(dirname(path), key);
  }

  /**
   * Takes note of new codes, all or none. They are good for nothing before `open`: whoever is killed, or refused by a disk, before somebody can
   * read them leaves none that is good and that nobody holds.
   * @param secrets of each, 16 random bytes; not kept. @returns their numbers.
   */
  give(orders: readonly (CodeOrder & { readonly secret: Uint8Array })[], nowMs: EpochMillis): number[] {
    return this.#do((db) =>
      db.transact(() =>
        orders.map(({ secret, venue, entrance, direction, dwellMs, role, replaces, name, expiresAtMs }) =>
          Number(
            db
              .prepare(
                `INSERT INTO codes (secret_hash, venue, entrance, direction, dwell_ms, role, replaces, name, made_at_ms, withdrawn_at_ms, expires_at_ms)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
              )
              .run(
                hashOf(secret),
                venue,
                entrance,
                direction ?? null,
                dwellMs ?? null,
                role,
                replaces ?? null,
                name ?? null,
                nowMs,
                nowMs,
                expiresAtMs,
              ).lastInsertRowid,
          ),
        ),
      ),
    );
  }

  /** Makes codes good that were given and that somebody can read now. @throws StoreError. */
  open(numbers: readonly number[]): void {
    const open = 'UPDATE codes SET withdrawn_at_ms = NULL WHERE number = ? AND kiosk IS NULL AND withdrawn_at_ms = made_at_ms';
    this.#do((db) =>
      db.transact(() => {
        for (const number of numbers) db.prepare(open).run(number);
      }),
    );
  }

  /** @returns the code with that secret. */
  find(secret: Uint8Array): GivenCode | undefined {
    const row = this.#do((db) => db.prepare('SELECT * FROM codes WHERE secret_hash = ?').get(hashOf(secret)));
    return row === undefined ? undefined : codeOf(row as CodeRow);
  }

  /** Every code, newest first. */
  codes(): GivenCode[] {
    return this.#do((db) => (db.prepare('SELECT * FROM codes ORDER BY number DESC').all() as CodeRow[]).map(codeOf));
  }

  /** Binds a code to the first kiosk that comes with it. @returns whether it is that kiosk's: false when another one had it already, or it was taken back. */
  bind(number: number, kiosk: KioskId, publicKey: Uint8Array, nowMs: EpochMillis): boolean {
    return this.#bind(number, kiosk, publicKey, nowMs, () =>
      this.#revocations.add({ kind: 'code-used', atMs: nowMs, number, kiosk, publicKey }),
    );
  }

  /** Does again what was done after the backup that this book is of. @throws StoreError. */
  replay(change: Change): void {
    if (change.kind === 'code-used') {
      this.#bind(change.number, change.kiosk, change.publicKey, change.atMs, () => {});
      this.finish(change.number);
    }
    if (change.kind === 'code-withdrawn') this.#withdraw(change.number, change.atMs);
  }

  /** Takes back every code that nobody has used. @returns how many. @throws StoreError. */
  withdrawAll(nowMs: EpochMillis): number {
    return this.codes().filter(({ number }) => this.#withdraw(number, nowMs)).length;
  }

  /** @param note is called once, within the transaction that binds it. */
  #bind(number: number, kiosk: KioskId, publicKey: Uint8Array, nowMs: EpochMillis, note: () => void): boolean {
    return this.#do((db) =>
      db.transact(() => {
        // One statement, so that of two that come at the same moment, or of one that comes and an operator who takes the code back, one finds nothing to change.
        const bind =
          'UPDATE codes SET kiosk = ?, public_key = ?, bound_at_ms = ? WHERE number = ? AND kiosk IS NULL AND withdrawn_at_ms IS NULL';
        if (db.prepare(bind).run(kiosk, publicKey, nowMs, number).changes > 0) note();
        return (
          db.prepare('SELECT 1 FROM codes WHERE number = ? AND kiosk = ? AND public_key = ?').get(number, kiosk, publicKey) !== undefined
        );
      }),
    );
  }

  /** All that a bound code asks for is done. What its kiosk is for now is told of the certificate that it has, too, until that is another. */
  finish(number: number): void {
    const tell = `UPDATE certificates SET role = (SELECT role FROM codes WHERE number = ?)
      WHERE kiosk = (SELECT kiosk FROM codes WHERE number = ?)`;
    this.#do((db) =>
      db.transact(() => {
        db.prepare('UPDATE codes SET is_done = 1 WHERE number = ? AND kiosk IS NOT NULL').run(number);
        db.prepare(tell).run(number, number);
      }),
    );
  }

  /** Takes a code back that nobody has used. @returns whether there was such a one. */
  withdraw(number: number, nowMs: EpochMillis): boolean {
    this.#revocations.add({ kind: 'code-withdrawn', atMs: nowMs, number });
    return this.#withdraw(number, nowMs);
  }

  #withdraw(number: number, nowMs: EpochMillis): boolean {
    return this.#do(
      (db) =>
        db.prepare('UPDATE codes SET withdrawn_at_ms = ? WHERE number = ? AND kiosk IS NULL AND withdrawn_at_ms IS NULL').run(nowMs, number)
          .changes > 0,
    );
  }

  /** Forgets codes that nobody can use any more, and that were given out before `beforeMs`. */
  forget(beforeMs: EpochMillis): void {
    this.#do((db) => db.prepare('DELETE FROM codes WHERE made_at_ms < ? AND expires_at_ms < ?').run(beforeMs, beforeMs));
  }

  /** @returns the certificate that a kiosk has to show; `undefined` for one that was admitted by its key alone. */
  certificateOf(kiosk: KioskId): HeldCertificate | undefined {
    const row = this.#do((db) =>
      db.prepare('SELECT kiosk, role, public_key AS publicKey, certificate AS certificatePem FROM certificates WHERE kiosk = ?').get(kiosk),
    ) as HeldCertificate | undefined;
    return row && { ...row, publicKey: new Uint8Array(row.publicKey) };
  }

  /** What each kiosk's certificate says that it is for. */
  roles(): { readonly kiosk: KioskId; readonly role: Role }[] {
    return this.#do((db) => db.prepare('SELECT kiosk, role FROM certificates').all() as { kiosk: KioskId; role: Role }[]);
  }

  /** Keeps the certificate, in place of the kiosk's last one. */
  keep({ kiosk, role, publicKey, certificatePem }: HeldCertificate): void {
    this.#do((db) =>
      db
        .prepare(
          `INSERT INTO certificates (kiosk, role, public_key, certificate) VALUES (?, ?, ?, ?) ON CONFLICT (kiosk) DO UPDATE SET
           role = excluded.role, public_key = excluded.public_key, certificate = excluded.certificate`,
        )
        .run(kiosk, role, publicKey, certificatePem),
    );
  }

  close(): void {
    this.#revocations.close();
    this.#db.close();
  }

  #do<T>(work: (db: Db) => T): T {
    return translating('enrolment', () => work(this.#db));
  }
}

/** 128 random bits need neither salt nor stretching. */
const hashOf = (secret: Uint8Array): Uint8Array => createHash('sha256').update(secret).digest();

const codeOf = (row: CodeRow): GivenCode => ({
  number: row.number,
  venue: row.venue,
  entrance: row.entrance,
  direction: row.direction ?? undefined,
  dwellMs: row.dwell_ms ?? undefined,
  role: row.role,
  replaces: row.replaces ?? undefined,
  name: row.name ?? undefined,
  madeAtMs: row.made_at_ms,
  expiresAtMs: row.expires_at_ms,
  withdrawnAtMs: row.withdrawn_at_ms ?? undefined,
  bound:
    row.kiosk === null || row.public_key === null || row.bound_at_ms === null
      ? undefined
      : { kiosk: row.kiosk, publicKey: new Uint8Array(row.public_key), atMs: row.bound_at_ms, isDone: row.is_done === 1 },
});
