/**
 * The append-only log of rows as they came, once each, and of flags; sinks read it by position. Everything here runs inside the
 * transaction that its caller opens with `transact`, so that rows, memory of what was seen, quarantine and flags stand or fall together.
 */
import type { FlagEntry, LedgerEntry, Placement } from '../core/intake.ts';
import { IngestError } from '../protocol/errors.ts';
import type { Epoch, KeyId, KioskId, Seq } from '../protocol/ids.ts';
import { digestOf } from '../protocol/row.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, openDatabase, translating } from './database.ts';
import { LEDGER_STEPS } from './ledger-schema.ts';
import { addToSpans } from './spans.ts';

export const DAY_MS = 86_400_000;

export interface ArrivedRow {
  readonly seq: Seq;
  readonly row: Uint8Array;
  /** SHA-256 of the row, as `digestTextOf` gives it. */
  readonly digest: string;
}

export interface ArrivedBatch {
  readonly kiosk: KioskId;
  readonly kioskPublicKey: Uint8Array;
  readonly placement: Placement;
  readonly topic: string;
  readonly keyRecord: Uint8Array;
  readonly epoch: Epoch;
  readonly keyId: KeyId;
  readonly sign1: Uint8Array;
  readonly receivedAtMs: EpochMillis;
}

/** `cloned`: new, but its sequence number came under another content key of the same epoch as well. Kept and forwarded like `new`. */
export type Standing = 'new' | 'cloned' | 'duplicate' | 'conflict';

/** @param key the identity's storeKey. @throws StoreError as openDatabase does. */
export const openLedgerFile = (path: string, key: Uint8Array, isReadOnly = false): Db =>
  openDatabase({ path, key, steps: LEDGER_STEPS, isReadOnly });

export class Ledger {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /**
   * Runs `work` and commits what it wrote; when this returns, a power cut cannot lose it. Nothing is kept when `work` throws.
   * Inside another `transact` it is a step of that one which can fail alone.
   * @throws StoreError when the store can not keep it now, and whatever `work` throws.
   */
  transact<T>(work: () => T): T {
    return translating('ledger', () => this.#db.transact(work));
  }

  /**
   * Looks up each row by its identity (kiosk, key id, sequence number) and digest, and remembers those not seen before.
   * Rows come in ascending order; those that `isLegible` refuses count as arrived but are not remembered, so that a whole one in their place is taken.
   * @throws IngestError `ingest.conflict` when the key id came with another epoch before.
   */
  stand(batch: ArrivedBatch, rows: readonly ArrivedRow[], isLegible: (row: ArrivedRow) => boolean): Map<Seq, Standing> {
    const epochNo = this.#epochNo(batch.kiosk, batch.epoch);
    const keyNo = this.#keyNo(batch.kiosk, batch.keyId, epochNo);
    const day = Math.floor(batch.receivedAtMs / DAY_MS);
    const standings = new Map<Seq, Standing>();
    for (const row of rows) if (isLegible(row)) standings.set(row.seq, this.#standOne(epochNo, keyNo, day, row));
    addToSpans(
      this.#db,
      epochNo,
      rows.map(({ seq }) => seq),
    );
    const cloned = [...standings.values()].filter((standing) => standing === 'cloned').length;
    if (cloned > 0) this.#db.prepare('UPDATE epochs SET cloned_count = cloned_count + ? WHERE epoch_no = ?').run(cloned, epochNo);
    return standings;
  }

  #standOne(epochNo: number, keyNo: number, day: number, row: ArrivedRow): Standing {
    const { seq } = row;
    const digest = Buffer.from(row.digest, 'binary');
    const others = this.#db.prepare('SELECT key_no, digest FROM seen WHERE epoch_no = ? AND seq = ?').all(epochNo, seq) as {
      key_no: number;
      digest: Uint8Array;
    }[];
    const same = others.find(({ key_no }) => key_no === keyNo);
    if (same !== undefined) return Buffer.compare(same.digest, digest) === 0 ? 'duplicate' : 'conflict';
    this.#db.prepare('INSERT INTO seen (epoch_no, seq, key_no, digest, day) VALUES (?, ?, ?, ?, ?)').run(epochNo, seq, keyNo, digest, day);
    return others.length > 0 ? 'cloned' : 'new';
  }

  /** Appends the rows of one batch as one entry. @param rows at least one. @returns the entry's position. */
  appendBatch(batch: ArrivedBatch, rows: readonly ArrivedRow[]): number {
    const position = this.#append('batch', batch.receivedAtMs);
    this.#db
      .prepare('INSERT INTO batches (position, kiosk, kiosk_public_key, placement, topic, record_no, sign1) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(
        position,
        batch.kiosk,
        batch.kioskPublicKey,
        JSON.stringify(batch.placement),
        batch.topic,
        this.#recordNo(batch.keyRecord),
        batch.sign1,
      );
    const insert = this.#db.prepare('INSERT INTO rows (position, seq, row) VALUES (?, ?, ?)');
    for (const { seq, row } of rows) insert.run(position, seq, row);
    return position;
  }

  /** Appends what triage decided, behind the row it decided on. @returns the entry's position. */
  appendFlag(flag: Omit<FlagEntry, 'kind' | 'position'>, nowMs: EpochMillis): number {
    const position = this.#append('flag', nowMs);
    const { reading, state, raisedAtMs, expiresAtMs } = flag;
    this.#db
      .prepare('INSERT INTO flag_entries (position, kiosk, key_id, seq, state, raised_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(position, reading.kiosk, reading.keyId, reading.seq, state, raisedAtMs, expiresAtMs);
    return position;
  }

  /**
   * The entries behind `position`, in order.
   * @param mostEntries at least 1. @param mostBytes of rows; one entry is given even when it alone is longer.
   */
  entriesAfter(position: number, mostEntries: number, mostBytes: number): LedgerEntry[] {
    return translating('ledger', () => {
      const heads = this.#db
        .prepare('SELECT position, kind, received_at_ms FROM entries WHERE position > ? ORDER BY position LIMIT ?')
        .all(position, mostEntries) as { position: number; kind: 'batch' | 'flag'; received_at_ms: EpochMillis }[];
      const entries: LedgerEntry[] = [];
      let bytes = 0;
      for (const head of heads) {
        const entry = head.kind === 'batch' ? this.#batchEntry(head.position, head.received_at_ms) : this.#flagEntry(head.position);
        if (entry.kind === 'batch') bytes += entry.rows.reduce((sum, row) => sum + row.length, 0);
        if (entries.length > 0 && bytes > mostBytes) break;
        entries.push(entry);
      }
      return entries;
    });
  }

  /** How many entries there are behind `position`. */
  countAfter(position: number): number {
    return Number(translating('ledger', () => this.#db.prepare('SELECT count(*) FROM entries WHERE position > ?').pluck().get(position)));
  }

  /** How far a sink has taken the log; 0 for one that is new. */
  cursorOf(sink: string): number {
    const position = translating('ledger', () => this.#db.prepare('SELECT position FROM sinks WHERE name = ?').pluck().get(sink));
    return Number(position ?? 0);
  }

  /** Makes a sink known, so that what it does not take in time is counted against it. Doing so again changes nothing. */
  addSink(sink: string): void {
    this.transact(() => this.#db.prepare('INSERT INTO sinks (name, position) VALUES (?, 0) ON CONFLICT DO NOTHING').run(sink));
  }

  /** How many entries retention ended before the sink had taken them. */
  droppedOf(sink: string): number {
    const dropped = translating('ledger', () => this.#db.prepare('SELECT dropped_entries FROM sinks WHERE name = ?').pluck().get(sink));
    return Number(dropped ?? 0);
  }

  /** Keeps how far a sink has taken the log. A power cut may take it back, and the sink is offered again what it has. @throws StoreError. */
  setCursor(sink: string, position: number): void {
    const sql = 'INSERT INTO sinks (name, position) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position';
    translating('ledger', () => this.#db.transactUnsynced(() => this.#db.prepare(sql).run(sink, position)));
  }

  #append(kind: 'batch' | 'flag', receivedAtMs: EpochMillis): number {
    return Number(this.#db.prepare('INSERT INTO entries (kind, received_at_ms) VALUES (?, ?)').run(kind, receivedAtMs).lastInsertRowid);
  }

  #epochNo(kiosk: KioskId, epoch: Epoch): number {
    const found = this.#db.prepare('SELECT epoch_no FROM epochs WHERE kiosk = ? AND epoch = ?').get(kiosk, epoch) as
      | { epoch_no: number }
      | undefined;
    return found?.epoch_no ?? Number(this.#db.prepare('INSERT INTO epochs (kiosk, epoch) VALUES (?, ?)').run(kiosk, epoch).lastInsertRowid);
  }

  #keyNo(kiosk: KioskId, keyId: KeyId, epochNo: number): number {
    const found = this.#db.prepare('SELECT key_no, epoch_no FROM content_keys WHERE kiosk = ? AND key_id = ?').get(kiosk, keyId) as
      | { key_no: number; epoch_no: number }
      | undefined;
    if (found === undefined)
      return Number(
        this.#db.prepare('INSERT INTO content_keys (kiosk, key_id, epoch_no) VALUES (?, ?, ?)').run(kiosk, keyId, epochNo).lastInsertRowid,
      );
    if (found.epoch_no !== epochNo) throw new IngestError('ingest.conflict', 'key record: its key id came with another epoch before');
    return found.key_no;
  }

  #recordNo(record: Uint8Array): number {
    const digest = digestOf(record);
    const found = this.#db.prepare('SELECT record_no FROM key_records WHERE digest = ?').get(digest) as { record_no: number } | undefined;
    return (
      found?.record_no ??
      Number(this.#db.prepare('INSERT INTO key_records (digest, record) VALUES (?, ?)').run(digest, record).lastInsertRowid)
    );
  }

  #batchEntry(position: number, receivedAtMs: EpochMillis): LedgerEntry {
    const batch = this.#db
      .prepare('SELECT batches.*, record FROM batches JOIN key_records USING (record_no) WHERE position = ?')
      .get(position) as {
      kiosk: KioskId;
      kiosk_public_key: Uint8Array;
      placement: string;
      topic: string;
      record: Uint8Array;
      sign1: Uint8Array;
    };
    const rows = this.#db.prepare('SELECT row FROM rows WHERE position = ? ORDER BY seq').pluck().all(position) as Uint8Array[];
    return {
      kind: 'batch',
      position,
      kiosk: batch.kiosk,
      kioskPublicKey: new Uint8Array(batch.kiosk_public_key),
      placement: JSON.parse(batch.placement) as Placement,
      topic: batch.topic,
      keyRecord: new Uint8Array(batch.record),
      sign1: new Uint8Array(batch.sign1),
      rows: rows.map((row) => new Uint8Array(row)),
      receivedAtMs,
    };
  }

  #flagEntry(position: number): FlagEntry {
    const flag = this.#db.prepare('SELECT * FROM flag_entries WHERE position = ?').get(position) as {
      kiosk: KioskId;
      key_id: Uint8Array;
      seq: Seq;
      state: FlagEntry['state'];
      raised_at_ms: EpochMillis;
      expires_at_ms: EpochMillis;
    };
    return {
      kind: 'flag',
      position,
      reading: { kiosk: flag.kiosk, keyId: new Uint8Array(flag.key_id) as KeyId, seq: flag.seq },
      state: flag.state,
      raisedAtMs: flag.raised_at_ms,
      expiresAtMs: flag.expires_at_ms,
    };
  }
}
