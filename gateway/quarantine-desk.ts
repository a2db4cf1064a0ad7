/**
 * What a person does about quarantine: looks at it, has one message tried again once its reason is mended, or throws it away. A try
 * goes the way of every batch; what it takes leaves quarantine in the same transaction.
 */
import { encodeCbor } from '../protocol/cbor.ts';
import { codeOf, type ErrorCode, IngestError } from '../protocol/errors.ts';
import type { KioskId } from '../protocol/ids.ts';
import { topicOf } from '../protocol/topics.ts';
import type { EpochMillis } from '../protocol/units.ts';
import { type Db, translating } from './database.ts';
import { type Deciders, decide } from './decide.ts';
import type { Decided } from './ingest.ts';
import type { BatchOpener, UnreadBatch } from './open-batch.ts';
import type { Kiosk } from './registry.ts';

export interface QuarantinedItem {
  readonly no: number;
  readonly kiosk: KioskId;
  readonly receivedAtMs: EpochMillis;
  readonly reason: ErrorCode;
  readonly sizeBytes: number;
  /** Of one row; `undefined` for a whole message. */
  readonly seq: number | undefined;
}

export type Replayed =
  | { readonly outcome: 'taken'; readonly acceptedRows: number }
  /** It stays, with the reason of this try. */
  | { readonly outcome: 'quarantined'; readonly code: ErrorCode };

export interface QuarantineDoors {
  kiosk(kiosk: KioskId): Kiosk | undefined;
  /** Whether the retention of what came then has ended. */
  isPast(receivedAtMs: EpochMillis): boolean;
  /** Called after the commit that took something. */
  onDecided(decided: readonly Decided[]): void;
  /** Called after each change, for the state that operators see. */
  onChanged(kiosk: KioskId): void;
}

interface Row {
  readonly no: number;
  readonly kiosk: KioskId;
  readonly received_at_ms: EpochMillis;
  readonly reason: ErrorCode;
  readonly seq: number | null;
  readonly size_bytes: number;
}

/** A row that stands against another one stays so however often it is tried, and what is past its time is that for ever. */
export const mayReplay = ({ reason }: Pick<QuarantinedItem, 'reason'>): boolean =>
  reason !== 'ingest.conflict' && reason !== 'ingest.past_retention';

export class QuarantineDesk {
  readonly #db: Db;
  readonly #opener: BatchOpener;
  readonly #deciders: Deciders;
  readonly #doors: QuarantineDoors;

  constructor(db: Db, opener: BatchOpener, deciders: Deciders, doors: QuarantineDoors) {
    this.#db = db;
    this.#opener = opener;
    this.#deciders = deciders;
    this.#doors = doors;
  }

  /** @returns at most `most`, the newest first. @throws StoreError. */
  items(most: number, kiosk?: KioskId): QuarantinedItem[] {
    const rows = translating('ledger', () =>
      this.#db
        .prepare(
          `SELECT no, kiosk, received_at_ms, reason, seq, size_bytes FROM quarantine WHERE kiosk = coalesce(?, kiosk) ORDER BY no DESC LIMIT ?`,
        )
        .all(kiosk ?? null, most),
    ) as Row[];
    return rows.map(itemOf);
  }

  /** @returns `undefined` when there is no such item. @throws StoreError. */
  item(no: number): QuarantinedItem | undefined {
    const row = translating('ledger', () => this.#db.prepare('SELECT * FROM quarantine WHERE no = ?').get(no)) as Row | undefined;
    return row && itemOf(row);
  }

  /**
   * Tries one item again, as if it came now from its kiosk, with the time at which it came first. One that is past retention stays, as `ingest.past_retention`.
   * @returns `undefined` when there is no such item, or its kiosk is not admitted. @throws StoreError, IngestError `ingest.quarantine_full`; the item is then as it was.
   */
  async replay(no: number): Promise<Replayed | undefined> {
    const row = translating('ledger', () =>
      this.#db.prepare('SELECT kiosk, received_at_ms, sign1, key_record, content FROM quarantine WHERE no = ?').get(no),
    ) as (Pick<Row, 'kiosk' | 'received_at_ms'> & Parts) | undefined;
    const kiosk = row && this.#doors.kiosk(row.kiosk);
    if (row === undefined || kiosk === undefined || kiosk.revokedAtMs !== undefined) return undefined;
    // Taken now, it would lie in the ledger for another retention, and be new to a core that has forgotten it. Pruning comes by within the hour.
    if (this.#doors.isPast(row.received_at_ms)) return this.#stays(no, kiosk.kiosk, 'ingest.past_retention');
    const message = messageOf(row);
    const opened = await this.#open(message, kiosk);
    if (opened === 'seal.unknown_recipient') return this.#stays(no, kiosk.kiosk, opened);
    const answer = this.#deciders.ledger.transact((): { replayed: Replayed; decided: Decided } | ErrorCode => {
      const last = this.#db.prepare('SELECT max(no) FROM quarantine').pluck().get() as number;
      // Taken out first: what is still wrong comes back in, under its new reason.
      this.#db.prepare('DELETE FROM quarantine WHERE no = ?').run(no);
      const decision = decide(this.#deciders, kiosk, message, opened, row.received_at_ms, (error) => codeOf(error) ?? 'ingest.internal');
      // Thrown, so that what was taken out stays.
      if (decision.kind === 'refused') throw new IngestError('ingest.quarantine_full', `quarantine of ${kiosk.kiosk}: no room for a try`);
      if (decision.kind === 'quarantined') {
        this.#keepNumber(no, last);
        return decision.reason;
      }
      const bad = decision.taken.length > 0 ? undefined : decision.ranges.find(({ reason }) => reason !== undefined);
      const decided = { kiosk, message, decision };
      if (bad !== undefined) {
        this.#keepNumber(no, last);
        return { replayed: { outcome: 'quarantined', code: (bad.reason ?? 'ingest.internal') as ErrorCode }, decided };
      }
      return { replayed: { outcome: 'taken', acceptedRows: decision.taken.length }, decided };
    });
    this.#doors.onChanged(kiosk.kiosk);
    if (typeof answer === 'string') return { outcome: 'quarantined', code: answer };
    this.#doors.onDecided([answer.decided]);
    return answer.replayed;
  }

  /** Throws one item away. @returns false when there is none. @throws StoreError. */
  drop(no: number): boolean {
    const item = this.item(no);
    if (item === undefined) return false;
    translating('ledger', () => this.#db.prepare('DELETE FROM quarantine WHERE no = ?').run(no));
    this.#doors.onChanged(item.kiosk);
    return true;
  }

  /** By it a person asks for it again. A batch of which several rows are wrong comes back as these. @param last the highest number before. */
  #keepNumber(no: number, last: number): void {
    const came = this.#db.prepare('SELECT no FROM quarantine WHERE no > ?').pluck().all(last);
    if (came.length === 1) this.#db.prepare('UPDATE quarantine SET no = ? WHERE no = ?').run(no, came[0]);
  }

  #stays(no: number, kiosk: KioskId, code: ErrorCode): Replayed {
    translating('ledger', () => this.#db.prepare('UPDATE quarantine SET reason = ? WHERE no = ?').run(code, no));
    this.#doors.onChanged(kiosk);
    return { outcome: 'quarantined', code };
  }

  async #open(message: Uint8Array, kiosk: Kiosk): Promise<UnreadBatch | ErrorCode> {
    try {
      return await this.#opener.open(message, topicOf(kiosk.kiosk, 'batch'), kiosk);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      return code;
    }
  }
}

interface Parts {
  readonly sign1: Uint8Array | null;
  readonly key_record: Uint8Array | null;
  readonly content: Uint8Array;
}

/** One row is a batch of one: the signature is over the list of all, and verifies with any of them. */
function messageOf({ sign1, key_record, content }: Parts): Uint8Array {
  if (sign1 === null || key_record === null) return new Uint8Array(content);
  return encodeCbor([new Uint8Array(key_record), new Uint8Array(sign1), [new Uint8Array(content)]]);
}

const itemOf = ({ no, kiosk, received_at_ms, reason, seq, size_bytes }: Row): QuarantinedItem => ({
  no,
  kiosk,
  receivedAtMs: received_at_ms,
  reason,
  sizeBytes: size_bytes,
  seq: seq ?? undefined,
});
