/**
 * The visits of one core, from its day files. Columns say most of it; what they do not say, or not any more, is made of the scans at each look,
 * so that an undo or a late row is in the very next answer.
 */
import { StoreError } from '../protocol/errors.ts';
import type { DeploymentId, VenueId } from '../protocol/ids.ts';
import { byGateway, linkedScans } from './card-scans.ts';
import { DAY_MS, type Day, dayOf, startOfDay } from './day.ts';
import type { VisitRule } from './day-columns.ts';
import type { ColumnsState, DayFile, Hall, StoredScan } from './day-file.ts';
import { DayOverlay, type OverlaidVisit, type OverlayRows } from './day-overlay.ts';
import type { DayStore } from './day-store.ts';
import { LruMap } from './lru-map.ts';
import type { Notes, RowNumber } from './notes.ts';
import type { CardPseudonym } from './pseudonym.ts';
import type { CardVisit, VisitBlock, VisitColumns, VisitStore } from './store.ts';
import type { Streams } from './streams.ts';
import type { Tidier } from './tidier.ts';
import type { Turns } from './trace/turns.ts';
import { LONGEST_LINGERING_MS, LONGEST_STAY_MS, type Scan, type Span, type Visit, visitsOf } from './visit.ts';
import { readVisits } from './visit-columns.ts';

/** Times that are less sure than this are taken to be this sure: what an unplaced stamp gets (protocol/clock-correction.ts). */
export const MOST_UNCERTAINTY_MS = DAY_MS;

/** Of columns that were read. */
const MOST_HALL_BYTES = 32_000_000;

export interface VisitSources {
  readonly days: DayStore;
  readonly streams: Streams;
  readonly notes: Notes;
  /** Where the columns are made; a reader of another process has none. */
  readonly tidier?: Pick<Tidier, 'hold'>;
}

export interface VisitLook {
  /** The oldest day within retention; what lies before it is not looked at, dropped yet or not. */
  readonly firstDay: Day;
  /** Called for each day that can not be read, which is then left out. When not given, such a day is thrown. */
  readonly onUnreadable?: (day: Day, error: StoreError) => void;
}

/** What looks remember for each other. */
export class VisitMemory {
  readonly overlays = new Map<Day, DayOverlay>();
  readonly halls = new LruMap<Hall, VisitColumns>(
    MOST_HALL_BYTES,
    () => {},
    ({ names }) => names.buffer.byteLength,
  );

  /** Call when a day is dropped. */
  clear(): void {
    this.overlays.clear();
    this.halls.clear();
  }
}

type RowScan = Scan & RowNumber & { readonly venueNumber: number; readonly deployment: DeploymentId };

/** What is known of a stream's rows, as it was when they were first looked at. */
interface Stream {
  readonly source: string;
  readonly deployment: DeploymentId;
  readonly undone: ReadonlySet<number>;
  readonly doubted: ReadonlySet<number>;
}

/** How far the scans of a day can reach beyond it. */
type Reach = Pick<ColumnsState, 'mostUnsureMs' | 'mostLingeringMs'>;

const NO_REACH: Reach = { mostUnsureMs: 0, mostLingeringMs: 0 };
const FARTHEST_REACH: Reach = { mostUnsureMs: MOST_UNCERTAINTY_MS, mostLingeringMs: LONGEST_LINGERING_MS };

interface HeldDay {
  readonly day: Day;
  readonly startMs: number;
}

/** Answers one question: each day that can not be read is told of once. */
export class DayVisits implements VisitStore {
  readonly #sources: VisitSources;
  readonly #look: VisitLook;
  readonly #memory: VisitMemory;
  readonly #unreadable = new Set<Day>();
  readonly #unknownReach = new Set<Day>();
  readonly #refreshed = new Set<DayFile>();
  readonly #looked = new Map<Day, number | undefined>();
  readonly #venues = new Map<VenueId, number | undefined>();
  readonly #streams = new Map<number, Stream>();
  readonly #venueIds = new Map<number, VenueId>();
  readonly #files = new Map<Day, DayFile>();
  readonly #held: readonly HeldDay[];
  #mostLingeringMs: number | undefined;

  constructor(sources: VisitSources, look: VisitLook, memory = new VisitMemory()) {
    this.#sources = sources;
    this.#look = look;
    this.#memory = memory;
    const days = sources.days.days().filter((day) => day >= look.firstDay);
    this.#held = days.map((day) => ({ day, startMs: startOfDay(day) }));
    for (const day of memory.overlays.keys()) if (!days.includes(day)) memory.overlays.delete(day);
  }

  get mostLingeringMs(): number {
    this.#mostLingeringMs ??= this.#held.reduce((most, { day }) => Math.max(most, this.#reachOf(day).mostLingeringMs), 0);
    return this.#mostLingeringMs;
  }

  async makeReady(span: Span, turns: Turns): Promise<() => void> {
    const release = (await this.#sources.tidier?.hold()) ?? (() => {});
    try {
      for (const { day } of this.#daysFor(span)) {
        const overlay = this.#overlay(day);
        while (overlay.waiting > 0) {
          overlay.tell(this.#visitsOn, () => turns.isOver);
          await turns.next();
        }
      }
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  visitsOf(card: CardPseudonym, span: Span): CardVisit[] {
    const days = this.#daysFor(span);
    const [first, last] = [days[0]?.day, days.at(-1)?.day];
    if (first === undefined || last === undefined) return [];
    // What the columns say of a card holds for that day alone: nothing of it reaches over midnight.
    const isAlone = (day: Day): boolean => this.#held.some((held) => held.day === day) && this.#overlay(day).cards.find(card, 0) < 0;
    const scans = linkedScans({ first, last, scansOn: (day) => this.#standing(card, day), isAlone });
    return visitsAtEach(scans)
      .filter(({ possible }) => possible.fromMs <= span.toMs && possible.toMs >= span.fromMs)
      .map(asCardVisit);
  }

  visitsAt(venue: VenueId, span: Span): VisitBlock[] {
    const blocks: VisitBlock[] = [];
    const number = this.#venueNumber(venue);
    if (number === undefined) return blocks;
    for (const [nth, held] of this.#daysFor(span).entries()) {
      const { day } = held;
      const file = this.#find(day);
      if (file === undefined) continue;
      const overlay = this.#overlay(day);
      if (overlay.waiting > 0) overlay.tell(this.#visitsOn, () => false);
      const { cards } = overlay;
      const isNone = cards.size === 0;
      for (const columns of this.#readDay(day, () => this.#halls(file, held, number, span)) ?? [])
        blocks.push({ columns, isElsewhere: isNone ? never : (index) => cards.find(columns.names, index * 16) >= 0 });
      // A visit has a scan on each day that it reaches over: of those that began before, the first day looked at has all.
      for (const columns of overlay.columnsAt(venue, nth === 0)) blocks.push({ columns, isElsewhere: never });
    }
    return blocks;
  }

  /** The rule by which a day's columns are made. */
  get rule(): VisitRule {
    return (scans) => {
      const standing = scans.flatMap(this.#rowScan);
      return { standing, visits: visitsAtEach(standing) };
    };
  }

  /** Held days whose scans can be of a visit that touches a span, and those between them. */
  #daysFor({ fromMs, toMs }: Span): readonly HeldDay[] {
    const near = this.#held.filter(({ startMs }) => {
      const widestMs = MOST_UNCERTAINTY_MS;
      return startMs - widestMs <= toMs && startMs + DAY_MS + LONGEST_STAY_MS + widestMs > fromMs;
    });
    const isNear = ({ day, startMs }: HeldDay): boolean => {
      const unsureMs = this.#reachOf(day).mostUnsureMs;
      return startMs - unsureMs <= toMs && startMs + DAY_MS + LONGEST_STAY_MS + unsureMs > fromMs;
    };
    const first = near.findIndex(isNear);
    return first < 0 ? [] : near.slice(first, near.findLastIndex(isNear) + 1);
  }

  /** Of a day that can not be read the farthest there is: a look that may need the day meets that when it reads it, and no other does. */
  #reachOf(day: Day): Reach {
    if (this.#unknownReach.has(day)) return FARTHEST_REACH;
    try {
      return this.#find(day)?.columns ?? NO_REACH;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#unknownReach.add(day);
      return FARTHEST_REACH;
    }
  }

  #halls(file: DayFile, { startMs }: HeldDay, venue: number, { fromMs, toMs }: Span): VisitColumns[] {
    const columns: VisitColumns[] = [];
    for (const hall of file.hallsOf(venue)) {
      if (hall.fromMs > toMs || hall.toMs < fromMs) continue;
      const read = this.#readHall(file, hall, startMs);
      if (read !== undefined) columns.push(read);
    }
    return columns;
  }

  #readHall(file: DayFile, hall: Hall, startMs: number): VisitColumns | undefined {
    const known = this.#memory.halls.get(hall);
    if (known !== undefined) return known;
    const bytes = file.hall(hall.id);
    if (bytes === undefined) return undefined;
    const columns = readVisits(bytes, startMs);
    this.#memory.halls.set(hall, columns);
    return columns;
  }

  /** As it is when it is first asked for: what comes later is for the next question, so that one that takes long comes to an end. */
  #overlay(day: Day): DayOverlay {
    const { overlays } = this.#memory;
    const epoch = this.#find(day)?.epoch;
    const known = overlays.get(day);
    if (known !== undefined && this.#looked.has(day) && this.#looked.get(day) === epoch) return known;
    this.#looked.set(day, epoch);
    for (;;) {
      const overlay = overlays.get(day) ?? new DayOverlay(day);
      overlays.set(day, overlay);
      if (this.#readDay(day, () => overlay.look((one) => this.#find(one), this.#rows)) !== false) return overlay;
      overlays.delete(day);
    }
  }

  readonly #visitsOn = (card: CardPseudonym, day: Day): OverlaidVisit[] => {
    const scans = linkedScans({ first: day, last: day, scansOn: (one) => this.#standing(card, one), isAlone: never });
    return visitsAtEach(scans)
      .filter((visit) => visit.scans.some(({ atMs }) => dayOf(atMs) === day))
      .map((visit) => ({ ...asCardVisit(visit), card, startDay: dayOf(visit.startMs) }));
  };

  #standing(card: CardPseudonym, day: Day): RowScan[] {
    const stored = this.#readDay(day, () => this.#find(day)?.scansOf(card)) ?? [];
    return stored.flatMap(this.#rowScan);
  }

  #stream(stream: number): Stream {
    return remembered(this.#streams, stream, () => {
      const { streams, notes } = this.#sources;
      const [undone, doubted] = [notes.undoneOf(stream), notes.doubtedOf(stream)];
      return { source: streams.source(stream), deployment: streams.deployment(stream), undone, doubted };
    });
  }

  readonly #rows: OverlayRows = {
    stands: ({ stream, seq }) => !this.#stream(stream).undone.has(seq),
    gatewayOf: (stream) => this.#stream(stream).deployment,
  };

  /** @returns nothing for a reading, or for a row that was taken back. */
  readonly #rowScan = (scan: StoredScan): RowScan | [] => {
    const { kind, stream, seq, atMs, uncertaintyMs, dwellMs, lingeringMs, groupSize } = scan;
    if (kind === 'reading') return [];
    const { source, deployment, undone, doubted } = this.#stream(stream);
    if (undone.has(seq)) return [];
    const venue = remembered(this.#venueIds, scan.venue, () => this.#sources.streams.venue(scan.venue));
    const at = { kind, source, stream, seq, deployment, venue, venueNumber: scan.venue, atMs };
    return { ...at, uncertaintyMs, dwellMs, lingeringMs, groupSize, isDoubtful: doubted.has(seq) };
  };

  #venueNumber(venue: VenueId): number | undefined {
    if (!this.#venues.has(venue)) this.#venues.set(venue, this.#sources.streams.findVenue(venue));
    return this.#venues.get(venue);
  }

  #find(day: Day): DayFile | undefined {
    if (day < this.#look.firstDay) return undefined;
    const known = this.#files.get(day);
    if (known?.isOpen === true) return known;
    return this.#readDay(day, () => {
      const file = this.#sources.days.find(day);
      if (file !== undefined && !this.#refreshed.has(file)) {
        file.refresh();
        this.#refreshed.add(file);
      }
      if (file !== undefined) this.#files.set(day, file);
      return file;
    });
  }

  #readDay<T>(day: Day, look: () => T): T | undefined {
    if (this.#unreadable.has(day)) return undefined;
    try {
      return look();
    } catch (error) {
      const { onUnreadable } = this.#look;
      if (!(error instanceof StoreError) || onUnreadable === undefined) throw error;
      this.#unreadable.add(day);
      onUnreadable(day, error);
      return undefined;
    }
  }
}

function remembered<Key, Value>(known: Map<Key, Value>, key: Key, make: () => Value): Value {
  const held = known.get(key);
  if (held !== undefined) return held;
  const made = make();
  known.set(key, made);
  return made;
}

const never = (): boolean => false;

/** A gateway has its say of its own venues alone: what another tells of the card ends no visit here, and makes none longer. */
function visitsAtEach(scans: readonly RowScan[]): Visit<RowScan>[] {
  const each = byGateway(scans).map((own) => visitsOf(own));
  return each.length < 2 ? (each[0] ?? []) : each.flat().sort((a, b) => a.startMs - b.startMs);
}

function asCardVisit(visit: Visit<RowScan>): CardVisit {
  const { venue, possible, certain, groupSize, isDoubtful, lingeringMs, scans } = visit;
  const rows = scans.map(({ stream, seq }) => ({ stream, seq }));
  return { venue, possible, certain, groupSize, isDoubtful, lingeringMs, rows };
}
