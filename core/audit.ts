/**
 * The audit log: every look and every deed at the core, and each that was refused, in audit.db, encrypted under the store key and chained
 * (disk/audit-chain.ts).
 *
 * Whoever holds the store key could write all of it anew: the head is told by `vestibule audit verify`, and one that was noted elsewhere
 * proves that what came before it is as it was.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AuditChain, type AuditFinding, type AuditHead, type Link, NO_ENTRIES } from '../disk/audit-chain.ts';
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
  readonly #chain: AuditChain;
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
    this.#chain = new AuditChain(key, 'vestibule-core-audit-1', join(dir, 'audit.head'));
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
    return this.#chain.verify(this.#links(), kept);
  }

  close(): void {
    inStore('audit.db', () => this.#db.close());
  }

  *#links(): Generator<Link> {
    for (const { hash, ...look } of this.#read<Look>(LOOK, 'look')) {
      const { entry, atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays } = look;
      const after = (before: string): string =>
        createHash('sha256')
          .update(JSON.stringify([before, entry, atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays]))
          .digest('hex');
      yield { entry, hash, hashAfter: after, hasHead: false };
    }
    for (const { hash, ...deed } of this.#read<AuditEntry>(DEED, 'deed'))
      yield { entry: deed.entry, hash, hashAfter: (before) => this.#hashOf(deed, before), hasHead: true };
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
    return this.#chain.hashOf([before, entry, atMs, who, role, purpose, action, about, outcome, rows, detail]);
  }

  /** Under the log's own lock, so that of two processes the one that was later does not write the older head. */
  #writeHead(): void {
    inStore('audit.head', () => this.#db.transaction(() => this.#chain.writeHead(this.#last())).immediate());
  }
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
