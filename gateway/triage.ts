/**
 * Turns temperature readings into flags, in the transaction that takes their rows: whoever sees the row's entry finds the flag's
 * behind it. No temperature is kept, only whether it was high.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { FlagEntry, RowIdentity } from '../core/intake.ts';
import { correct } from '../protocol/clock-correction.ts';
import type { Temperature } from '../protocol/event.ts';
import type { EntranceId, KeyId, KioskId, Seq, VenueId } from '../protocol/ids.ts';
import type { EpochMillis } from '../protocol/units.ts';
import type { Db } from './database.ts';
import { judge, type ReadingFact } from './flag-rule.ts';
import type { Ledger } from './ledger.ts';
import type { OpenedBatch, OpenedRow } from './open-batch.ts';
import { indexPseudonym, operatorPseudonym, type VenueCalendar } from './pseudonym.ts';
import type { Kiosk } from './registry.ts';

export interface FlagPolicy {
  /** How long a second reading is waited for. */
  readonly confirmWithinMs: number;
  /** How long a flag lasts, from the first high reading. */
  readonly ageOffMs: number;
}

/** One change that was appended to the ledger's log. */
export interface FlagChange {
  readonly reading: RowIdentity;
  readonly venue: VenueId;
  readonly entrance: EntranceId;
  /** The operator's pseudonym of the card. */
  readonly subject: string;
  readonly state: FlagEntry['state'];
  readonly raisedAtMs: EpochMillis;
  readonly expiresAtMs: EpochMillis;
}

interface FlagRow {
  kiosk: KioskId;
  of_key_id: Uint8Array;
  of_seq: Seq;
  subject: string;
  venue: VenueId;
  entrance: EntranceId;
  state: 'pending' | FlagEntry['state'];
  reading_key_id: KeyId;
  reading_seq: Seq;
  raised_at_ms: EpochMillis;
  expires_at_ms: EpochMillis;
}

interface ReadingRow {
  key_id: Uint8Array;
  seq: Seq;
  attempt: 1 | 2;
  is_high: 0 | 1;
  taken_at_ms: EpochMillis;
  received_at_ms: EpochMillis;
}

/** A reading that may change a flag: no temperature, only whether it was high. Kept beside its row in the ledger; key ids are hexadecimal. */
export interface NotedReading {
  readonly kiosk: KioskId;
  readonly keyId: string;
  readonly seq: Seq;
  /** The scan that it belongs to. */
  readonly ofKeyId: string;
  readonly ofSeq: Seq;
  readonly attempt: 1 | 2;
  readonly takenAtMs: EpochMillis;
  /** Of a high one. */
  readonly high:
    | { readonly pseudonym: string; readonly subject: string; readonly venue: VenueId; readonly entrance: EntranceId }
    | undefined;
}

export class Triage {
  readonly #db: Db;
  readonly #ledger: Ledger;
  readonly #policy: FlagPolicy;
  readonly #indexPseudonymKey: KeyObject;
  readonly #operatorPseudonymKey: KeyObject;
  readonly #calendar: VenueCalendar;

  constructor(
    db: Db,
    ledger: Ledger,
    policy: FlagPolicy,
    keys: { readonly indexPseudonymKey: Uint8Array; readonly operatorPseudonymKey: Uint8Array },
    calendar: VenueCalendar,
  ) {
    this.#db = db;
    this.#ledger = ledger;
    this.#policy = policy;
    this.#indexPseudonymKey = createSecretKey(keys.indexPseudonymKey);
    this.#operatorPseudonymKey = createSecretKey(keys.operatorPseudonymKey);
    this.#calendar = calendar;
  }

  /** @returns the readings among rows just taken that may change a flag; a first one that was not high can not. */
  readingsOf(kiosk: Kiosk, batch: OpenedBatch, taken: readonly OpenedRow[], nowMs: EpochMillis): NotedReading[] {
    const readings: NotedReading[] = [];
    for (const row of taken) {
      if (!('event' in row) || row.event.type !== 'temperature') continue;
      const event = row.event;
      const isHigh = event.estimate >= event.threshold;
      if (event.attempt === 1 && !isHigh) continue;
      const takenAtMs = correct({ stamp: event.stamp, sentAt: batch.sentAt, receivedAtMs: nowMs }).atMs;
      readings.push({
        kiosk: kiosk.kiosk,
        keyId: hexOf(batch.keyId),
        seq: row.seq,
        ofKeyId: hexOf(event.of.keyId),
        ofSeq: event.of.seq,
        attempt: event.attempt,
        takenAtMs,
        high: isHigh ? this.#aboutHigh(kiosk, event, takenAtMs) : undefined,
      });
    }
    return readings;
  }

  /** Notes readings and judges what they are of, inside the caller's transaction. Doing so again changes nothing. @returns what changed. */
  take(readings: readonly NotedReading[], nowMs: EpochMillis): FlagChange[] {
    return readings.flatMap((reading) => {
      const ofKeyId = Buffer.from(reading.ofKeyId, 'hex');
      this.#note(reading, ofKeyId, nowMs);
      if (reading.high !== undefined) this.#openFlag(reading, ofKeyId);
      return this.#judge(reading.kiosk, ofKeyId, reading.ofSeq, nowMs);
    });
  }

  /** Judges what has waited long enough for a second reading. Opens its own transaction. @returns what changed. @throws StoreError. */
  sweep(nowMs: EpochMillis, most: number): FlagChange[] {
    return this.#ledger.transact(() => {
      const due = this.#db
        .prepare("SELECT kiosk, of_key_id, of_seq FROM flags WHERE state = 'pending' AND deadline_ms <= ? ORDER BY deadline_ms LIMIT ?")
        .all(nowMs, most) as Pick<FlagRow, 'kiosk' | 'of_key_id' | 'of_seq'>[];
      return due.flatMap((flag) => this.#judge(flag.kiosk, flag.of_key_id, flag.of_seq, nowMs));
    });
  }

  /**
   * Keeps a reading, unless one of the same attempt and outcome is there: another can not change the verdict, and each judgement
   * reads all that are kept of its scan.
   */
  #note({ kiosk, keyId, seq, ofSeq, attempt, takenAtMs, high }: NotedReading, ofKeyId: Uint8Array, receivedAtMs: EpochMillis): void {
    const isHigh = high === undefined ? 0 : 1;
    const same = 'SELECT 1 FROM readings WHERE kiosk = ? AND of_key_id = ? AND of_seq = ? AND attempt = ? AND is_high = ?';
    if (this.#db.prepare(same).get(kiosk, ofKeyId, ofSeq, attempt, isHigh) !== undefined) return;
    this.#db
      .prepare(
        `INSERT INTO readings (kiosk, of_key_id, of_seq, key_id, seq, attempt, is_high, taken_at_ms, received_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      )
      .run(kiosk, ofKeyId, ofSeq, Buffer.from(keyId, 'hex'), seq, attempt, isHigh, takenAtMs, receivedAtMs);
  }

  #aboutHigh({ placement: { venue, entrance }, timezone }: Kiosk, { card }: Temperature, takenAtMs: EpochMillis): NotedReading['high'] {
    const subject = operatorPseudonym(this.#operatorPseudonymKey, venue, this.#calendar.dayAt(timezone, takenAtMs), card);
    return { pseudonym: hexOf(indexPseudonym(this.#indexPseudonymKey, card)), subject, venue, entrance };
  }

  /** Notes the flag that a high reading may become. The earliest high reading names it, until somebody is told. */
  #openFlag({ kiosk, keyId, seq, ofSeq, takenAtMs, high }: NotedReading, ofKeyId: Uint8Array): void {
    if (high === undefined) return;
    this.#db
      .prepare(
        `INSERT INTO flags (kiosk, of_key_id, of_seq, pseudonym, subject, venue, entrance, state, deadline_ms,
           reading_key_id, reading_seq, raised_at_ms, expires_at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', NULL, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET reading_key_id = excluded.reading_key_id, reading_seq = excluded.reading_seq,
           raised_at_ms = excluded.raised_at_ms, expires_at_ms = excluded.expires_at_ms
         WHERE state = 'pending' AND excluded.raised_at_ms < raised_at_ms`,
      )
      .run(
        kiosk,
        ofKeyId,
        ofSeq,
        Buffer.from(high.pseudonym, 'hex'),
        high.subject,
        high.venue,
        high.entrance,
        Buffer.from(keyId, 'hex'),
        seq,
        takenAtMs,
        takenAtMs + this.#policy.ageOffMs,
      );
  }

  #judge(kiosk: KioskId, ofKeyId: Uint8Array, ofSeq: Seq, nowMs: EpochMillis): FlagChange[] {
    const flag = this.#db.prepare('SELECT * FROM flags WHERE kiosk = ? AND of_key_id = ? AND of_seq = ?').get(kiosk, ofKeyId, ofSeq) as
      | FlagRow
      | undefined;
    // Only a high reading opens a flag; a normal second one that came first waits for it.
    if (flag === undefined) return [];
    const readings = this.#db
      .prepare('SELECT * FROM readings WHERE kiosk = ? AND of_key_id = ? AND of_seq = ? ORDER BY attempt, taken_at_ms')
      .all(kiosk, ofKeyId, ofSeq) as ReadingRow[];
    const verdict = judge(readings.map(factOf), nowMs, this.#policy.confirmWithinMs);
    if (verdict.kind === 'none' || verdict.kind === flag.state) {
      if (verdict.kind === 'pending') this.#setState(flag, 'pending', verdict.deadlineMs);
      return [];
    }
    if (verdict.kind === 'pending') return [];
    const isToldAlready = flag.state !== 'pending';
    this.#setState(flag, verdict.kind, null);
    // High then normal, with nobody told of the high one, flags nothing.
    if (verdict.kind === 'cleared' && !isToldAlready) return [];
    return [this.#tell(flag, verdict.kind, nowMs)];
  }

  #setState(flag: FlagRow, state: FlagRow['state'], deadlineMs: EpochMillis | null): void {
    this.#db
      .prepare('UPDATE flags SET state = ?, deadline_ms = ? WHERE kiosk = ? AND of_key_id = ? AND of_seq = ?')
      .run(state, deadlineMs, flag.kiosk, flag.of_key_id, flag.of_seq);
  }

  #tell(flag: FlagRow, state: FlagEntry['state'], nowMs: EpochMillis): FlagChange {
    const { kiosk, venue, entrance, subject, raised_at_ms: raisedAtMs, expires_at_ms: expiresAtMs } = flag;
    const reading = { kiosk, keyId: new Uint8Array(flag.reading_key_id) as KeyId, seq: flag.reading_seq };
    this.#ledger.appendFlag({ reading, state, raisedAtMs, expiresAtMs }, nowMs);
    return { reading, venue, entrance, subject, state, raisedAtMs, expiresAtMs };
  }
}

const factOf = ({ attempt, is_high, received_at_ms }: ReadingRow): ReadingFact => ({
  attempt,
  isHigh: is_high === 1,
  receivedAtMs: received_at_ms,
});

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
