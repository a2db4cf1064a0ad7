/**
 * Keeps opened entries: rows into their days' files, all else into core.db. Everything here can be done again and changes nothing,
 * so a crash between two files is made good when the same entries are offered anew.
 */
import type { VestibuleEvent } from '../protocol/event.ts';
import type { DeploymentId } from '../protocol/ids.ts';
import type { Opened, PlacedEvent } from './accept.ts';
import { type Cases, isStickerRow } from './case/cases.ts';
import { DAY_MS, type Day, dayOf, startOfDay } from './day.ts';
import type { StoredScan } from './day-file.ts';
import type { DayStore } from './day-store.ts';
import { MOST_UNCERTAINTY_MS } from './day-visits.ts';
import type { DoubtEntry, FlagEntry, RowIdentity } from './intake.ts';
import type { Notes, RowNumber } from './notes.ts';
import type { Notices } from './notice/notices.ts';
import type { CardNames, CardPseudonym } from './pseudonym.ts';
import { type Db, inStore } from './sqlite.ts';
import type { Streams } from './streams.ts';
import { LONGEST_LINGERING_MS, LONGEST_STAY_MS } from './visit.ts';

interface Stores {
  /** core.db. */
  readonly db: Db;
  readonly days: DayStore;
  readonly streams: Streams;
  readonly notes: Notes;
  readonly names: CardNames;
  readonly cases: Cases;
  readonly notices: Pick<Notices, 'rowsCame' | 'noteHighReading' | 'noteFlag' | 'noteShown' | 'caseMayCome' | 'told'>;
}

interface Asked {
  /** Whose entries they are: a gateway speaks of rows of its own deployment alone. */
  readonly deployment: DeploymentId;
  /** The oldest day within retention. */
  readonly firstDay: Day;
  readonly nowMs: number;
  /** Writes down, within the same transaction, up to which position all that came before is durable. */
  readonly noteTaken: () => void;
}

interface Now extends Asked {
  /** Where retention begins: the first instant of `firstDay`. */
  readonly edgeMs: number;
}

/** What lies in a day's file. */
interface DayRow extends PlacedEvent {
  readonly event: Extract<VestibuleEvent, { readonly type: 'check-in' | 'check-out' | 'temperature' }>;
}

const isDayRow = (row: PlacedEvent): row is DayRow =>
  row.event.type === 'check-in' || row.event.type === 'check-out' || row.event.type === 'temperature';

/** Longer than any kiosk lets its staff take a scan back. */
const UNDO_REACH_MS = 3_600_000;

export class Keeper {
  readonly #stores: Stores;

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  /** When this returns, all of it is durable. @throws StoreError; then some of it may be, and all can be offered again. */
  keep(opened: readonly Opened[], asked: Asked): void {
    const { db, streams, cases, notices } = this.#stores;
    const now: Now = { ...asked, edgeMs: startOfDay(asked.firstDay) };
    const byDay = this.#placeRows(opened, now);
    try {
      inStore('core.db', () =>
        db.transaction(() => {
          now.noteTaken();
          for (const { events, flag, doubt, setAside } of opened) {
            for (const event of events) this.#noteEvent(event, now);
            if (flag !== undefined) this.#noteFlag(flag, now);
            if (doubt !== undefined) this.#noteDoubt(doubt, now);
            for (const note of setAside) this.#stores.notes.addSetAside(note);
          }
          for (const [day, rows] of byDay) {
            this.#widen(day, rows);
            for (const { placement } of rows) streams.venueNumber(placement.venue);
          }
          this.#tellTraces(byDay);
          cases.judgeFlags();
        })(),
      );
    } catch (error) {
      streams.lookUpAnew();
      this.#stores.notes.lookUpAnew();
      cases.forgetChanges();
      throw error;
    }
    for (const [day, rows] of byDay) this.#addRows(day, rows);
    this.#markStale(opened, now);
    cases.told();
    notices.told();
  }

  /** Which rows go to which day: those within retention that no day holds yet. */
  #placeRows(opened: readonly Opened[], now: Now): Map<Day, DayRow[]> {
    const byDay = new Map<Day, DayRow[]>();
    const placedNow = new Map<string, Set<number>>();
    const days = new Map<number, Day>();
    const { edgeMs } = now;
    for (const { events } of opened) {
      for (const row of events) {
        const atMs = placedAtMs(row, edgeMs);
        if (!isDayRow(row) || atMs < edgeMs) continue;
        const name = this.#stores.streams.textOf(row.stream);
        const seqs = placedNow.get(name);
        if (seqs?.has(row.seq) === true) continue;
        if (seqs === undefined) placedNow.set(name, new Set([row.seq]));
        else seqs.add(row.seq);
        const number = Math.floor(atMs / DAY_MS);
        const day = days.get(number) ?? dayOf(atMs);
        days.set(number, day);
        if (this.#isHeldElsewhere(row, day)) continue;
        const rows = byDay.get(day);
        if (rows === undefined) byDay.set(day, [row]);
        else rows.push(row);
      }
    }
    return byDay;
  }

  #isHeldElsewhere({ stream, seq }: PlacedEvent, day: Day): boolean {
    const { days, streams } = this.#stores;
    const number = streams.find(stream);
    if (number === undefined) return false;
    return streams.daysThatMayHold(stream, seq, day).some((other) => days.find(other)?.has({ stream: number, seq }) === true);
  }

  #widen(day: Day, rows: readonly DayRow[]): void {
    const { streams } = this.#stores;
    const ranges = new Map<string, { readonly stream: PlacedEvent['stream']; firstSeq: number; lastSeq: number }>();
    for (const { stream, seq } of rows) {
      const name = streams.textOf(stream);
      const range = ranges.get(name);
      if (range === undefined) ranges.set(name, { stream, firstSeq: seq, lastSeq: seq });
      else {
        range.firstSeq = Math.min(range.firstSeq, seq);
        range.lastSeq = Math.max(range.lastSeq, seq);
      }
    }
    for (const { stream, ...range } of ranges.values()) streams.widen(stream, day, range);
  }

  /**
   * What the days' columns say of a card does not hold any more when something is said of one of its rows. A crash before this is made good: all of
   * it is offered again.
   */
  #markStale(opened: readonly Opened[], { deployment }: Now): void {
    const { days, streams } = this.#stores;
    const byDay = new Map<Day, RowNumber[]>();
    const mark = (stream: PlacedEvent['stream'], seq: number): void => {
      const number = streams.find(stream);
      if (number === undefined) return;
      for (const day of streams.daysThatMayHold(stream, seq)) byDay.set(day, [...(byDay.get(day) ?? []), { stream: number, seq }]);
    };
    for (const { events, doubt } of opened) {
      if (doubt !== undefined) mark({ ...doubt.row, deployment }, doubt.row.seq);
      for (const { event, stream } of events) if (event.type === 'undo') mark({ ...stream, keyId: event.of.keyId }, event.of.seq);
    }
    for (const [day, rows] of byDay) days.find(day)?.markStale(rows);
  }

  #noteEvent(row: PlacedEvent, now: Now): void {
    const { notes, cases, notices, names } = this.#stores;
    const { event, stream, seq, receivedAtMs } = row;
    if (event.type === 'notice-shown') notices.noteShown(names.of(event.card), row.atMs, row.uncertaintyMs);
    else if (event.type === 'undo') {
      // Of a scan that lies some minutes back at most.
      notices.rowsCame(row.atMs - row.uncertaintyMs - UNDO_REACH_MS, row.atMs + row.uncertaintyMs);
      // An undo names no card, and is kept by when it came: placed wrongly it would let what it takes back stand again.
      if (receivedAtMs < now.edgeMs) notes.addExpired(this.#number(row), now.nowMs);
      else {
        const of = { stream: this.#stores.streams.number({ ...stream, keyId: event.of.keyId }), seq: event.of.seq };
        notes.addUndo(this.#number({ stream, seq }), of, receivedAtMs);
      }
    } else if (!isDayRow(row) && !isStickerRow(row)) return;
    else if (placedAtMs(row, now.edgeMs) < now.edgeMs) notes.addExpired(this.#number(row), now.nowMs);
    else if (isStickerRow(row)) {
      cases.note(row, placedAtMs(row, now.edgeMs));
      notices.caseMayCome();
    }
  }

  /** Traces that these rows may change are to be done again. */
  #tellTraces(byDay: ReadonlyMap<Day, readonly DayRow[]>): void {
    const { notices, names } = this.#stores;
    let fromMs = Number.POSITIVE_INFINITY;
    let toMs = Number.NEGATIVE_INFINITY;
    for (const row of [...byDay.values()].flat()) {
      const { event, atMs, uncertaintyMs } = row;
      if (event.type === 'temperature') {
        if (event.estimate >= event.threshold)
          notices.noteHighReading(this.#number(row), names.of(event.card), atMs, row.placement.flagRule);
        continue;
      }
      fromMs = Math.min(fromMs, atMs - uncertaintyMs);
      toMs = Math.max(toMs, atMs + uncertaintyMs);
    }
    if (fromMs <= toMs) notices.rowsCame(fromMs, toMs);
  }

  #noteFlag(flag: FlagEntry, now: Now): void {
    this.#stores.notes.setFlag(this.#numberOf(flag.reading, now), flag);
    this.#stores.notices.noteFlag();
  }

  #noteDoubt({ row, reason, raisedAtMs }: DoubtEntry, now: Now): void {
    if (raisedAtMs >= now.edgeMs) this.#stores.notes.addDoubt(this.#numberOf(row, now), reason, raisedAtMs);
  }

  #numberOf({ kiosk, keyId, seq }: RowIdentity, { deployment }: Now): RowNumber {
    return { stream: this.#stores.streams.number({ deployment, kiosk, keyId }), seq };
  }

  #addRows(day: Day, rows: readonly DayRow[]): void {
    const { days, names, streams } = this.#stores;
    const cards = new Uint8Array(16 * rows.length);
    for (const [index, { event }] of rows.entries()) cards.set(event.card, 16 * index);
    const named = names.ofMany(cards);
    const startMs = startOfDay(day);
    const scans = rows.map((row, index): StoredScan => {
      const { event, placement, seq } = row;
      const { dwellMs, lingeringMs } = placement;
      return {
        stream: streams.number(row.stream),
        seq,
        card: named.subarray(16 * index, 16 * index + 16) as CardPseudonym,
        venue: streams.venueNumber(placement.venue),
        kind: event.type === 'temperature' ? 'reading' : event.type,
        atMs: Math.max(row.atMs, startMs),
        uncertaintyMs: Math.min(row.uncertaintyMs, MOST_UNCERTAINTY_MS),
        // Either is cut to less by the visit rule: what it is cut to fits the columns.
        dwellMs: Math.min(dwellMs, LONGEST_STAY_MS),
        lingeringMs: Math.min(lingeringMs, LONGEST_LINGERING_MS),
        groupSize: event.type === 'check-in' ? event.groupSize : 1,
      };
    });
    days.findOrMake(day).add(scans);
  }

  #number({ stream, seq }: { readonly stream: PlacedEvent['stream']; readonly seq: number }): RowNumber {
    return { stream: this.#stores.streams.number(stream), seq };
  }
}

/**
 * Nothing is past retention for its clock alone: a row that came within retention and could only be placed before it is put at
 * retention's edge.
 */
const placedAtMs = (row: PlacedEvent, edgeMs: number): number =>
  row.isUnplaced && row.receivedAtMs >= edgeMs ? Math.max(row.atMs, edgeMs) : row.atMs;
