/**
 * What a day's columns do not say, or not any more: the visits of cards that came since, of which something was said since, or that can not be
 * told from that day alone. Made of scans by the visit rule, and remembered until something changes.
 *
 * Columns are made of one day's scans alone. They hold for a card unless it
 * - has rows here that are not in them, or rows of which an undo or a doubt speaks since (of this day, or of the ones beside it);
 * - was still in when this day or the one before ended; or
 * - went out early on this day or the next without having come in on it.
 */

import { dayAfter, dayBefore } from './card-scans.ts';
import { type Day, startOfDay } from './day.ts';
import { namesIn } from './day-erase.ts';
import type { DayFile } from './day-file.ts';
import type { FreshScans } from './fresh-scans.ts';
import type { RowNumber } from './notes.ts';
import type { CardPseudonym } from './pseudonym.ts';
import { KINDS } from './scan-columns.ts';
import type { CardVisit, VisitColumns } from './store.ts';
import { CardTable } from './trace/card-table.ts';
import { LONGEST_STAY_MS } from './visit.ts';
import { VisitGatherer } from './visit-columns.ts';

const CHECK_IN = KINDS.indexOf('check-in');
const CHECK_OUT = KINDS.indexOf('check-out');

/** A visit with a scan on this day. */
export interface OverlaidVisit extends CardVisit {
  readonly card: CardPseudonym;
  readonly startDay: Day;
}

/** Opens a day's file; `undefined` for a day that is not held, or that can not be read. */
export type FindDay = (day: Day) => DayFile | undefined;

export interface OverlayRows {
  /** Whether a row was not taken back. */
  readonly stands: (row: RowNumber) => boolean;
  /** Whose a stream is. */
  readonly gatewayOf: (stream: number) => string;
}

interface VenueVisits {
  readonly visits: Set<OverlaidVisit>;
  /** Of those that start on this day, and of those that started before. */
  columns: { readonly own: VisitColumns; readonly earlier: VisitColumns } | undefined;
}

export class DayOverlay {
  readonly day: Day;
  /** Cards whose visits are told here. */
  readonly cards = new CardTable();
  readonly #visits: OverlaidVisit[][] = [];
  readonly #byVenue = new Map<string, VenueVisits>();
  readonly #taken = new Map<Day, Taken>();
  readonly #waiting = new Set<number>();

  constructor(day: Day) {
    this.day = day;
  }

  /** How many cards are still to be told of: see `tell`. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Notes which cards are to be told anew. @returns false when all has to be begun anew, in a new overlay. */
  look(find: FindDay, rows: OverlayRows): boolean {
    const days = [dayBefore(this.day), this.day, dayAfter(this.day)];
    for (const day of days) {
      const file = find(day);
      const taken = this.#taken.get(day);
      if (taken !== undefined && (taken.file !== file || taken.epoch !== file.epoch)) return false;
      if (file === undefined) continue;
      if (taken?.version === file.version) continue;
      const stale = file.stalePrefixes();
      const fresh = file.fresh();
      if (taken === undefined) for (const kind of ['in', 'out'] as const) this.#takeLoose(file, day, kind);
      for (const prefix of stale) this.#takePrefix(find, prefix);
      this.#takeFresh(fresh, taken?.scans ?? 0, day, rows);
      this.#taken.set(day, { file, version: file.version, epoch: file.epoch, scans: fresh.count });
    }
    return true;
  }

  /** Tells the cards that wait, until `isEnough`. @param visitsOn the visits of a card with a scan on the day. */
  tell(visitsOn: (card: CardPseudonym, day: Day) => OverlaidVisit[], isEnough: () => boolean): void {
    for (const number of this.#waiting) {
      if (isEnough()) return;
      this.#waiting.delete(number);
      for (const visit of this.#visits[number] ?? []) this.#at(visit.venue).visits.delete(visit);
      const visits = visitsOn(this.cards.name(number), this.day);
      this.#visits[number] = visits;
      for (const visit of visits) this.#at(visit.venue).visits.add(visit);
    }
  }

  /** @param hasEarlier whether those that started on a day before are wanted, too. */
  columnsAt(venue: string, hasEarlier: boolean): VisitColumns[] {
    const at = this.#byVenue.get(venue);
    if (at === undefined) return [];
    at.columns ??= {
      own: this.#columns([...at.visits].filter(({ startDay }) => startDay === this.day)),
      earlier: this.#columns([...at.visits].filter(({ startDay }) => startDay < this.day)),
    };
    const { own, earlier } = at.columns;
    return (hasEarlier ? [own, earlier] : [own]).filter(({ count }) => count > 0);
  }

  #columns(visits: readonly OverlaidVisit[]): VisitColumns {
    const gatherer = new VisitGatherer();
    for (const visit of visits) gatherer.push(visit, visit.rows, 0, visit.card);
    const sorted = visits.map((_, index) => index).sort((a, b) => gatherer.fromMs(a) - gatherer.fromMs(b));
    return gatherer.columns(sorted, startOfDay(this.day));
  }

  #at(venue: string): VenueVisits {
    let at = this.#byVenue.get(venue);
    if (at === undefined) {
      at = { visits: new Set(), columns: undefined };
      this.#byVenue.set(venue, at);
    }
    at.columns = undefined;
    return at;
  }

  #take(names: Uint8Array, at: number): void {
    this.#waiting.add(this.cards.number(names, at));
  }

  #takeLoose(file: DayFile, day: Day, kind: 'in' | 'out'): void {
    if (day === (kind === 'in' ? dayAfter(this.day) : dayBefore(this.day))) return;
    for (const name of namesIn(file.loose(kind))) this.#take(name, 0);
  }

  #takePrefix(find: FindDay, prefix: number): void {
    const start = new Uint8Array([prefix >>> 8, prefix & 0xff]);
    const has = (names: Uint8Array, at: number): boolean => names[at] === start[0] && names[at + 1] === start[1];
    const file = find(this.day);
    if (file === undefined) return;
    const shelf = file.columns.generation === 0 ? undefined : file.shelf(file.shelfOf(start));
    for (let index = 0; index < (shelf?.count ?? 0); index++)
      if (shelf !== undefined && has(shelf.names, index * 16)) this.#take(shelf.names, index * 16);
    const { cards } = file.fresh();
    for (let number = 0; number < cards.size; number++) {
      const name = cards.name(number);
      if (has(name, 0)) this.#take(name, 0);
    }
  }

  /** Of this day every row counts; of the one before who may be in at its end, of the one behind who may have been in at its beginning. */
  #takeFresh(fresh: FreshScans, first: number, day: Day, rows: OverlayRows): void {
    const { scans, count } = fresh;
    const fromMs = startOfDay(this.day);
    const nextMs = startOfDay(dayAfter(this.day));
    for (let index = first; index < count; index++) {
      const atMs = scans.atMs[index] as number;
      const kind = scans.kinds[index];
      if (day < this.day && (kind !== CHECK_IN || atMs + Math.min(scans.dwellMs[index] as number, LONGEST_STAY_MS) < fromMs)) continue;
      if (day > this.day && (kind !== CHECK_OUT || atMs > nextMs + LONGEST_STAY_MS)) continue;
      if (day > this.day && isInBefore(fresh, index, rows)) continue;
      this.#take(scans.names, index * 16);
    }
  }
}

interface Taken {
  readonly file: DayFile;
  readonly version: number;
  readonly epoch: number;
  readonly scans: number;
}

/** Whether the card of a fresh check-out came in before it, at the same gateway, on that day and with other fresh rows. A check-in that is taken back later is stale then. */
function isInBefore(fresh: FreshScans, out: number, rows: OverlayRows): boolean {
  const { names, atMs, kinds, streams, seqs } = fresh.scans;
  const gateway = rows.gatewayOf(streams[out] as number);
  return fresh.indicesOf(names, out * 16).some((index) => {
    if (kinds[index] !== CHECK_IN || (atMs[index] as number) >= (atMs[out] as number)) return false;
    const row = { stream: streams[index] as number, seq: seqs[index] as number };
    return rows.gatewayOf(row.stream) === gateway && rows.stands(row);
  });
}
