/**
 * The audit log: every look and every deed at the core, and each that was refused, in audit.db, encrypted under the store key. Each entry is
 * bound to the one before by HMAC-SHA-256 under a key made from the store key, so that one that was changed, taken out, moved or put in shows.
 * How far the log goes lies in a second file, `audit.head`, so that an end that was cut off shows too.
 *
 * Whoever holds the store key could write all of it anew: the head is told by `vestibule audit verify`, and one that was noted elsewhere
 * proves that what came before it is as it was.
 */
import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../protocol/errors.ts';
import { type Db, inStore, openEncrypted, type Statement } from './sqlite.ts';

/** A look or a deed, by whom and what for: counts, and never who was looked for or found. */
export interface Deed {
  readonly atMs: number;
  /** A person's or machine's subject (core/rest/route.ts), or the operating system's user; at most 64 characters. */
  readonly who: string;
  /** Of core/rest/roles.ts; `operator` at the command line, `stranger` where nobody known asked. */
  readonly role: string;
  /** Empty where none was stated; at most 200 characters. */
  readonly purpose: string;
  /** Such as `look.overlaps` or `case.confirm`; at most 64 characters. */
  readonly action: string;
  /** A case, a venue, a gateway, or a number; empty for nothing to name. Never a card. At most 128 characters. */
  readonly about: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  /** How many rows of people were told; 0 for a deed. */
  readonly rows: number;
  /** A code or counts that say how it went; at most 256 characters. */
  readonly detail: string;
}

export interface AuditEntry extends Deed {
  /** 1 for the first; one more for each. */
  readonly entry: number;
  /** Hexadecimal, 64 characters. */
  readonly hash: string;
}

/** How far the log goes. */
export interface AuditHead {
  readonly entries: number;
  /** Of the last entry. */
  readonly hash: string;
}

export type AuditFinding =
  | { readonly kind: 'whole'; readonly head: AuditHead }
  /** The first entry that does not follow from those before it. */
  | { readonly kind: 'broken'; readonly entry: number }
  /** The log once went further than it goes, or the file that says how far is gone or altered. */
  | { readonly kind: 'cut'; readonly entries: number; readonly expected: number };

const SCHEMA = [
  `
  CREATE TABLE look (
    entry INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    purpose TEXT NOT NULL,
    question TEXT NOT NULL,
    minimum_overlap_ms INTEGER NOT NULL,
    contacts INTEGER NOT NULL,
    unreadable_days INTEGER NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  `,
  `
  -- Goes on where the looks of the first version end.
  CREATE TABLE deed (
    entry INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    purpose TEXT NOT NULL,
    action TEXT NOT NULL,
    about TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    rows INTEGER NOT NULL,
    detail TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  -- A slip of a program of ours; whoever has the key can take these away, and the chain shows it.
  CREATE TRIGGER deed_stays BEFORE UPDATE ON deed BEGIN SELECT RAISE(ABORT, 'append only'); END;
  CREATE TRIGGER deed_stays_whole BEFORE DELETE ON deed BEGIN SELECT RAISE(ABORT, 'append only'); END;
  `,
] as const;

const DEED = 'entry, at_ms AS atMs, who, role, purpose, action, about, outcome, rows, detail, hash';
const LOOK = `entry, at_ms AS atMs, who, purpose, question, minimum_overlap_ms AS minimumOverlapMs, contacts,
  unreadable_days AS unreadableDays, hash`;
/** What the first entry follows. */
const NOTHING_BEFORE = '0'.repeat(64);
const NO_ENTRIES: AuditHead = { entries: 0, hash: NOTHING_BEFORE };
const HEAD = /^(\d{1,15}) ([0-9a-f]{64}) ([0-9a-f]{64})\n$/;
const READ_AT_ONCE = 1_000;

/** An entry of the first version of this log. */
interface Look {
  readonly entry: number;
  readonly atMs: number;
  readonly who: string;
  readonly purpose: string;
  readonly question: string;
  readonly minimumOverlapMs: number;
  readonly contacts: number;
  readonly unreadableDays: number;
  readonly hash: string;
}

export class AuditLog {
  readonly #db: Db;
  readonly #headPath: string;
  readonly #chainKey: Uint8Array;
  readonly #lastDeed: Statement;
  readonly #lastLook: Statement;

  /** @param dir the core's. @param key the store key. @throws StoreError `store.wrong_key` and as `openEncrypted`. */
  constructor(dir: string, key: Uint8Array) {
    this.#db = openEncrypted(join(dir, 'audit.db'), {
      subject: 'audit.db',
      key,
      schema: SCHEMA,
      mode: 'write',
      ifUnreadable: 'store.wrong_key',
    });
    this.#headPath = join(dir, 'audit.head');
    this.#chainKey = new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), 'vestibule-core-audit-1', 32));
    this.#lastDeed = this.#db.prepare('SELECT entry AS entries, hash FROM deed ORDER BY entry DESC LIMIT 1');
    this.#lastLook = this.#db.prepare('SELECT entry AS entries, hash FROM look ORDER BY entry DESC LIMIT 1');
  }

  /** Adds an entry. When this returns, a power cut cannot lose it. Processes that add at the same time wait for each other. @throws StoreError. */
  append(deed: Deed): AuditEntry {
    const added = inStore('audit.db', () =>
      this.#db
        .transaction(() => {
          const last = this.#last();
          const cut = {
            ...deed,
            who: deed.who.slice(0, 64),
            purpose: deed.purpose.slice(0, 200),
            about: deed.about.slice(0, 128),
            detail: deed.detail.slice(0, 256),
          };
          const entry = last.entries + 1;
          const hash = this.#hashOf({ ...cut, entry }, last.hash);
          const { atMs, who, role, purpose, action, about, outcome, rows, detail } = cut;
          this.#db
            .prepare('INSERT INTO deed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
            .run(entry, atMs, who, role, purpose, action, about, outcome, rows, detail, hash);
          return { ...cut, entry, hash };
        })
        .immediate(),
    );
    // After the commit: a crash between leaves a head that is one behind, never one that is ahead of the log.
    this.#writeHead();
    return added;
  }

  /** @returns at most `most` entries, newest first, older than `before`. */
  entries(most: number, before = Number.MAX_SAFE_INTEGER): AuditEntry[] {
    const read = <T>(columns: string, table: string, limit: number): T[] =>
      this.#db.prepare(`SELECT ${columns} FROM ${table} WHERE entry < ? ORDER BY entry DESC LIMIT ?`).all(before, limit) as T[];
    return inStore('audit.db', () => {
      const deeds = read<AuditEntry>(DEED, 'deed', most);
      return [...deeds, ...read<Look>(LOOK, 'look', most - deeds.length).map(entryOf)];
    });
  }

  /** How far the log goes. */
  head(): AuditHead {
    return inStore('audit.db', () => this.#last());
  }

  /**
   * Reads the whole log.
   * @param kept a head that was noted earlier and elsewhere: the log must hold that very entry.
   * @throws StoreError.
   */
  verify(kept?: AuditHead): AuditFinding {
    const told = this.#readHead();
    const heads = [told, kept].filter((head) => head !== undefined && head !== 'damaged').filter(({ entries }) => entries > 0);
    let before: string = NOTHING_BEFORE;
    let entries = 0;
    let deeds = 0;
    for (const { entry, hash, made, isDeed } of this.#chain(() => before)) {
      const isOther = heads.some((head) => head.entries === entry && !isSameHash(head.hash, hash));
      if (entry !== entries + 1 || !isSameHash(hash, made) || isOther) return { kind: 'broken', entry: entries + 1 };
      before = hash;
      entries += 1;
      if (isDeed) deeds += 1;
    }
    const expected = Math.max(0, ...heads.map((head) => head.entries));
    if (expected > entries) return { kind: 'cut', entries, expected };
    // A log of deeds has had a head since the first of them: one that is gone or damaged was not lost by a crash.
    if (told === 'damaged' || (deeds > 1 && told === undefined)) return { kind: 'cut', entries, expected: entries };
    return { kind: 'whole', head: { entries, hash: before } };
  }

  close(): void {
    inStore('audit.db', () => this.#db.close());
  }

  /** Every entry in its order, and what its hash has to be. @param before the hash of the one that came last. */
  *#chain(before: () => string): Generator<{ entry: number; hash: string; made: string; isDeed: boolean }> {
    for (const { hash, ...look } of this.#read<Look>(LOOK, 'look')) {
      const { entry, atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays } = look;
      const text = JSON.stringify([before(), entry, atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays]);
      yield { entry, hash, made: createHash('sha256').update(text).digest('hex'), isDeed: false };
    }
    for (const { hash, ...deed } of this.#read<AuditEntry>(DEED, 'deed'))
      yield { entry: deed.entry, hash, made: this.#hashOf(deed, before()), isDeed: true };
  }

  *#read<T extends { readonly entry: number }>(columns: string, table: string): Generator<T> {
    const sql = `SELECT ${columns} FROM ${table} WHERE entry > ? ORDER BY entry LIMIT ?`;
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const some = inStore('audit.db', () => this.#db.prepare(sql).all(after, READ_AT_ONCE) as T[]);
      yield* some;
      const last = some.at(-1);
      if (last === undefined) return;
      after = last.entry;
    }
  }

  #last(): AuditHead {
    return ((this.#lastDeed.get() ?? this.#lastLook.get()) as AuditHead | undefined) ?? NO_ENTRIES;
  }

  #hashOf({ entry, atMs, who, role, purpose, action, about, outcome, rows, detail }: Omit<AuditEntry, 'hash'>, before: string): string {
    return createHmac('sha256', this.#chainKey)
      .update(JSON.stringify([before, entry, atMs, who, role, purpose, action, about, outcome, rows, detail]))
      .digest('hex');
  }

  /** Under the log's own lock, so that of two processes the one that was later does not write the older head. */
  #writeHead(): void {
    inStore('audit.head', () =>
      this.#db
        .transaction(() => {
          const { entries, hash } = this.#last();
          const partial = `${this.#headPath}.partial`;
          const file = openSync(partial, 'w', 0o600);
          try {
            writeSync(file, `${entries} ${hash} ${this.#sealOf(entries, hash)}\n`);
            // A name that points to bytes not yet there would say, after a power cut, that somebody altered it.
            fsyncSync(file);
          } finally {
            closeSync(file);
          }
          renameSync(partial, this.#headPath);
        })
        .immediate(),
    );
  }

  #readHead(): AuditHead | 'damaged' | undefined {
    if (!existsSync(this.#headPath)) return undefined;
    const [, count, hash, seal] = HEAD.exec(inStore('audit.head', () => readFileSync(this.#headPath, 'latin1'))) ?? [];
    if (count === undefined || hash === undefined || seal === undefined) return 'damaged';
    const entries = Number(count);
    return isSameHash(seal, this.#sealOf(entries, hash)) ? { entries, hash } : 'damaged';
  }

  #sealOf(entries: number, hash: string): string {
    return createHmac('sha256', this.#chainKey)
      .update(JSON.stringify(['head', entries, hash]))
      .digest('hex');
  }
}

/** @throws StoreError `store.altered` unless the log is whole. @returns its head. */
export function refuseAlteredAudit(finding: AuditFinding): AuditHead {
  if (finding.kind === 'whole') return finding.head;
  const what =
    finding.kind === 'broken'
      ? `entry ${finding.entry} does not follow from those before it`
      : `${finding.entries} entries of ${finding.expected}, or the file that says how many is gone or altered`;
  throw new StoreError('store.altered', `the core's audit: ${what}`);
}

function entryOf({ entry, atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays, hash }: Look): AuditEntry {
  const detail = `minimumOverlapMs=${minimumOverlapMs} unreadableDays=${unreadableDays}`;
  return {
    entry,
    atMs,
    who,
    role: 'operator',
    purpose,
    action: `look.${question}`,
    about: '',
    outcome: 'done',
    rows: contacts,
    detail,
    hash,
  };
}

const isSameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
