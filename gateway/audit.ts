/**
 * The audit log: every action and every look by a person, in the order they came, in audit.db (encrypted) and chained (disk/audit-chain.ts).
 *
 * Whoever has the store key and the directory could write everything anew. Against that the head is told in the gateway's
 * metrics and by `vestibule audit verify`: one kept elsewhere proves that what came before it is as it was.
 */
import { AuditChain, type AuditFinding, type AuditHead, type Link, NO_ENTRIES } from '../disk/audit-chain.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, openDatabase, translating } from './database.ts';

/** One thing that a person did or looked at. Kiosks, venues, counts and codes; never a visitor. */
export interface Deed {
  readonly atMs: EpochMillis;
  /** An operator's account, or the operating system's user where the command line was used. */
  readonly who: string;
  readonly via: 'web' | 'command-line' | 'mqtt';
  /** Such as `kiosk.revoke` or `look.overview`; 1 to 64 of a-z, dots and dashes. */
  readonly action: string;
  /** A kiosk, a venue, an account or a number; empty for the whole gateway. At most 128 characters. */
  readonly about: string;
  /** A code or count that says how it went; empty for nothing to say. At most 256 characters. */
  readonly detail: string;
}

export interface AuditEntry extends Deed {
  /** 1 for the first; one more for each. */
  readonly entry: number;
  /** Hexadecimal, 64 characters. */
  readonly hash: string;
}

const STEPS = [
  `CREATE TABLE deeds (
     entry INTEGER PRIMARY KEY,
     at_ms INTEGER NOT NULL,
     who TEXT NOT NULL,
     via TEXT NOT NULL,
     action TEXT NOT NULL,
     about TEXT NOT NULL,
     detail TEXT NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;
   -- A slip of a program of ours; whoever has the key can take these away, and the chain shows it.
   CREATE TRIGGER deeds_stay BEFORE UPDATE ON deeds BEGIN SELECT RAISE(ABORT, 'append only'); END;
   CREATE TRIGGER deeds_stay_whole BEFORE DELETE ON deeds BEGIN SELECT RAISE(ABORT, 'append only'); END;`,
];

const COLUMNS = 'entry, at_ms AS atMs, who, via, action, about, detail, hash';
const READ_AT_ONCE = 1_000;

interface Noted {
  readonly deed: Deed;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class AuditLog {
  readonly #db: Db;
  readonly #chain: AuditChain;
  #noted: Noted[] = [];

  /** @param paths.log the database. @param paths.head the second file. @param key the identity's storeKey. @throws StoreError as openDatabase does. */
  constructor(paths: { readonly log: string; readonly head: string }, key: Uint8Array) {
    this.#db = openDatabase({ path: paths.log, key, steps: STEPS });
    this.#chain = new AuditChain(key, 'vestibule-audit-1', paths.head);
  }

  /** Adds a deed. When this returns, a power cut cannot lose it. Processes that add at the same time wait for each other. @throws StoreError. */
  append(deed: Deed): AuditEntry {
    const added = translating('audit', () => this.#db.transact(() => this.#add(deed)));
    // After the commit: a crash between leaves a head that is one behind, never one that is ahead of the log.
    this.#writeHead();
    return added;
  }

  /**
   * As append, at the end of this turn of the event loop: all that one turn brings is one commit. Whoever looks is answered when it resolves,
   * not before. @throws StoreError.
   */
  note(deed: Deed): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#noted.push({ deed, resolve, reject }) === 1) setImmediate(() => this.#writeNoted());
    });
  }

  #writeNoted(): void {
    const noted = this.#noted;
    this.#noted = [];
    try {
      translating('audit', () =>
        this.#db.transact(() => {
          for (const { deed } of noted) this.#add(deed);
        }),
      );
      this.#writeHead();
    } catch (error) {
      for (const { reject } of noted) reject(error);
      return;
    }
    for (const { resolve } of noted) resolve();
  }

  #add(deed: Deed): AuditEntry {
    const last = this.#last();
    const entry = last.entries + 1;
    const { atMs, who, via, action } = deed;
    const about = deed.about.slice(0, 128);
    const detail = deed.detail.slice(0, 256);
    const hash = this.#hashOf({ entry, atMs, who, via, action, about, detail }, last.hash);
    this.#db.prepare('INSERT INTO deeds VALUES (?, ?, ?, ?, ?, ?, ?, ?)').run(entry, atMs, who, via, action, about, detail, hash);
    return { entry, atMs, who, via, action, about, detail, hash };
  }

  /** @returns at most `most` entries, newest first, older than `before`. */
  entries(most: number, before = Number.MAX_SAFE_INTEGER): AuditEntry[] {
    return translating('audit', () =>
      this.#db.prepare(`SELECT ${COLUMNS} FROM deeds WHERE entry < ? ORDER BY entry DESC LIMIT ?`).all(before, most),
    ) as AuditEntry[];
  }

  /** How far the log goes. */
  head(): AuditHead {
    return translating('audit', () => this.#last());
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
    this.#db.close();
  }

  #last(): AuditHead {
    const last = this.#db.prepare('SELECT entry AS entries, hash FROM deeds ORDER BY entry DESC LIMIT 1').get() as AuditHead | undefined;
    return last ?? NO_ENTRIES;
  }

  #after(entry: number): AuditEntry[] {
    return translating('audit', () =>
      this.#db.prepare(`SELECT ${COLUMNS} FROM deeds WHERE entry > ? ORDER BY entry LIMIT ?`).all(entry, READ_AT_ONCE),
    ) as AuditEntry[];
  }

  *#links(): Generator<Link> {
    for (let after = 0; ; ) {
      const some = this.#after(after);
      for (const { hash, ...deed } of some)
        yield { entry: deed.entry, hash, hashAfter: (before) => this.#hashOf(deed, before), hasHead: true };
      const last = some.at(-1);
      if (last === undefined) return;
      after = last.entry;
    }
  }

  #hashOf({ entry, atMs, who, via, action, about, detail }: Omit<AuditEntry, 'hash'>, before: string): string {
    return this.#chain.hashOf([before, entry, atMs, who, via, action, about, detail]);
  }

  /** Under the log's own lock, so that of two processes the one that was later does not write the older head. */
  #writeHead(): void {
    translating('audit', () => this.#db.transactUnsynced(() => this.#chain.writeHead(this.#last())));
  }
}
