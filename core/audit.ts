/**
 * The audit log: every look that a person took, in audit.db, encrypted under the store key. Each entry holds the hash of the one
 * before, so that one changed, taken out or put in shows. Whoever holds the store key could write the whole chain anew: the last hash is
 * given out with each answer, and a copy of it elsewhere is what proves that this was not done.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Db, inStore, openEncrypted } from './sqlite.ts';

/** A look, by whom and what for: counts, and never who was looked for or found. */
export interface Look {
  readonly atMs: number;
  /** The operating system's user. */
  readonly who: string;
  readonly purpose: string;
  readonly question: 'overlaps';
  readonly minimumOverlapMs: number;
  readonly contacts: number;
  readonly unreadableDays: number;
}

export interface AuditEntry extends Look {
  /** 1 for the first; one more for each. */
  readonly entry: number;
  /** SHA-256 of the entry and of the hash before it, hexadecimal. */
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
] as const;

const COLUMNS = `entry, at_ms AS atMs, who, purpose, question, minimum_overlap_ms AS minimumOverlapMs, contacts,
  unreadable_days AS unreadableDays, hash`;

/** What the first entry follows. */
const NOTHING_BEFORE = '0'.repeat(64);

export class AuditLog {
  readonly #db: Db;

  /** @param dir the core's. @param key the store key. @throws StoreError `store.wrong_key` and as `openEncrypted`. */
  constructor(dir: string, key: Uint8Array) {
    this.#db = openEncrypted(join(dir, 'audit.db'), {
      subject: 'audit.db',
      key,
      schema: SCHEMA,
      mode: 'write',
      ifUnreadable: 'store.wrong_key',
    });
  }

  /** Adds a look. When this returns, a power cut cannot lose it. Processes that add at the same time wait for each other. */
  append(look: Look): AuditEntry {
    return inStore('audit.db', () =>
      this.#db
        .transaction(() => {
          const last = this.#db.prepare(`SELECT ${COLUMNS} FROM look ORDER BY entry DESC LIMIT 1`).get() as AuditEntry | undefined;
          const entry = (last?.entry ?? 0) + 1;
          const added = { ...look, entry, hash: hashOf(entry, look, last?.hash ?? NOTHING_BEFORE) };
          const { atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays, hash } = added;
          this.#db
            .prepare('INSERT INTO look VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
            .run(entry, atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays, hash);
          return added;
        })
        .immediate(),
    );
  }

  /** Every entry, oldest first. */
  entries(): AuditEntry[] {
    return inStore('audit.db', () => this.#db.prepare(`SELECT ${COLUMNS} FROM look ORDER BY entry`).all() as AuditEntry[]);
  }

  /** @returns the number of the first entry that does not follow from those before it; `undefined` when all do. */
  firstBroken(): number | undefined {
    let before = NOTHING_BEFORE;
    let expected = 1;
    for (const look of this.entries()) {
      if (look.hash !== hashOf(look.entry, look, before)) return expected;
      before = look.hash;
      expected += 1;
    }
    return undefined;
  }

  close(): void {
    inStore('audit.db', () => this.#db.close());
  }
}

function hashOf(entry: number, look: Look, before: string): string {
  const { atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays } = look;
  const text = JSON.stringify([before, entry, atMs, who, purpose, question, minimumOverlapMs, contacts, unreadableDays]);
  return createHash('sha256').update(text).digest('hex');
}
