/**
 * Keeps opened entries: rows into their days' files, all else into core.db. Everything here can be done again and changes nothing,
 * so a crash between two files is made good when the same entries are offered anew.
 */
import type { VestibuleEvent } from '../protocol/event.ts';
import type { Opened, PlacedEvent } from './accept.ts';
import { type Cases, isStickerRow } from './case/cases.ts';
import { type Day, dayOf, startOfDay } from './day.ts';
import type { StoredReading, StoredScan } from './day-file.ts';
import type { DayStore } from './day-store.ts';
import { MOST_UNCERTAINTY_MS } from './day-visits.ts';
import type { DoubtEntry, FlagEntry, RowIdentity } from './intake.ts';
import type { Notes, RowNumber } from './notes.ts';
import type { CardNames } from './pseudonym.ts';
import { type Db, inStore } from './sqlite.ts';
import type { Streams } from './streams.ts';

interface Stores {
  /** core.db. */
  readonly db: Db;
  readonly days: DayStore;
  readonly streams: Streams;
  readonly notes: Notes;
  readonly names: CardNames;
  readonly cases: Cases;
}

interface Now {
  /** The oldest day within retention. */
  readonly firstDay: Day;
  readonly nowMs: number;
  /** Writes down, within the same transaction, up to which position all that came before is durable. */
  readonly noteTaken: () => void;
}

/** What lies in a day's file. */
interface DayRow extends PlacedEvent {
  readonly event: Extract<VestibuleEvent, { readonly type: 'check-in' | 'check-out' | 'temperature' }>;
}

const isDayRow = (row: PlacedEvent): row is DayRow =>
  row.event.type === 'check-in' || row.event.type === 'check-out' || row.event.type === 'temperature';

export class Keeper {
  readonly #stores: Stores;

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  /** When this returns, all of it is durable. @throws StoreError; then some of it may be, and all can be offered again. */
  keep(opened: readonly Opened[], now: Now): void {
    const { db, streams, cases } = this.#stores;
    const byDay = this.#placeRows(opened, now);
    try {
      inStore('core.db', () =>
        db.transaction(() => {
          now.noteTaken();
          for (const { events, flag, doubt, setAside } of opened) {
            for (const event of events) this.#noteEvent(event, now);
            if (flag !== undefined) this.#noteFlag(flag);
            if (doubt !== undefined) this.#noteDoubt(doubt, now);
            for (const note of setAside) this.#stores.notes.addSetAside(note);
          }
          for (const [day, rows] of byDay) {
            for (const { stream, seq, placement } of rows) {
              streams.widen(stream, day, seq);
              streams.venueNumber(placement.venue);
            }
          }
        })(),
      );
    } catch (error) {
      streams.lookUpAnew();
      cases.forgetChanges();
      throw error;
    }
    for (const [day, rows] of byDay) this.#addRows(day, rows);
    cases.told();
  }

  /** Which rows go to which day: those within retention that no day holds yet. */
  #placeRows(opened: readonly Opened[], now: Now): Map<Day, DayRow[]> {
    const byDay = new Map<Day, DayRow[]>();
    const placedNow = new Set<string>();
    for (const row of opened.flatMap(({ events }) => events)) {
      const { stream, seq } = row;
      const name = `${stream.kiosk}/${Buffer.from(stream.keyId).toString('latin1')}/${seq}`;
      const day = dayOf(placedAtMs(row, now));
      if (!isDayRow(row) || day < now.firstDay || placedNow.has(name)) continue;
      placedNow.add(name);
      if (this.#isHeldElsewhere(row, day)) continue;
      const rows = byDay.get(day);
      if (rows === undefined) byDay.set(day, [row]);
      else rows.push(row);
    }
    return byDay;
  }

  #isHeldElsewhere({ stream, seq }: PlacedEvent, day: Day): boolean {
    const { days, streams } = this.#stores;
    const number = streams.find(stream);
    if (number === undefined) return false;
    return streams.daysThatMayHold(stream, seq, day).some((other) => days.find(other)?.has({ stream: number, seq }) === true);
  }

  #noteEvent(row: PlacedEvent, now: Now): void {
    const { notes, cases } = this.#stores;
    const { event, stream, seq, receivedAtMs } = row;
    if (event.type === 'undo') {
      // An undo names no card, and is kept by when it came: placed wrongly it would let what it takes back stand again.
      if (receivedAtMs < startOfDay(now.firstDay)) notes.addExpired(this.#number(row), now.nowMs);
      else {
        const of = { stream: this.#stores.streams.number({ kiosk: stream.kiosk, keyId: event.of.keyId }), seq: event.of.seq };
        notes.addUndo(this.#number({ stream, seq }), of, receivedAtMs);
      }
    } else if (!isDayRow(row) && !isStickerRow(row)) return;
    else if (dayOf(placedAtMs(row, now)) < now.firstDay) notes.addExpired(this.#number(row), now.nowMs);
    else if (isStickerRow(row)) cases.note(row, placedAtMs(row, now));
  }

  #noteFlag(flag: FlagEntry): void {
    this.#stores.notes.setFlag(this.#numberOf(flag.reading), flag);
  }

  #noteDoubt({ row, reason, raisedAtMs }: DoubtEntry, now: Now): void {
    if (raisedAtMs >= startOfDay(now.firstDay)) this.#stores.notes.addDoubt(this.#numberOf(row), reason, raisedAtMs);
  }

  #numberOf({ kiosk, keyId, seq }: RowIdentity): RowNumber {
    return { stream: this.#stores.streams.number({ kiosk, keyId }), seq };
  }

  #addRows(day: Day, rows: readonly DayRow[]): void {
    const scans: StoredScan[] = [];
    const readings: StoredReading[] = [];
    for (const row of rows) {
      const { event, placement } = row;
      const card = this.#stores.names.of(event.card);
      const atMs = Math.max(row.atMs, startOfDay(day));
      const at = { ...this.#number(row), card, atMs };
      if (event.type === 'temperature') readings.push(at);
      else {
        const groupSize = event.type === 'check-in' ? event.groupSize : 1;
        const uncertaintyMs = Math.min(row.uncertaintyMs, MOST_UNCERTAINTY_MS);
        const venue = this.#stores.streams.venueNumber(placement.venue);
        scans.push({
          ...at,
          venue,
          kind: event.type,
          uncertaintyMs,
          dwellMs: placement.dwellMs,
          lingeringMs: placement.lingeringMs,
          groupSize,
        });
      }
    }
    this.#stores.days.findOrMake(day).add(scans, readings);
  }

  #number({ stream, seq }: { readonly stream: PlacedEvent['stream']; readonly seq: number }): RowNumber {
    return { stream: this.#stores.streams.number(stream), seq };
  }
}

/**
 * Nothing is past retention for its clock alone: a row that came within retention and could only be placed before it is put at
 * retention's edge.
 */
const placedAtMs = (row: PlacedEvent, { firstDay }: Now): number => {
  const edgeMs = startOfDay(firstDay);
  return row.isUnplaced && row.receivedAtMs >= edgeMs ? Math.max(row.atMs, edgeMs) : row.atMs;
};
