/**
 * The memory of what was seen, in the transaction of the ledger: of each epoch and content key the sequence numbers with the digests
 * of their rows, 64 to a window, so that a batch reads and writes one or two lines of a table and not one for each of its rows.
 * What a transaction changed is written at its end, by `flush`.
 */
import type { Epoch, KeyId, KioskId } from '../protocol/ids.ts';
import type { Db } from './database.ts';
import { SpanTails } from './spans.ts';

export const WINDOW_SIZE = 64;
/**
 * Of each digest: nobody finds a second row to the first 96 bits of another's SHA-256, and a window of 64 stays below the 1,000 bytes or
 * so from which on SQLite would take a page more.
 */
const KEPT_DIGEST_BYTES = 12;
const ENTRY_BYTES = 1 + KEPT_DIGEST_BYTES;
const PLACES_AT = WINDOW_SIZE * ENTRY_BYTES;
/** Windows, epochs and keys held from one transaction to the next: a kiosk's next batch belongs to the last window of the one before. */
const MOST_HELD = 10_000;

/** Of one kiosk within the time that what was seen is remembered. A kiosk makes one with each new outbox. */
const MOST_EPOCHS = 256;

export type Seen = 'new' | 'cloned' | 'duplicate' | 'conflict';

interface Window {
  readonly epochNo: number;
  readonly window: number;
  /** By content key. */
  readonly keys: Map<number, KeyWindow>;
}

interface KeyWindow {
  /** Of its line in the table; `undefined` until it has one. */
  no: number | undefined;
  readonly entries: Entries;
  day: number;
  isChanged: boolean;
}

export class SeenRows {
  readonly #db: Db;
  readonly #spans: SpanTails;
  #windows = new Map<string, Window>();
  /** Rows of a batch follow each other. */
  #last: Window | undefined;
  readonly #changed = new Set<Window>();
  readonly #epochNos = new Map<string, number>();
  readonly #keyNos = new Map<string, { readonly keyNo: number; readonly epochNo: number }>();

  constructor(db: Db) {
    this.#db = db;
    this.#spans = new SpanTails(db);
  }

  /** @returns false for an epoch that did not come before, of a kiosk that has as many as one may have. */
  hasRoomFor(kiosk: KioskId, epoch: Epoch): boolean {
    if (this.#epochNos.has(nameOf(kiosk, epoch))) return true;
    const find = 'SELECT count(*) FROM epochs WHERE kiosk = ? AND epoch <> ?';
    return Number(this.#db.prepare(find).pluck().get(kiosk, epoch)) < MOST_EPOCHS;
  }

  epochNo(kiosk: KioskId, epoch: Epoch): number {
    const name = nameOf(kiosk, epoch);
    const known = this.#epochNos.get(name);
    if (known !== undefined) return known;
    const find = 'SELECT epoch_no FROM epochs WHERE kiosk = ? AND epoch = ?';
    const found = this.#db.prepare(find).pluck().get(kiosk, epoch) as number | undefined;
    const insert = 'INSERT INTO epochs (kiosk, epoch) VALUES (?, ?)';
    const no = found ?? Number(this.#db.prepare(insert).run(kiosk, epoch).lastInsertRowid);
    this.#epochNos.set(name, no);
    return no;
  }

  /** @returns the number of a content key; `undefined` when its id came with another epoch before. */
  keyNo(kiosk: KioskId, keyId: KeyId, epochNo: number): number | undefined {
    const name = nameOf(kiosk, keyId);
    let key = this.#keyNos.get(name);
    if (key === undefined) {
      const find = 'SELECT key_no AS keyNo, epoch_no AS epochNo FROM content_keys WHERE kiosk = ? AND key_id = ?';
      const insert = 'INSERT INTO content_keys (kiosk, key_id, epoch_no) VALUES (?, ?, ?)';
      const found = this.#db.prepare(find).get(kiosk, keyId) as { keyNo: number; epochNo: number } | undefined;
      key = found ?? { keyNo: Number(this.#db.prepare(insert).run(kiosk, keyId, epochNo).lastInsertRowid), epochNo };
      this.#keyNos.set(name, key);
    }
    return key.epochNo === epochNo ? key.keyNo : undefined;
  }

  /** Looks a row up and, when it is not there, remembers it. @param digest as `digestTextOf` gives it. @param day of its receipt, since 1970. */
  stand(epochNo: number, keyNo: number, seq: number, digest: string, day: number): Seen {
    const window = this.#window(epochNo, Math.floor(seq / WINDOW_SIZE));
    const offset = seq % WINDOW_SIZE;
    let own = window.keys.get(keyNo);
    if (own?.entries.has(offset)) return own.entries.isSame(offset, digest) ? 'duplicate' : 'conflict';
    if (own === undefined) {
      own = { no: undefined, entries: new Entries(), day, isChanged: true };
      window.keys.set(keyNo, own);
    }
    own.entries.add(offset, digest);
    own.day = Math.max(own.day, day);
    own.isChanged = true;
    this.#changed.add(window);
    if (window.keys.size > 1) for (const [other, { entries }] of window.keys) if (other !== keyNo && entries.has(offset)) return 'cloned';
    return 'new';
  }

  /** Notes that these sequence numbers came, legible or not. @param seqs strictly ascending. */
  arrived(epochNo: number, seqs: readonly number[]): void {
    this.#spans.add(epochNo, seqs);
  }

  /** Writes what was changed. To be called before each commit, and before a step that can fail alone. */
  flush(): void {
    for (const window of this.#changed) this.#write(window);
    this.#changed.clear();
    this.#spans.flush();
    if (this.#windows.size > MOST_HELD) this.#windows = new Map([...this.#windows].slice(-MOST_HELD / 2));
    for (const numbers of [this.#epochNos, this.#keyNos]) if (numbers.size > MOST_HELD) numbers.clear();
  }

  /** Forgets what is held, which may not be what the table says: after a rollback, and after somebody else wrote there. */
  forget(): void {
    this.#windows.clear();
    this.#last = undefined;
    this.#changed.clear();
    this.#epochNos.clear();
    this.#keyNos.clear();
    this.#spans.forget();
  }

  #window(epochNo: number, window: number): Window {
    if (this.#last?.window === window && this.#last.epochNo === epochNo) return this.#last;
    this.#last = this.#held(epochNo, window);
    return this.#last;
  }

  #held(epochNo: number, window: number): Window {
    const name = `${epochNo} ${window}`;
    const held = this.#windows.get(name);
    if (held !== undefined) return held;
    const keys = new Map<number, KeyWindow>();
    // Past the last that came there is nothing to be looked up.
    if (window * WINDOW_SIZE <= this.#spans.lastOf(epochNo)) {
      const find = 'SELECT no, key_no, day, entries FROM seen_windows WHERE epoch_no = ? AND window = ?';
      for (const row of this.#db.prepare(find).all(epochNo, window) as { no: number; key_no: number; day: number; entries: Buffer }[])
        keys.set(row.key_no, { no: row.no, entries: new Entries(row.entries), day: row.day, isChanged: false });
    }
    const made = { epochNo, window, keys };
    this.#windows.set(name, made);
    return made;
  }

  #write({ epochNo, window, keys }: Window): void {
    for (const [keyNo, own] of keys) {
      if (!own.isChanged) continue;
      const entries = own.entries.stored;
      if (own.no !== undefined) this.#db.prepare('UPDATE seen_windows SET day = ?, entries = ? WHERE no = ?').run(own.day, entries, own.no);
      else {
        const insert = 'INSERT INTO seen_windows (epoch_no, window, key_no, day, entries) VALUES (?, ?, ?, ?, ?)';
        own.no = Number(this.#db.prepare(insert).run(epochNo, window, keyNo, own.day, entries).lastInsertRowid);
      }
      own.isChanged = false;
    }
  }
}

const nameOf = (kiosk: KioskId, id: Uint8Array): string => `${kiosk} ${Buffer.from(id).toString('latin1')}`;

/**
 * What came of one content key in one window, as it lies in the table: for each row its offset, a byte, and the beginning of its digest.
 * Bytes, because a gateway holds thousands of windows, and an object for each row of them keeps the collector busy; of their own, because what
 * is held long would keep all of Node's pool that it was cut from, 64 KiB each.
 */
class Entries {
  /** Behind the entries, for each offset the place of its entry, from 1 on. */
  readonly #bytes = Buffer.allocUnsafeSlow(PLACES_AT + WINDOW_SIZE).fill(0, PLACES_AT);
  #count = 0;

  constructor(stored: Uint8Array = new Uint8Array()) {
    this.#bytes.set(stored.subarray(0, PLACES_AT));
    for (const offset of offsetsOf(stored)) this.#place(offset);
  }

  has(offset: number): boolean {
    return this.#bytes[PLACES_AT + offset] !== 0;
  }

  /** Whether the row that came under this offset had this digest. */
  isSame(offset: number, digest: string): boolean {
    const at = ((this.#bytes[PLACES_AT + offset] ?? 0) - 1) * ENTRY_BYTES + 1;
    return this.#bytes.toString('latin1', at, at + KEPT_DIGEST_BYTES) === digest.slice(0, KEPT_DIGEST_BYTES);
  }

  /** @param offset of which nothing came. @param digest a character for each byte. */
  add(offset: number, digest: string): void {
    const at = this.#count * ENTRY_BYTES;
    this.#bytes[at] = offset;
    this.#bytes.write(digest, at + 1, KEPT_DIGEST_BYTES, 'latin1');
    this.#place(offset);
  }

  get stored(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * ENTRY_BYTES);
  }

  #place(offset: number): void {
    this.#count += 1;
    this.#bytes[PLACES_AT + offset] = this.#count;
  }
}

/** @returns which rows of a window entries are of, by their offsets in it. */
export function offsetsOf(stored: Uint8Array): number[] {
  const offsets: number[] = [];
  for (let at = 0; at < stored.length; at += ENTRY_BYTES) offsets.push(stored[at] ?? 0);
  return offsets;
}
