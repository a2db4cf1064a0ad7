/**
 * The audit log: every action and every look by a person, in the order they came, in audit.db (encrypted). Each entry is bound to
 * the one before by HMAC-SHA-256 under a key made from the store key, so that one that was changed, put in, taken out or moved
 * shows. How far the log goes lies in a second file, `audit.head`, so that an end that was cut off shows too.
 *
 * Whoever has the store key and the directory could write everything anew. Against that the head is told in the gateway's
 * metrics and by `vestibule audit verify`: one kept elsewhere proves that what came before it is as it was.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { StoreError } from '../protocol/errors.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, openDatabase, translating } from './database.ts';
import { replaceFile } from './key-files.ts';

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
  /** The log once went further than it goes. */
  | { readonly kind: 'cut'; readonly entries: number; readonly expected: number };

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
/** What the first entry follows. */
const NOTHING_BEFORE = '0'.repeat(64);
const NO_ENTRIES: AuditHead = { entries: 0, hash: NOTHING_BEFORE };
const HEAD = /^(\d{1,15}) ([0-9a-f]{64}) ([0-9a-f]{64})\n$/;
const READ_AT_ONCE = 1_000;

interface Noted {
  readonly deed: Deed;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class AuditLog {
  readonly #db: Db;
  readonly #headPath: string;
  readonly #chainKey: Uint8Array;
  #noted: Noted[] = [];

  /** @param paths.log the database. @param paths.head the second file. @param key the identity's storeKey. @throws StoreError as openDatabase does. */
  constructor(paths: { readonly log: string; readonly head: string }, key: Uint8Array) {
    this.#db = openDatabase({ path: paths.log, key, steps: STEPS });
    this.#headPath = paths.head;
    this.#chainKey = new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), 'vestibule-audit-1', 32));
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
    const heads = [this.#readHead(), kept].filter((head) => head !== undefined && head !== 'damaged').filter(({ entries }) => entries > 0);
    let before: string = NOTHING_BEFORE;
    let entries = 0;
    for (;;) {
      const some = this.#after(entries);
      for (const { hash, ...deed } of some) {
        const isNext = deed.entry === entries + 1 && isSameHash(hash, this.#hashOf(deed, before));
        if (!isNext || heads.some((head) => head.entries === deed.entry && !isSameHash(head.hash, hash)))
          return { kind: 'broken', entry: entries + 1 };
        before = hash;
        entries += 1;
      }
      if (some.length === 0) break;
    }
    const expected = Math.max(0, ...heads.map((head) => head.entries));
    // A log that has entries has had a head since the first of them: one that is gone or damaged was not lost by a crash.
    if (expected > entries) return { kind: 'cut', entries, expected };
    if (this.#readHead() === 'damaged' || (entries > 1 && this.#readHead() === undefined))
      return { kind: 'cut', entries, expected: entries };
    return { kind: 'whole', head: { entries, hash: before } };
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

  #hashOf({ entry, atMs, who, via, action, about, detail }: Omit<AuditEntry, 'hash'>, before: string): string {
    return createHmac('sha256', this.#chainKey)
      .update(JSON.stringify([before, entry, atMs, who, via, action, about, detail]))
      .digest('hex');
  }

  /** Under the log's own lock, so that of two processes the one that was later does not write the older head. */
  #writeHead(): void {
    translating('audit', () =>
      this.#db.transactUnsynced(() => {
        const { entries, hash } = this.#last();
        replaceFile(this.#headPath, Buffer.from(`${entries} ${hash} ${this.#sealOf(entries, hash)}\n`), 0o600);
      }),
    );
  }

  #readHead(): AuditHead | 'damaged' | undefined {
    if (!existsSync(this.#headPath)) return undefined;
    const [, count, hash, seal] = HEAD.exec(readFileSync(this.#headPath, 'latin1')) ?? [];
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

/** @param text as `vestibule audit verify` prints it: `<entries>:<hash>`. @returns `undefined` for another text. */
export function parseHead(text: string): AuditHead | undefined {
  const [, entries, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  return entries === undefined || hash === undefined ? undefined : { entries: Number(entries), hash };
}

/** @throws StoreError `store.altered` unless the log is whole. @returns its head. */
export function refuseAltered(finding: AuditFinding): AuditHead {
  switch (finding.kind) {
    case 'whole':
      return finding.head;
    case 'broken':
      throw new StoreError('store.altered', `audit: entry ${finding.entry} does not follow from those before it`);
    case 'cut':
      throw new StoreError(
        'store.altered',
        `audit: ${finding.entries} entries of ${finding.expected}, or the file that says how many is gone or altered`,
      );
  }
}

const isSameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
