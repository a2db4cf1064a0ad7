/**
 * The machines that a core knows: gateways, each with its own deployment, ledger and how far that was taken, and partner systems. A kiosk or
 * venue belongs to the gateway that first named it: what another says of it is set aside, so that one that lies harms its own venues only.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ConfigError } from '../protocol/errors.ts';
import type { DeploymentId, KioskId, VenueId } from '../protocol/ids.ts';
import { LruMap } from './lru-map.ts';
import { type Db, inStore, type Statement } from './sqlite.ts';

export interface Machine {
  readonly no: number;
  readonly name: string;
  readonly role: 'gateway' | 'partner';
  /** Of a gateway; `undefined` for a partner. */
  readonly deployment: DeploymentId | undefined;
  /** Whose venues a gateway may have, or whose cases a partner may speak of. */
  readonly regions: readonly string[] | 'all';
  readonly addedAtMs: number;
}

export interface MachineToAdd {
  readonly name: string;
  readonly role: Machine['role'];
  readonly deployment?: DeploymentId;
  readonly regions: Machine['regions'];
  /** 32 bytes: SHA-256 of the public key of its certificate. Left out, it is known by a token. */
  readonly keyPin?: Uint8Array;
}

/** Where a row says that it is from. */
export interface Named {
  readonly kiosk: KioskId;
  /** Of a batch. */
  readonly venue?: VenueId;
  /** As the gateway says it; empty for none. */
  readonly region?: string;
}

export const GATEWAY_STEP = `
  CREATE TABLE machine (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('gateway', 'partner')),
    deployment TEXT UNIQUE,
    -- A list in JSON, or "all".
    regions TEXT NOT NULL,
    -- SHA-256: what is shown is not kept.
    token_hash BLOB UNIQUE CHECK (length(token_hash) = 32),
    key_pin BLOB UNIQUE CHECK (length(key_pin) = 32),
    taken INTEGER NOT NULL,
    added_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE kiosk_owner (kiosk TEXT PRIMARY KEY, gateway INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE venue_owner (venue TEXT PRIMARY KEY, gateway INTEGER NOT NULL, region TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** The gateway of this machine, or the one that `core serve` was first told of: it is let in by what lies beside the core. */
export const FIRST = 'first';
const NAME_FORM = /^[a-z][a-z0-9-]{0,31}$/;
const TOKEN_BYTES = 32;
const MOST_REMEMBERED = 8_192;
const COLUMNS = 'no, name, role, deployment, regions, added_at_ms';

interface MachineRow {
  readonly no: number;
  readonly name: string;
  readonly role: Machine['role'];
  readonly deployment: DeploymentId | null;
  readonly regions: string;
  readonly added_at_ms: number;
}

interface VenueRow {
  readonly gateway: number;
  readonly region: string;
}

export class Gateways {
  readonly #db: Db;
  readonly #kiosks = new LruMap<KioskId, number>(MOST_REMEMBERED);
  readonly #venues = new LruMap<VenueId, VenueRow>(MOST_REMEMBERED);
  readonly #findKiosk: Statement;
  readonly #findVenue: Statement;
  readonly #find: Statement;

  constructor(db: Db) {
    this.#db = db;
    this.#findKiosk = db.prepare('SELECT gateway FROM kiosk_owner WHERE kiosk = ?').pluck();
    this.#findVenue = db.prepare('SELECT gateway, region FROM venue_owner WHERE venue = ?');
    this.#find = db.prepare(`SELECT ${COLUMNS} FROM machine WHERE no = ?`);
  }

  /** @returns the gateway of a deployment, which is added as the first where none is there yet. @throws ConfigError `config.invalid`; StoreError. */
  first(deployment: DeploymentId, nowMs: number): Machine {
    return inStore('core.db', () => {
      const known = this.list().find((machine) => machine.deployment === deployment);
      if (known !== undefined) return known;
      const first = this.list().find(({ name }) => name === FIRST);
      if (first !== undefined)
        throw new ConfigError('config.invalid', `core: its first gateway is of deployment ${first.deployment}, not ${deployment}`);
      this.#db.transaction(() => {
        const insert = `INSERT INTO machine (name, role, deployment, regions, taken, added_at_ms)
          VALUES (?, 'gateway', ?, 'all', coalesce((SELECT value FROM counter WHERE name = 'taken-position'), 0), ?)`;
        const { lastInsertRowid } = this.#db.prepare(insert).run(FIRST, deployment, nowMs);
        // All that came before there were others is its own.
        this.#db.prepare('INSERT INTO kiosk_owner SELECT DISTINCT kiosk, ? FROM stream').run(lastInsertRowid);
        this.#db.prepare("INSERT INTO venue_owner SELECT venue, ?, '' FROM venue").run(lastInsertRowid);
      })();
      return this.first(deployment, nowMs);
    });
  }

  /**
   * Lets a machine in from now on.
   * @returns the token by which it is known, told this once; `undefined` where it is known by its key.
   * @throws ConfigError `config.invalid`; StoreError.
   */
  add({ name, role, deployment, regions, keyPin }: MachineToAdd, nowMs: number): string | undefined {
    if (!NAME_FORM.test(name)) throw new ConfigError('config.invalid', `"${name}": a name is 1 to 32 of a-z, 0-9 and dashes`);
    if ((role === 'gateway') !== (deployment !== undefined))
      throw new ConfigError('config.invalid', 'a gateway has a deployment, and nothing else has one');
    const token = keyPin === undefined ? randomBytes(TOKEN_BYTES).toString('base64url') : undefined;
    const all = this.list();
    if (all.some((machine) => machine.name === name)) throw new ConfigError('config.invalid', `${name}: there is one of this name`);
    const same = all.find((machine) => deployment !== undefined && machine.deployment === deployment);
    if (same !== undefined) throw new ConfigError('config.invalid', `${name}: ${same.name} is of this deployment`);
    inStore('core.db', () => {
      const insert = `INSERT INTO machine (name, role, deployment, regions, token_hash, key_pin, taken, added_at_ms)
        VALUES (?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING`;
      const text = regions === 'all' ? 'all' : JSON.stringify(regions);
      const values = [name, role, deployment ?? null, text, token === undefined ? null : sha256(token), keyPin ?? null, nowMs];
      if (this.#db.prepare(insert).run(...values).changes === 0)
        throw new ConfigError('config.invalid', `${name}: another is known by this key`);
    });
    return token;
  }

  /**
   * Lets a machine in no longer. Its kiosks and venues may be named by another gateway from then on; what it sent stays until retention.
   * @returns false when there is none of this name. @throws StoreError.
   */
  remove(name: string): boolean {
    return inStore('core.db', () =>
      this.#db.transaction(() => {
        const no = this.#db.prepare('SELECT no FROM machine WHERE name = ?').pluck().get(name) as number | undefined;
        if (no === undefined) return false;
        for (const table of ['kiosk_owner', 'venue_owner']) this.#db.prepare(`DELETE FROM ${table} WHERE gateway = ?`).run(no);
        this.#db.prepare('DELETE FROM machine WHERE no = ?').run(no);
        return true;
      })(),
    );
  }

  /** In the order in which they were added. */
  list(): Machine[] {
    return inStore('core.db', () => (this.#db.prepare(`SELECT ${COLUMNS} FROM machine ORDER BY no`).all() as MachineRow[]).map(machineOf));
  }

  /** How many kiosks and venues a gateway has. */
  holdings(no: number): { readonly kiosks: number; readonly venues: number } {
    const count = (table: string): number =>
      inStore('core.db', () => this.#db.prepare(`SELECT count(*) FROM ${table} WHERE gateway = ?`).pluck().get(no) as number);
    return { kiosks: count('kiosk_owner'), venues: count('venue_owner') };
  }

  /** @returns who shows this token or this key; `undefined` for nobody. Read from the file each time: one that was removed is out at once. */
  known(token: string | undefined, keyPin: Uint8Array | undefined): Machine | undefined {
    const one = (column: string, value: Uint8Array): Machine | undefined => {
      const row = this.#db.prepare(`SELECT ${COLUMNS} FROM machine WHERE ${column} = ?`).get(value) as MachineRow | undefined;
      return row && machineOf(row);
    };
    // Found by its hash: how long that takes tells nothing of the token.
    return inStore(
      'core.db',
      () =>
        (token === undefined ? undefined : one('token_hash', sha256(token))) ?? (keyPin === undefined ? undefined : one('key_pin', keyPin)),
    );
  }

  /** Whether this gateway is still let in. */
  isKnown(no: number): boolean {
    return inStore('core.db', () => this.#find.get(no) !== undefined);
  }

  /** Up to which position of its ledger a gateway's entries are known to be taken whole; 0 at first. */
  taken(no: number): number {
    return inStore('core.db', () => Number(this.#db.prepare('SELECT taken FROM machine WHERE no = ?').pluck().get(no) ?? 0));
  }

  setTaken(no: number, position: number): void {
    inStore('core.db', () => this.#db.prepare('UPDATE machine SET taken = ? WHERE no = ?').run(position, no));
  }

  /**
   * @param isReplay a region that was said before does not take the place of a later one.
   * @returns whether all that is named is this gateway's: it was, or nobody had named it and now is. @throws StoreError.
   */
  own(gateway: Machine, { kiosk, venue, region = '' }: Named, isReplay: boolean): boolean {
    const ofVenue = venue === undefined ? undefined : this.#venue(venue);
    if ((this.#kiosk(kiosk) ?? gateway.no) !== gateway.no || (ofVenue?.gateway ?? gateway.no) !== gateway.no) return false;
    const said = gateway.regions === 'all' || gateway.regions.includes(region) ? region : '';
    if (this.#kiosk(kiosk) === undefined) {
      inStore('core.db', () => this.#db.prepare('INSERT OR IGNORE INTO kiosk_owner VALUES (?, ?)').run(kiosk, gateway.no));
    }
    if (venue !== undefined && (ofVenue === undefined || (ofVenue.region !== said && !isReplay))) {
      const put = 'INSERT INTO venue_owner VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET region = excluded.region';
      inStore('core.db', () => this.#db.prepare(put).run(venue, gateway.no, said));
      this.#venues.set(venue, { gateway: gateway.no, region: said });
    }
    return true;
  }

  /** @returns the region of a venue, as its gateway says it and may; `undefined` where none is known. */
  regionOf(venue: VenueId): string | undefined {
    const region = this.#venue(venue)?.region;
    return region === '' ? undefined : region;
  }

  /** Every venue, in the order of their ids, with its gateway's name and its region. */
  venues(): { readonly venue: VenueId; readonly gateway: string; readonly region: string | undefined }[] {
    const sql = 'SELECT venue, machine.name AS gateway, region FROM venue_owner JOIN machine ON machine.no = gateway ORDER BY venue';
    const rows = inStore('core.db', () => this.#db.prepare(sql).all() as { venue: VenueId; gateway: string; region: string }[]);
    return rows.map((row) => ({ ...row, region: row.region === '' ? undefined : row.region }));
  }

  /** A gateway may have been removed by another process: what is remembered of its kiosks and venues is looked up again. */
  lookUpAnew(): void {
    this.#kiosks.clear();
    this.#venues.clear();
  }

  #kiosk(kiosk: KioskId): number | undefined {
    const held = this.#kiosks.get(kiosk);
    if (held !== undefined) return held;
    const found = inStore('core.db', () => this.#findKiosk.get(kiosk) as number | undefined);
    if (found !== undefined) this.#kiosks.set(kiosk, found);
    return found;
  }

  #venue(venue: VenueId): VenueRow | undefined {
    const held = this.#venues.get(venue);
    if (held !== undefined) return held;
    const found = inStore('core.db', () => this.#findVenue.get(venue) as VenueRow | undefined);
    if (found !== undefined) this.#venues.set(venue, found);
    return found;
  }
}

const machineOf = ({ no, name, role, deployment, regions, added_at_ms }: MachineRow): Machine => ({
  no,
  name,
  role,
  deployment: deployment ?? undefined,
  regions: regions === 'all' ? 'all' : (JSON.parse(regions) as string[]),
  addedAtMs: added_at_ms,
});

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();
