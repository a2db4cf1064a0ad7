/**
 * Takes the rows of cards that were taken back out of the ledger: every row is opened, because nothing in the ledger says whose it is. Works in
 * small steps between which kiosks are served. What a batch's kiosk signed still verifies over the rows that stay; an entry that loses all
 * of its rows stays in its place without any.
 */
import { decodeBatch, listOf, type MatchedRow, matchRows } from '../../protocol/batch.ts';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { codeOf } from '../../protocol/errors.ts';
import { decodeEvent } from '../../protocol/event-codec.ts';
import type { DeploymentId, KeyId, KioskId, Seq, VisitorUuid } from '../../protocol/ids.ts';
import { type Holder, openContentKey, verifyKeyRecord } from '../../protocol/key-record.ts';
import type { BatchEntry, RowIdentity } from '../../protocol/ledger-entry.ts';
import { digestTextOf, RowOpener } from '../../protocol/row.ts';
import type { Clock } from '../../protocol/time.ts';
import { type Db, emptyLog } from '../database.ts';
import type { Ledger } from '../ledger.ts';
import type { KeptBatch } from '../segment.ts';

export interface LedgerEraserDoors {
  readonly ledger: Ledger;
  /** The ledger's index. */
  readonly db: Db;
  readonly deployment: DeploymentId;
  /** The gateway as a recipient. */
  readonly holders: readonly Holder[];
  /** Raw Ed25519, 32 bytes; `undefined` for a kiosk that is not known. */
  readonly publicKeyOf: (kiosk: KioskId) => Uint8Array | undefined;
  readonly clock: Clock;
  /** Resolves when nobody is moving a write-ahead log, which could not be emptied then; left out where nobody does. */
  readonly whenLogsRest?: () => Promise<void>;
}

/** A step ends after so long, and the event loop has its turn. */
const STEP_MS = 5;
const ENTRIES_AT_ONCE = 16;
const BYTES_AT_ONCE = 262_144;
const MOST_OPEN_KEYS = 256;

interface OpenKey {
  readonly keyId: KeyId;
  readonly opener: RowOpener;
}

interface QuarantineRow {
  no: number;
  kiosk: KioskId;
  seq: Seq | null;
  key_record: Uint8Array | null;
  content: Uint8Array;
}

export class LedgerEraser {
  readonly #doors: LedgerEraserDoors;
  /** By the digest of the record; `undefined` for one that does not open. */
  #keys = new Map<string, OpenKey | undefined>();
  #turnEndsMs = 0;

  constructor(doors: LedgerEraserDoors) {
    this.#doors = doors;
  }

  /**
   * Searches the whole ledger. When it resolves nothing of those cards is in its files. @param onGoing told of rows before they are taken out of
   * entries; what it throws keeps them there. @returns how many rows it took out.
   * @throws StoreError `store.busy` while somebody else reads a file, and others; all is to be done again then, which changes nothing.
   */
  async erase(
    isSought: (card: VisitorUuid) => boolean,
    signal: AbortSignal,
    onGoing: (rows: readonly RowIdentity[]) => void = () => {},
  ): Promise<number | undefined> {
    this.#keys = new Map();
    const { ledger, db } = this.#doors;
    let position = 0;
    let rows = 0;
    for (;;) {
      const entries = ledger.keptAfter(position, ENTRIES_AT_ONCE, BYTES_AT_ONCE);
      const last = entries.at(-1);
      if (last === undefined) break;
      for (const kept of entries) {
        rows += await this.#eraseFrom(kept, isSought, onGoing);
        await this.#turn();
        if (signal.aborted) return undefined;
      }
      position = last.entry.position;
    }
    rows += await this.#eraseQuarantine(isSought);
    await this.#doors.whenLogsRest?.();
    ledger.segments.emptyLogs();
    emptyLog(db, 'ledger');
    this.#keys = new Map();
    return rows;
  }

  async #eraseFrom(
    { entry, readings }: KeptBatch,
    isSought: (card: VisitorUuid) => boolean,
    onGoing: (rows: readonly RowIdentity[]) => void,
  ): Promise<number> {
    if (entry.kind !== 'batch' || entry.rows.length === 0) return 0;
    const key = await this.#keyOf(entry.kiosk, entry.keyRecord, entry.kioskPublicKey);
    if (key === undefined) return 0;
    const sought = matchRows(listOf(entry.sign1).listed, entry.rows).filter((row) => isOf(key, row, isSought));
    if (sought.length === 0) return 0;
    onGoing(sought.map(({ seq }) => ({ kiosk: entry.kiosk, keyId: key.keyId, seq })));
    this.#take(entry, key.keyId, sought, readings);
    return sought.length;
  }

  #take(entry: BatchEntry, keyId: KeyId, sought: readonly MatchedRow[], readings: KeptBatch['readings']): void {
    const { ledger, db } = this.#doors;
    const gone = new Set(sought.map(({ row }) => row));
    const seqs = new Set(sought.map(({ seq }) => seq));
    const left = readings.filter(({ seq }) => !seqs.has(seq));
    ledger.replaceRows(
      entry.position,
      entry.rows.filter((row) => !gone.has(row)),
      left,
    );
    db.transact(() => {
      for (const { seq } of sought) {
        const place = [entry.kiosk, keyId, seq] as const;
        db.prepare('DELETE FROM flags WHERE kiosk = ? AND of_key_id = ? AND of_seq = ?').run(...place);
        db.prepare('DELETE FROM flags WHERE kiosk = ? AND reading_key_id = ? AND reading_seq = ?').run(...place);
        db.prepare('DELETE FROM readings WHERE kiosk = ? AND of_key_id = ? AND of_seq = ?').run(...place);
        db.prepare('DELETE FROM readings WHERE kiosk = ? AND key_id = ? AND seq = ?').run(...place);
      }
    });
  }

  /** What is wrong in itself may still be somebody's: a single row, or a whole message with such a row in it. */
  async #eraseQuarantine(isSought: (card: VisitorUuid) => boolean): Promise<number> {
    const { db } = this.#doors;
    const next = 'SELECT no, kiosk, seq, key_record, content FROM quarantine WHERE no > ? ORDER BY no LIMIT 1';
    let rows = 0;
    let item = db.prepare(next).get(0) as QuarantineRow | undefined;
    while (item !== undefined) {
      const isGone = await this.#isOfSought(item, isSought);
      if (isGone) {
        db.prepare('DELETE FROM quarantine WHERE no = ?').run(item.no);
        rows += 1;
      }
      await this.#turn();
      item = db.prepare(next).get(item.no) as QuarantineRow | undefined;
    }
    return rows;
  }

  async #isOfSought({ kiosk, seq, key_record, content }: QuarantineRow, isSought: (card: VisitorUuid) => boolean): Promise<boolean> {
    const publicKey = this.#doors.publicKeyOf(kiosk);
    if (publicKey === undefined) return false;
    try {
      if (seq !== null && key_record !== null) {
        const key = await this.#keyOf(kiosk, key_record, publicKey);
        return key !== undefined && isOf(key, { seq, row: content }, isSought);
      }
      const { keyRecord, sign1, rows } = decodeBatch(content);
      const key = await this.#keyOf(kiosk, keyRecord, publicKey);
      const numbers = listOf(sign1).listed.map((listed) => listed.seq);
      return key !== undefined && rows.some((row) => numbers.some((number) => isOf(key, { seq: number, row }, isSought)));
    } catch (error) {
      // Wrong in itself: what nobody can open is nobody's.
      if (codeOf(error) === undefined) throw error;
      return false;
    }
  }

  async #keyOf(kiosk: KioskId, keyRecord: Uint8Array, publicKey: Uint8Array): Promise<OpenKey | undefined> {
    const name = `${kiosk} ${digestTextOf(keyRecord)}`;
    if (this.#keys.has(name)) return this.#keys.get(name);
    if (this.#keys.size >= MOST_OPEN_KEYS) this.#keys.clear();
    const key = await this.#openKey(kiosk, keyRecord, publicKey);
    this.#keys.set(name, key);
    return key;
  }

  /** @returns `undefined` for what is sealed for others, or under a key that was destroyed. */
  async #openKey(kiosk: KioskId, keyRecord: Uint8Array, publicKey: Uint8Array): Promise<OpenKey | undefined> {
    const { deployment, holders } = this.#doors;
    const place = { deployment, kiosk };
    try {
      const record = verifyKeyRecord(keyRecord, { ...place, publicKey: publicKeyFromRaw(publicKey) });
      const { epoch, keyId } = record;
      return { keyId, opener: new RowOpener({ ...place, epoch, keyId }, await openContentKey(record, place, holders)) };
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }

  async #turn(): Promise<void> {
    const { clock } = this.#doors;
    if (clock.monotonic() < this.#turnEndsMs) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#turnEndsMs = clock.monotonic() + STEP_MS;
  }
}

function isOf({ opener }: OpenKey, { seq, row }: Pick<MatchedRow, 'seq' | 'row'>, isSought: (card: VisitorUuid) => boolean): boolean {
  try {
    const event = decodeEvent(opener.open(row, seq));
    return 'card' in event && isSought(event.card);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}
