/**
 * Who may look at this gateway and who may act on it: people with a password, programs with a token, and the sessions that are
 * open. One encrypted file, so that `vestibule operator` can write it while the gateway runs. There is no account until one is added.
 */
import { createHash, randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { ConfigError } from '../protocol/errors.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { PasswordCheck, passwordHash } from './accounts-password.ts';
import { type Change, RevocationLog } from './backup/revocation-log.ts';
import { type Db, openDatabase, translating } from './database.ts';

/** `read-only` sees everything that operators may see and changes nothing; `manager` acts too. */
export type Role = 'read-only' | 'manager';
export const ROLES: readonly Role[] = ['read-only', 'manager'];

export interface Account {
  readonly name: string;
  readonly role: Role;
  /** A program's account has a token in place of a password, is read only, and its looks are not a person's. */
  readonly kind: 'person' | 'program';
  readonly addedAtMs: EpochMillis;
}

export interface Session {
  readonly account: Account;
  /** What a page must send along with every change, besides the cookie that the browser sends by itself. */
  readonly csrf: string;
}

const STEPS = [
  `CREATE TABLE accounts (
     name TEXT PRIMARY KEY,
     role TEXT NOT NULL CHECK (role IN ('read-only', 'manager')),
     kind TEXT NOT NULL CHECK (kind IN ('person', 'program')),
     -- Salt and scrypt hash of a password; SHA-256 of a token, which is random and needs no slow hash.
     secret_hash BLOB NOT NULL,
     added_at_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE sessions (
     token_hash BLOB PRIMARY KEY,
     account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
     opened_at_ms INTEGER NOT NULL,
     seen_at_ms INTEGER NOT NULL
   ) STRICT;
   -- Flags that somebody has said to have dealt with. A flag is named by its first high reading's scan.
   CREATE TABLE handled_flags (
     flag TEXT PRIMARY KEY,
     by TEXT NOT NULL,
     at_ms INTEGER NOT NULL
   ) STRICT;
   -- How much the gateway's directory held, to tell how fast it grows.
   CREATE TABLE disk_samples (at_ms INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;`,
];

const NAME = /^[a-z][a-z0-9._-]{0,31}$/;
const SHORTEST_PASSWORD = 12;
const LONGEST_PASSWORD_BYTES = 256;
const TOKEN_BYTES = 32;
/** A wall display is looked at all day; a forgotten laptop is not. */
const IDLE_MS = 12 * 3_600_000;
const LONGEST_SESSION_MS = 7 * 86_400_000;
const MOST_SESSIONS_EACH = 16;
/** A session's last use is written no oftener. */
const SEEN_EVERY_MS = 60_000;

interface AccountRow {
  readonly name: string;
  readonly role: Role;
  readonly kind: 'person' | 'program';
  readonly added_at_ms: EpochMillis;
}

export class Accounts {
  readonly #db: Db;
  readonly #revocations: RevocationLog;
  readonly #passwords = new PasswordCheck();

  /** @param key the identity's storeKey. @throws StoreError as openDatabase does. */
  constructor(path: string, key: Uint8Array) {
    this.#db = openDatabase({ path, key, steps: STEPS });
    this.#revocations = new RevocationLog(dirname(path), key);
  }

  /**
   * Adds a person, or gives one a new role and password; their sessions end.
   * @param password 12 characters or more, 256 bytes at most, and not the name. @throws ConfigError `config.invalid` for an unfit name or password.
   */
  async add(name: string, role: Role, password: string, nowMs: EpochMillis): Promise<void> {
    refuseName(name);
    if ([...password].length < SHORTEST_PASSWORD || Buffer.byteLength(password) > LONGEST_PASSWORD_BYTES)
      throw new ConfigError('config.invalid', `password: ${SHORTEST_PASSWORD} characters or more, ${LONGEST_PASSWORD_BYTES} bytes at most`);
    if (password.toLowerCase().includes(name)) throw new ConfigError('config.invalid', 'password: has the account name in it');
    this.#keep(name, role, 'person', await passwordHash(password), nowMs);
  }

  /** Adds a program's account, or gives it a new token. @returns the token; only its hash is kept. @throws ConfigError as `add`. */
  addProgram(name: string, nowMs: EpochMillis): string {
    refuseName(name);
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#keep(name, 'read-only', 'program', sha256(token), nowMs);
    return token;
  }

  /** @returns false when there is no such account. Its sessions end with it. */
  remove(name: string, nowMs: EpochMillis): boolean {
    if (!this.list().some((account) => account.name === name)) return false;
    this.#revocations.add({ kind: 'account-removed', atMs: nowMs, name });
    return this.#remove(name);
  }

  /** Does again what was done after the backup that this file is of. @throws StoreError. */
  replay(change: Change): void {
    if (change.kind === 'account-removed') this.#remove(change.name);
    if (change.kind === 'account') this.#put(change.name, change.role, change.holder, change.secretHash, change.atMs);
  }

  /** Ends every session: everybody logs in anew. @throws StoreError. */
  closeSessions(): void {
    translating('accounts', () => this.#db.prepare('DELETE FROM sessions').run());
  }

  #remove(name: string): boolean {
    return translating('accounts', () => this.#db.prepare('DELETE FROM accounts WHERE name = ?').run(name).changes) > 0;
  }

  list(): Account[] {
    const rows = translating('accounts', () => this.#db.prepare('SELECT name, role, kind, added_at_ms FROM accounts ORDER BY name').all());
    return (rows as AccountRow[]).map(accountOf);
  }

  /**
   * @param untilClosed of the connection that asks: a guess whose turn comes after it is not looked at.
   * @returns the person whose password this is. Takes the same time whether name or password is wrong.
   */
  async personOf(name: string, password: string, untilClosed?: AbortSignal): Promise<Account | undefined> {
    const row = this.#row(name, 'person');
    const given = Buffer.byteLength(password) <= LONGEST_PASSWORD_BYTES ? password : '';
    return (await this.#passwords.isRight(given, row?.secret_hash, untilClosed)) && row !== undefined ? accountOf(row) : undefined;
  }

  /** @returns what is another one after each change of this person's role or password; `undefined` for nobody. @throws StoreError. */
  stampOf(name: string): string | undefined {
    const hash = this.#row(name, 'person')?.secret_hash;
    return hash && sha256(Buffer.from(hash).toString('base64')).toString('base64');
  }

  /** How many guesses wait for their turn. */
  get waitingGuesses(): number {
    return this.#passwords.waiting;
  }

  /** @returns the program whose token this is. */
  programOf(token: string): Account | undefined {
    const row = translating('accounts', () =>
      this.#db.prepare("SELECT * FROM accounts WHERE kind = 'program' AND secret_hash = ?").get(sha256(token)),
    ) as AccountRow | undefined;
    return row && accountOf(row);
  }

  /** Opens a session; past 16 of one account the oldest ends. @returns the secret of its cookie, which is not kept. */
  openSession(name: string, nowMs: EpochMillis): string {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    translating('accounts', () =>
      this.#db.transact(() => {
        this.#db.prepare('DELETE FROM sessions WHERE opened_at_ms < ? OR seen_at_ms < ?').run(nowMs - LONGEST_SESSION_MS, nowMs - IDLE_MS);
        this.#db.prepare('INSERT INTO sessions VALUES (?, ?, ?, ?)').run(sha256(token), name, nowMs, nowMs);
        this.#db
          .prepare(
            `DELETE FROM sessions WHERE account = ? AND token_hash NOT IN
               (SELECT token_hash FROM sessions WHERE account = ? ORDER BY opened_at_ms DESC, rowid DESC LIMIT ?)`,
          )
          .run(name, name, MOST_SESSIONS_EACH);
      }),
    );
    return token;
  }

  /** @returns the session of a cookie, kept alive by this; `undefined` when it has ended or its account is gone. */
  session(token: string, nowMs: EpochMillis): Session | undefined {
    const hash = sha256(token);
    // Either way: one from a day on which the clock was ahead would last until that day.
    const isFarFrom = (atMs: number, mostMs: number) => Math.abs(nowMs - atMs) > mostMs;
    return translating('accounts', () => {
      const row = this.#db
        .prepare('SELECT * FROM sessions JOIN accounts ON accounts.name = sessions.account WHERE token_hash = ?')
        .get(hash) as (AccountRow & { readonly opened_at_ms: number; readonly seen_at_ms: number }) | undefined;
      if (row === undefined || isFarFrom(row.opened_at_ms, LONGEST_SESSION_MS) || isFarFrom(row.seen_at_ms, IDLE_MS)) return undefined;
      if (isFarFrom(row.seen_at_ms, SEEN_EVERY_MS))
        this.#db.transactUnsynced(() => this.#db.prepare('UPDATE sessions SET seen_at_ms = ? WHERE token_hash = ?').run(nowMs, hash));
      return { account: accountOf(row), csrf: createHash('sha256').update(`csrf ${token}`).digest('base64url') };
    });
  }

  closeSession(token: string): void {
    translating('accounts', () => this.#db.prepare('DELETE FROM sessions WHERE token_hash = ?').run(sha256(token)));
  }

  /** Remembers that somebody has dealt with a flag; the first stands. */
  handleFlag(flag: string, by: string, nowMs: EpochMillis): void {
    translating('accounts', () =>
      this.#db.prepare('INSERT INTO handled_flags VALUES (?, ?, ?) ON CONFLICT DO NOTHING').run(flag, by, nowMs),
    );
  }

  /** @returns by flag who has dealt with it and when. Those from before `sinceMs` are forgotten. */
  handledFlags(sinceMs: number): Map<string, { readonly by: string; readonly atMs: EpochMillis }> {
    return translating('accounts', () => {
      this.#db.transactUnsynced(() => this.#db.prepare('DELETE FROM handled_flags WHERE at_ms < ?').run(sinceMs));
      const rows = this.#db.prepare('SELECT flag, by, at_ms FROM handled_flags').all() as {
        flag: string;
        by: string;
        at_ms: EpochMillis;
      }[];
      return new Map(rows.map(({ flag, by, at_ms }) => [flag, { by, atMs: at_ms }]));
    });
  }

  /** Keeps how much the directory holds, and forgets samples from before `sinceMs`. @returns those there are, oldest first. */
  sampleDisk(bytes: number, nowMs: EpochMillis, sinceMs: number): { readonly atMs: number; readonly bytes: number }[] {
    return translating('accounts', () => {
      this.#db.transactUnsynced(() => {
        this.#db.prepare('DELETE FROM disk_samples WHERE at_ms < ? OR at_ms > ?').run(sinceMs, nowMs);
        this.#db.prepare('INSERT INTO disk_samples VALUES (?, ?) ON CONFLICT DO NOTHING').run(nowMs, bytes);
      });
      return this.#db.prepare('SELECT at_ms AS atMs, bytes FROM disk_samples ORDER BY at_ms').all() as { atMs: number; bytes: number }[];
    });
  }

  close(): void {
    this.#revocations.close();
    this.#db.close();
  }

  #row(name: string, kind: Account['kind']): (AccountRow & { readonly secret_hash: Uint8Array }) | undefined {
    return translating('accounts', () => this.#db.prepare('SELECT * FROM accounts WHERE name = ? AND kind = ?').get(name, kind)) as
      | (AccountRow & { readonly secret_hash: Uint8Array })
      | undefined;
  }

  #keep(name: string, role: Role, holder: Account['kind'], secretHash: Uint8Array, nowMs: EpochMillis): void {
    this.#put(name, role, holder, secretHash, nowMs);
    this.#revocations.add({ kind: 'account', atMs: nowMs, name, role, holder, secretHash });
  }

  #put(name: string, role: Role, kind: Account['kind'], secretHash: Uint8Array, nowMs: EpochMillis): void {
    translating('accounts', () =>
      this.#db.transact(() => {
        this.#db
          .prepare(
            `INSERT INTO accounts VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
               role = excluded.role, kind = excluded.kind, secret_hash = excluded.secret_hash`,
          )
          .run(name, role, kind, secretHash, nowMs);
        this.#db.prepare('DELETE FROM sessions WHERE account = ?').run(name);
      }),
    );
  }
}

function refuseName(name: string): void {
  if (!NAME.test(name))
    throw new ConfigError('config.invalid', 'account: expected 1 to 32 of a-z, 0-9, ".", "_" and "-", beginning with a letter');
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

const accountOf = ({ name, role, kind, added_at_ms }: AccountRow): Account => ({ name, role, kind, addedAtMs: added_at_ms });
