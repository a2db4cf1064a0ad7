/**
 * The visits of one core, made of the scans as they lie in its day files: no visit is stored, so an undo or a late row is in the very next
 * answer.
 */
import { StoreError } from '../protocol/errors.ts';
import type { VenueId } from '../protocol/ids.ts';
import { DAY_MS, type Day, dayOf } from './day.ts';
import { type DayFile, type StoredScan, SURE_MS, type VenueScan } from './day-file.ts';
import type { DayStore } from './day-store.ts';
import type { Notes, RowNumber } from './notes.ts';
import { type CardPseudonym, nameText } from './pseudonym.ts';
import type { CardVisit, VisitBlock, VisitStore } from './store.ts';
import type { Streams } from './streams.ts';
import { LONGEST_STAY_MS, overlapMs, type Scan, type Span, type Visit, visitsOf } from './visit.ts';
import { columnsOf, type VisitRow } from './visit-columns.ts';

/** Times that are less sure than this are taken to be this sure: what an unplaced stamp gets (protocol/clock-correction.ts). */
export const MOST_UNCERTAINTY_MS = DAY_MS;

export interface VisitSources {
  readonly days: DayStore;
  readonly streams: Streams;
  readonly notes: Notes;
}

export interface VisitLook {
  /** The oldest day within retention; what lies before it is not looked at, dropped yet or not. */
  readonly firstDay: Day;
  /** Called for each day that can not be read, which is then left out. When not given, such a day is thrown. */
  readonly onUnreadable?: (day: Day, error: StoreError) => void;
}

type RowScan = Scan & RowNumber;

/** Answers one question: every look is at the same days, and each that can not be read is told of once. */
export class DayVisits implements VisitStore {
  readonly #sources: VisitSources;
  readonly #look: VisitLook;
  readonly #unreadable = new Set<Day>();
  readonly #heldDays: readonly Day[];

  constructor(sources: VisitSources, look: VisitLook) {
    this.#sources = sources;
    this.#look = look;
    this.#heldDays = sources.days.days().filter((day) => day >= look.firstDay);
  }

  visitsOf(card: CardPseudonym, span: Span): CardVisit[] {
    return visitsOf(this.#scansOf(card, this.#heldDays))
      .filter(({ possible }) => possible.fromMs <= span.toMs && possible.toMs >= span.fromMs)
      .map((visit) => ({ ...visit, rows: rowsOf(visit) }));
  }

  visitsAt(venue: VenueId, span: Span): VisitBlock[] {
    const rows: VisitRow[] = [];
    for (const suspect of this.#suspects(venue, span)) {
      for (const visit of this.#visitsNear(suspect, span)) {
        if (visit.venue === venue && visit.possible.fromMs <= span.toMs && visit.possible.toMs >= span.fromMs)
          rows.push({ ...visit, card: suspect.card, rows: rowsOf(visit) });
      }
    }
    const columns = columnsOf(rows, Math.round((span.fromMs + span.toMs) / 2));
    return [{ columns, isElsewhere: () => false }];
  }

  /** The cards that may have been at the venue in a span: none is missing, some are too many. */
  #suspects(venueId: VenueId, span: Span): Suspect[] {
    const venue = this.#sources.streams.findVenue(venueId);
    if (venue === undefined) return [];
    const scans = this.#read(around(span, LONGEST_STAY_MS + SURE_MS), (file, { fromMs, toMs }) => file.scansAt(venue, fromMs, toMs)).filter(
      (scan) => scan.uncertaintyMs <= SURE_MS,
    );
    const unsure = this.#read(around(span, LONGEST_STAY_MS + MOST_UNCERTAINTY_MS), (file, { fromMs, toMs }) =>
      file.unsureScansAt(venue, fromMs, toMs),
    );
    const suspects = new Map<string, Suspect>();
    for (const scan of [...scans, ...unsure].sort((a, b) => a.atMs - b.atMs)) {
      const text = nameText(scan.card);
      let suspect = suspects.get(text);
      if (suspect === undefined) {
        suspect = new Suspect(scan.card as Uint8Array as CardPseudonym);
        suspects.set(text, suspect);
      }
      suspect.see(scan, span);
    }
    return [...suspects.values()].filter((suspect) => suspect.mayReach(span));
  }

  #visitsNear(suspect: Suspect, span: Span): Visit<RowScan>[] {
    const widestMs = 2 * LONGEST_STAY_MS + (suspect.isUnsure ? MOST_UNCERTAINTY_MS : SURE_MS);
    return visitsOf(this.#scansOf(suspect.card, this.#daysOf(around(span, widestMs))));
  }

  #scansOf(card: CardPseudonym, days: readonly Day[]): RowScan[] {
    const { streams, notes } = this.#sources;
    const stored: StoredScan[] = days.flatMap((day) => this.#readDay(day, (file) => file.scansOf(card)));
    return stored
      .filter((scan) => !notes.isUndone(scan))
      .map((scan) => ({
        kind: scan.kind,
        source: streams.source(scan.stream),
        stream: scan.stream,
        seq: scan.seq,
        venue: streams.venue(scan.venue),
        atMs: scan.atMs,
        uncertaintyMs: scan.uncertaintyMs,
        dwellMs: scan.dwellMs,
        lingeringMs: scan.lingeringMs,
        groupSize: scan.groupSize,
        isDoubtful: notes.isDoubted(scan),
      }));
  }

  #read<T>(span: Span, look: (file: DayFile, span: Span) => T[]): T[] {
    return this.#daysOf(span).flatMap((day) => this.#readDay(day, (file) => look(file, span)));
  }

  #readDay<T>(day: Day, look: (file: DayFile) => T[]): T[] {
    if (this.#unreadable.has(day)) return [];
    try {
      const file = this.#sources.days.find(day);
      return file === undefined ? [] : look(file);
    } catch (error) {
      const { onUnreadable } = this.#look;
      if (!(error instanceof StoreError) || onUnreadable === undefined) throw error;
      this.#unreadable.add(day);
      onUnreadable(day, error);
      return [];
    }
  }

  #daysOf(span: Span): Day[] {
    const first = dayOf(Math.max(span.fromMs, 0));
    const last = dayOf(span.toMs);
    return this.#heldDays.filter((day) => first <= day && day <= last);
  }
}

const rowsOf = ({ scans }: Visit<RowScan>): RowNumber[] => scans.map(({ stream, seq }) => ({ stream, seq }));

/**
 * One card's scans at a venue, seen in the order of time, as an upper bound of how long it can have been there. Undos and check-ins
 * elsewhere are not looked at, which can only make it longer.
 */
class Suspect {
  readonly card: CardPseudonym;
  isUnsure = false;
  readonly #checkIns: VenueScan[] = [];
  #fromMs = Number.POSITIVE_INFINITY;
  #toMs = Number.NEGATIVE_INFINITY;

  constructor(card: CardPseudonym) {
    this.card = card;
  }

  see(scan: VenueScan, within: Span): void {
    const { atMs, uncertaintyMs } = scan;
    const isSure = uncertaintyMs <= SURE_MS;
    this.isUnsure ||= !isSure;
    if (scan.isCheckIn) {
      this.#checkIns.push(scan);
      const latestMs = atMs + Math.min(scan.dwellMs, LONGEST_STAY_MS) + uncertaintyMs;
      this.#cover({ fromMs: atMs - uncertaintyMs, toMs: latestMs }, within);
      return;
    }
    if (!isSure) {
      // Its check-in may lie before all that was read.
      this.#cover({ fromMs: atMs - LONGEST_STAY_MS - MOST_UNCERTAINTY_MS, toMs: atMs + uncertaintyMs }, within);
      return;
    }
    for (const checkIn of this.#checkIns) {
      if (checkIn.atMs + LONGEST_STAY_MS < atMs) continue;
      this.#cover({ fromMs: checkIn.atMs - checkIn.uncertaintyMs, toMs: atMs + uncertaintyMs }, within);
    }
  }

  mayReach(span: Span): boolean {
    return this.#fromMs < this.#toMs && overlapMs(span, { fromMs: this.#fromMs, toMs: this.#toMs }) > 0;
  }

  #cover(part: Span, within: Span): void {
    if (part.toMs < within.fromMs || part.fromMs > within.toMs) return;
    this.#fromMs = Math.min(this.#fromMs, part.fromMs);
    this.#toMs = Math.max(this.#toMs, part.toMs);
  }
}

const around = (span: Span, byMs: number): Span => ({ fromMs: span.fromMs - byMs, toMs: span.toMs + byMs });
