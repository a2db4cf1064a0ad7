/**
 * The machines that a core knows: gateways, each with its own deployment, ledger and how far that was taken, and partner systems. Whose a venue
 * is, is for the core's operator to say, who let a gateway in with its deployment, with which its venues' ids begin, and may list others; what
 * another says of it is set aside, so that one that lies harms its own venues only.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ConfigError } from '../protocol/errors.ts';
import { type DeploymentId, isPlaceId, type VenueId, venuesBeginWith } from '../protocol/ids.ts';
import { LruMap } from './lru-map.ts';
import { type Db, inStore, prepared, type Statement } from './sqlite.ts';

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

/** Where a batch says that it is from. */
export interface NamedVenue {
  readonly venue: VenueId;
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

/** Rows of the kiosks of one gateway are never those of another, whatever either calls its kiosks. */
export const STREAMS_APART_STEP = `
  CREATE TABLE stream_apart (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment TEXT NOT NULL,
    kiosk TEXT NOT NULL,
    key_id BLOB NOT NULL CHECK (length(key_id) = 8),
    UNIQUE (deployment, kiosk, key_id)
  ) STRICT;
  INSERT INTO sqlite_sequence SELECT 'stream_apart', seq FROM sqlite_sequence WHERE name = 'stream';
  INSERT INTO stream_apart SELECT id, coalesce(
    (SELECT machine.deployment FROM kiosk_owner JOIN machine ON machine.no = gateway WHERE kiosk_owner.kiosk = stream.kiosk),
    (SELECT deployment FROM machine WHERE name = 'first'), ''), kiosk, key_id FROM stream;
  DROP TABLE stream;
  ALTER TABLE stream_apart RENAME TO stream;
  DROP TABLE kiosk_owner;
  -- Whether the core's operator says so; else it was taken while nobody else was there to have it.
  ALTER TABLE venue_owner ADD COLUMN is_listed INTEGER NOT NULL DEFAULT 0;
`;

/** The gateway of this machine, or the one that `core serve` was first told of: it is let in by what lies beside the core. */
export const FIRST = 'first';
const NAME_FORM = /^[a-z][a-z0-9-]{0,31}$/;
const TOKEN_BYTES = 32;
const MOST_REMEMBERED = 8_192;
/** Why what a gateway says of a venue is not taken. */
export type ForeignVenue = 'ingest.other_gateway' | 'ingest.unlisted_venue';

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
  readonly is_listed: number;
}

interface HeldVenue {
  readonly gateway: number;
  readonly region: string;
}

export class Gateways {
  readonly #db: Db;
  readonly #venues = new LruMap<VenueId, HeldVenue>(MOST_REMEMBERED);
  readonly #findVenue: Statement;
  readonly #find: Statement;
  #version: unknown;

  constructor(db: Db) {
    this.#db = db;
    this.#findVenue = db.prepare('SELECT gateway, region, is_listed FROM venue_owner WHERE venue = ?');
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
        this.#db.prepare("UPDATE stream SET deployment = ? WHERE deployment = ''").run(deployment);
        this.#db.prepare("INSERT INTO venue_owner (venue, gateway, region) SELECT venue, ?, '' FROM venue").run(lastInsertRowid);
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
    const alike = all.find((machine) => isNamespaceOf(machine, deployment ?? ''));
    if (alike !== undefined) throw new ConfigError('config.invalid', `${name}: venues of ${alike.name} begin as this deployment's would`);
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
   * Lets a machine in no longer. Its venues may be another gateway's from then on; what it sent stays until retention.
   * @returns false when there is none of this name. @throws StoreError.
   */
  remove(name: string): boolean {
    return inStore('core.db', () =>
      this.#db.transaction(() => {
        const no = this.#db.prepare('SELECT no FROM machine WHERE name = ?').pluck().get(name) as number | undefined;
        if (no === undefined) return false;
        this.#db.prepare('DELETE FROM venue_owner WHERE gateway = ?').run(no);
        this.#db.prepare('DELETE FROM machine WHERE no = ?').run(no);
        return true;
      })(),
    );
  }

  /** In the order in which they were added. */
  list(): Machine[] {
    return inStore('core.db', () => (this.#db.prepare(`SELECT ${COLUMNS} FROM machine ORDER BY no`).all() as MachineRow[]).map(machineOf));
  }

  /** How many kiosks a gateway told of within retention, and how many venues it has. */
  holdings({ no, deployment = '' as DeploymentId }: Machine): { readonly kiosks: number; readonly venues: number } {
    const count = (sql: string, of: string | number): number => inStore('core.db', () => this.#db.prepare(sql).pluck().get(of) as number);
    return {
      kiosks: count('SELECT count(DISTINCT kiosk) FROM stream WHERE deployment = ?', deployment),
      venues: count('SELECT count(*) FROM venue_owner WHERE gateway = ?', no),
    };
  }

  /**
   * Says whose a venue is, whoever had it: what another sent of it stays until retention. The gateway is asked for its ledger again, since what it
   * sent before was set aside. @throws ConfigError `config.invalid`; StoreError.
   */
  listVenue(venue: string, name: string): void {
    const gateway = this.list().find((one) => one.name === name && one.role === 'gateway');
    if (gateway === undefined) throw new ConfigError('config.invalid', `${name}: there is no gateway of this name`);
    if (!isPlaceId(venue))
      throw new ConfigError('config.invalid', `"${venue}": a venue's id is 16 characters, as "vestibule venue list" says it`);
    const put = `INSERT INTO venue_owner (venue, gateway, region, is_listed) VALUES (?, ?, '', 1) ON CONFLICT DO UPDATE SET
      region = CASE WHEN gateway = excluded.gateway THEN region ELSE '' END, gateway = excluded.gateway, is_listed = 1`;
    inStore('core.db', () =>
      this.#db.transaction(() => {
        this.#db.prepare(put).run(venue, gateway.no);
        this.setTaken(gateway.no, 0);
      })(),
    );
    this.lookUpAnew();
  }

  /** Takes back what `listVenue` said. @returns false when it said nothing of this venue. @throws StoreError. */
  unlistVenue(venue: string): boolean {
    const { changes } = inStore('core.db', () => this.#db.prepare('DELETE FROM venue_owner WHERE venue = ? AND is_listed = 1').run(venue));
    this.lookUpAnew();
    return changes > 0;
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
    inStore('core.db', () => prepared(this.#db, 'UPDATE machine SET taken = ? WHERE no = ?').run(position, no));
  }

  /**
   * @param isReplay a region that was said before does not take the place of a later one.
   * @returns `undefined` when the venue is this gateway's; else why not: it is another's, or nobody's. @throws StoreError.
   */
  refusalOf(gateway: Machine, { venue, region = '' }: NamedVenue, isReplay: boolean): ForeignVenue | undefined {
    const held = this.#venue(venue);
    const holder = held?.gateway ?? this.#wouldHold(venue);
    if (holder === undefined) return 'ingest.unlisted_venue';
    if (holder !== gateway.no) return 'ingest.other_gateway';
    const said = gateway.regions === 'all' || gateway.regions.includes(region) ? region : '';
    if (held === undefined || (held.region !== said && !isReplay)) {
      const put = `INSERT INTO venue_owner (venue, gateway, region) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET gateway = excluded.gateway, region = excluded.region`;
      inStore('core.db', () => this.#db.prepare(put).run(venue, gateway.no, said));
      this.#venues.set(venue, { gateway: gateway.no, region: said });
    }
    return undefined;
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

  /** @returns whether another process wrote since this was asked last: a gateway may have come or gone, or a venue been listed. What is remembered is looked up again then. */
  hasChanged(): boolean {
    const { data_version: version } = prepared(this.#db, 'PRAGMA data_version').get() as { data_version: number };
    const isOther = version !== this.#version;
    this.#version = version;
    if (isOther) this.lookUpAnew();
    return isOther;
  }

  /** What is remembered of venues is looked up again. */
  lookUpAnew(): void {
    this.#venues.clear();
  }

  /** As it stands: one that a gateway took while it was alone is another's all the same when it begins as that one's deployment does. */
  #venue(venue: VenueId): HeldVenue | undefined {
    const held = this.#venues.get(venue);
    if (held !== undefined) return held;
    const found = inStore('core.db', () => this.#findVenue.get(venue) as VenueRow | undefined);
    if (found === undefined) return undefined;
    const { gateway, region, is_listed } = found;
    const own = is_listed === 1 ? undefined : this.list().find((machine) => isNamespaceOf(machine, venue))?.no;
    if (own !== undefined && own !== gateway) return undefined;
    this.#venues.set(venue, { gateway, region });
    return { gateway, region };
  }

  /** Of one that nobody has yet: whose deployment begins as it does, or who is alone. */
  #wouldHold(venue: VenueId): number | undefined {
    const gateways = this.list().filter(({ role }) => role === 'gateway');
    const [only] = gateways;
    return (gateways.find((machine) => isNamespaceOf(machine, venue)) ?? (gateways.length === 1 ? only : undefined))?.no;
  }
}

/** Whether an id begins as those of this gateway's venues do. */
const isNamespaceOf = ({ deployment }: Machine, id: string): boolean =>
  deployment !== undefined && id.startsWith(venuesBeginWith(deployment));

const machineOf = ({ no, name, role, deployment, regions, added_at_ms }: MachineRow): Machine => ({
  no,
  name,
  role,
  deployment: deployment ?? undefined,
  regions: regions === 'all' ? 'all' : (JSON.parse(regions) as string[]),
  addedAtMs: added_at_ms,
});

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();
