/**
 * Who overlapped with a card. Reads the scans as they lie in the day files and makes visits of them by the visit rule: no visit is
 * stored, so an undo or a late row is in the very next answer.
 *
 * For each visit of the card it looks at the scans of that venue around it (one index), leaves out every card whose scans there can
 * not come to the minimum whatever else is known, and makes the visits of the few that remain (another index).
 */
import { StoreError } from '../protocol/errors.ts';
import type { VenueId } from '../protocol/ids.ts';
import { DAY_MS, type Day, dayOf } from './day.ts';
import { type DayFile, type StoredScan, SURE_MS, type VenueScan } from './day-file.ts';
import type { DayStore } from './day-store.ts';
import type { Notes } from './notes.ts';
import { type CardPseudonym, type ContactPseudonym, contactPseudonym } from './pseudonym.ts';
import type { Streams } from './streams.ts';
import { LONGEST_STAY_MS, overlapMs, type Scan, type Span, type Visit, visitsOf } from './visit.ts';

export const DEFAULT_MINIMUM_OVERLAP_MS = 15 * 60_000;

/** Times that are less sure than this are taken to be this sure: what an unplaced stamp gets (protocol/clock-correction.ts). */
export const MOST_UNCERTAINTY_MS = DAY_MS;

/** Two visits, one of the card asked about and one of somebody else's, at one venue at one time. */
export interface Contact {
  /** For people to speak of; holds for this venue, day and answer only. */
  readonly contact: ContactPseudonym;
  readonly venue: VenueId;
  /** UTC, of the overlap's start. */
  readonly day: Day;
  /** The longest that they can have been there together. */
  readonly overlapMs: number;
  /** Whether the minimum is reached whatever the clocks were. A dwell that had to be presumed is taken as it is. */
  readonly isCertain: boolean;
  /** How many people were in on the other card: 1, or more for a group. */
  readonly groupSize: number;
  /** Whether one of the two visits rests on a scan that the gateway's triage doubts: to be weighed less, and never left out. */
  readonly isDoubtful: boolean;
  /** 1 for the overlap that started first. */
  readonly order: number;
}

export interface OverlapQuestion {
  /** 1 or more. */
  readonly minimumOverlapMs: number;
  /** When it is asked: nobody has been anywhere together any later, however long a visit that goes on may still last. */
  readonly nowMs: number;
  /** The oldest day within retention; what lies before it is not looked at, dropped yet or not. */
  readonly firstDay: Day;
  /** 32 random bytes, for this answer alone. */
  readonly answerKey: Uint8Array;
  /** Called for each day that can not be read, which is then left out. When not given, such a day is thrown. */
  readonly onUnreadable?: (day: Day, error: StoreError) => void;
}

type Sources = { readonly days: DayStore; readonly streams: Streams; readonly notes: Notes };

/** Answers one question: every look is at the same days, and each that can not be read is told of once. */
export class OverlapFinder {
  readonly #sources: Sources;
  readonly #question: OverlapQuestion;
  readonly #unreadable = new Set<Day>();
  readonly #heldDays: readonly Day[];

  constructor(sources: Sources, question: OverlapQuestion) {
    this.#sources = sources;
    this.#question = question;
    this.#heldDays = sources.days.days().filter((day) => day >= question.firstDay);
  }

  /** @returns every contact of a card, by the overlap's start. @throws StoreError of a day that can not be read. */
  contactsOf(card: CardPseudonym): Contact[] {
    const own = cardText(card);
    const found: (Omit<Contact, 'order'> & { startMs: number })[] = [];
    for (const visit of this.visitsOf(card)) {
      for (const suspect of this.#suspects(visit)) {
        if (suspect.text === own) continue;
        for (const other of this.#visitsNear(suspect, visit)) {
          const contact = this.#contact(visit, other, suspect.card);
          if (contact !== undefined) found.push(contact);
        }
      }
    }
    found.sort((a, b) => a.startMs - b.startMs || (a.contact < b.contact ? -1 : 1));
    return found.map(({ startMs: _, ...contact }, i) => ({ ...contact, order: i + 1 }));
  }

  /** @returns the visits of a card within retention. */
  visitsOf(card: CardPseudonym): Visit[] {
    return visitsOf(this.#scansOf(card, this.#heldDays));
  }

  #contact(own: Visit, other: Visit, card: CardPseudonym): (Omit<Contact, 'order'> & { startMs: number }) | undefined {
    const { minimumOverlapMs, answerKey, nowMs } = this.#question;
    const { venue } = own;
    const longestMs = other.venue === venue ? overlapMs(until(own.possible, nowMs), other.possible) : 0;
    if (longestMs < minimumOverlapMs) return undefined;
    const startMs = Math.max(own.possible.fromMs, other.possible.fromMs);
    const day = dayOf(startMs);
    const isCertain =
      own.certain !== undefined && other.certain !== undefined && overlapMs(until(own.certain, nowMs), other.certain) >= minimumOverlapMs;
    const contact = contactPseudonym(answerKey, card, venue, day);
    const isDoubtful = own.isDoubtful || other.isDoubtful;
    return { contact, venue, day, overlapMs: longestMs, isCertain, groupSize: other.groupSize, isDoubtful, startMs };
  }

  /** The cards that may have been at the venue long enough together with `visit`: none is missing, some are too many. */
  #suspects(visit: Visit): Suspect[] {
    const venue = this.#sources.streams.findVenue(visit.venue);
    if (venue === undefined) return [];
    const { fromMs, toMs } = visit.possible;
    const scans = this.#read(around(visit.possible, LONGEST_STAY_MS + SURE_MS), (file, { fromMs, toMs }) =>
      file.scansAt(venue, fromMs, toMs),
    ).filter((scan) => scan.uncertaintyMs <= SURE_MS);
    const unsure = this.#read(around(visit.possible, LONGEST_STAY_MS + MOST_UNCERTAINTY_MS), (file, { fromMs, toMs }) =>
      file.unsureScansAt(venue, fromMs, toMs),
    );
    const suspects = new Map<string, Suspect>();
    for (const scan of [...scans, ...unsure].sort((a, b) => a.atMs - b.atMs)) {
      const text = cardText(scan.card);
      let suspect = suspects.get(text);
      if (suspect === undefined) {
        suspect = new Suspect(text, scan.card as Uint8Array as CardPseudonym);
        suspects.set(text, suspect);
      }
      suspect.see(scan, { fromMs, toMs });
    }
    return [...suspects.values()].filter((suspect) => suspect.mayReach(visit.possible, this.#question.minimumOverlapMs));
  }

  #visitsNear(suspect: Suspect, visit: Visit): Visit[] {
    const widestMs = 2 * LONGEST_STAY_MS + (suspect.isUnsure ? MOST_UNCERTAINTY_MS : SURE_MS);
    return visitsOf(this.#scansOf(suspect.card, this.#daysOf(around(visit.possible, widestMs))));
  }

  #scansOf(card: CardPseudonym, days: readonly Day[]): Scan[] {
    const { streams, notes } = this.#sources;
    const stored: StoredScan[] = days.flatMap((day) => this.#readDay(day, (file) => file.scansOf(card)));
    return stored
      .filter((scan) => !notes.isUndone(scan))
      .map((scan) => ({
        kind: scan.kind,
        source: streams.source(scan.stream),
        seq: scan.seq,
        venue: streams.venue(scan.venue),
        atMs: scan.atMs,
        uncertaintyMs: scan.uncertaintyMs,
        dwellMs: scan.dwellMs,
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
      const { onUnreadable } = this.#question;
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

const until = ({ fromMs, toMs }: Span, nowMs: number): Span => ({ fromMs, toMs: Math.min(toMs, nowMs) });

/**
 * One card's scans at a venue, seen in the order of time, as an upper bound of how long it can have been there. Undos and check-ins
 * elsewhere are not looked at, which can only make it longer.
 */
class Suspect {
  readonly text: string;
  readonly card: CardPseudonym;
  isUnsure = false;
  readonly #checkIns: VenueScan[] = [];
  #fromMs = Number.POSITIVE_INFINITY;
  #toMs = Number.NEGATIVE_INFINITY;

  constructor(text: string, card: CardPseudonym) {
    this.text = text;
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

  mayReach(span: Span, minimumOverlapMs: number): boolean {
    return this.#fromMs < this.#toMs && overlapMs(span, { fromMs: this.#fromMs, toMs: this.#toMs }) >= minimumOverlapMs;
  }

  #cover(part: Span, within: Span): void {
    if (part.toMs < within.fromMs || part.fromMs > within.toMs) return;
    this.#fromMs = Math.min(this.#fromMs, part.fromMs);
    this.#toMs = Math.max(this.#toMs, part.toMs);
  }
}

const around = (span: Span, byMs: number): Span => ({ fromMs: span.fromMs - byMs, toMs: span.toMs + byMs });

const cardText = (card: Uint8Array): string => Buffer.from(card.buffer, card.byteOffset, card.byteLength).toString('latin1');
