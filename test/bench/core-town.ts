/**
 * A synthetic town, the same each time: neighbourhoods of 2,000 cards with their shops, tables, work places and so on, and halls for all of
 * them. Larger towns have more neighbourhoods and not larger ones, so that how many a person meets stays as it is.
 */
import type { PlacedEvent } from '../../core/accept.ts';
import { cardOf, placedRow } from '../core/town.ts';
import { seededRandom } from '../support/suite-size.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
export const TOWN_DAYS = 21;
/** A Monday. */
export const TOWN_START = Date.UTC(2026, 10, 2);
const CARDS_A_NEIGHBOURHOOD = 2_000;
const ROWS_A_BATCH = 64;
/** What a core keeps together. */
const BATCHES_A_KEEP = 256;
/** One in so many cards; a concert, a match, a fair. */
const CARDS_A_HALL = 10_000;
/** What each clock is unsure by. */
export const UNSURE_MS = 2_000;

interface Kind {
  readonly venues: number;
  /** Of the visits that are not to a place of work. */
  readonly share: number;
  readonly stayMs: number;
  readonly dwellMs: number;
}

const KINDS = {
  shop: { venues: 12, share: 0.45, stayMs: 20 * MINUTE, dwellMs: 45 * MINUTE },
  table: { venues: 8, share: 0.25, stayMs: 65 * MINUTE, dwellMs: 90 * MINUTE },
  leisure: { venues: 3, share: 0.15, stayMs: 80 * MINUTE, dwellMs: 120 * MINUTE },
  health: { venues: 2, share: 0.1, stayMs: 40 * MINUTE, dwellMs: 60 * MINUTE },
  hall: { venues: 0, share: 0.05, stayMs: 130 * MINUTE, dwellMs: 180 * MINUTE },
} as const satisfies Record<string, Kind>;
const WORKPLACES = 20;
const WORK_DWELL = 8 * HOUR;
const LOCAL_VENUES = Object.values(KINDS).reduce((sum, { venues }) => sum + venues, 0);
const VENUES_A_NEIGHBOURHOOD = LOCAL_VENUES + WORKPLACES;

/** A visit as the visit rule makes it of its rows; the span is widened by the clocks. */
export interface TownVisit {
  readonly card: number;
  readonly venue: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface TownDay {
  readonly visits: readonly TownVisit[];
  /** Batches as kiosks send them: by the time of the last row, 64 at most of one kiosk; some hundred that are kept together. Made as they are taken. */
  readonly keeps: Generator<PlacedEvent[][]>;
}

interface Row {
  readonly venue: number;
  readonly atMs: number;
  readonly card: number;
  readonly isOut: boolean;
  readonly dwellMs: number;
}

interface Stay {
  readonly venue: number;
  readonly atMs: number;
  readonly outMs: number | undefined;
  readonly dwellMs: number;
}

/** @param visits about so many in 21 days. */
export function townCards(visits: number): number {
  const neighbourhoods = Math.max(1, Math.round(visits / (CARDS_A_NEIGHBOURHOOD * VISITS_A_CARD)));
  return neighbourhoods * CARDS_A_NEIGHBOURHOOD;
}
/** As it comes out. */
const VISITS_A_CARD = 24.6;

/** @param fromMs the first instant of its first day. */
export function* townDays(cards: number, fromMs = TOWN_START): Generator<TownDay> {
  const random = seededRandom(11);
  const seqs = new Map<number, number>();
  for (let day = 0; day < TOWN_DAYS; day++) {
    const startMs = fromMs + day * DAY;
    const visits: TownVisit[] = [];
    const rows: Row[] = [];
    for (let card = 0; card < cards; card++) {
      const stays = staysOf(card, cards, startMs, day % 7 < 5, random);
      for (const [nth, { venue, atMs, outMs, dwellMs }] of stays.entries()) {
        rows.push({ venue, atMs, card, isOut: false, dwellMs });
        if (outMs !== undefined) rows.push({ venue, atMs: outMs, card, isOut: true, dwellMs });
        const nextMs = stays[nth + 1]?.atMs ?? Number.POSITIVE_INFINITY;
        const endMs = outMs ?? Math.min(atMs + dwellMs, nextMs);
        visits.push({ card, venue, fromMs: atMs - UNSURE_MS, toMs: endMs + UNSURE_MS });
      }
    }
    rows.sort((a, b) => a.atMs - b.atMs);
    yield { visits, keeps: keepsOf(batchesOf(rows, seqs, startMs + DAY)) };
  }
}

function* keepsOf(batches: Generator<PlacedEvent[]>): Generator<PlacedEvent[][]> {
  let together: PlacedEvent[][] = [];
  for (const batch of batches) {
    together.push(batch);
    if (together.length < BATCHES_A_KEEP) continue;
    yield together;
    together = [];
  }
  if (together.length > 0) yield together;
}

function* batchesOf(rows: readonly Row[], seqs: Map<number, number>, receivedAtMs: number): Generator<PlacedEvent[]> {
  const open = new Map<number, Row[]>();
  for (const row of rows) {
    const waiting = open.get(row.venue);
    if (waiting === undefined) open.set(row.venue, [row]);
    else waiting.push(row);
    if ((waiting?.length ?? 0) < ROWS_A_BATCH) continue;
    yield batchOf(waiting ?? [], seqs, receivedAtMs);
    open.delete(row.venue);
  }
  for (const waiting of open.values()) yield batchOf(waiting, seqs, receivedAtMs);
}

function batchOf(rows: readonly Row[], seqs: Map<number, number>, receivedAtMs: number): PlacedEvent[] {
  const batch: PlacedEvent[] = [];
  for (const { venue, atMs, card, isOut, dwellMs } of rows) {
    const seq = (seqs.get(venue) ?? 0) + 1;
    seqs.set(venue, seq);
    const happening = isOut
      ? ({ type: 'check-out', card: cardOf(card) } as const)
      : ({ type: 'check-in', card: cardOf(card), groupSize: 1, isSigned: true } as const);
    const placed = placedRow({ kiosk: venue, seq, venue, happening, atMs, uncertaintyMs: UNSURE_MS, dwellMs }, receivedAtMs);
    const [first] = batch;
    // As of one opened batch: rows of a kiosk share their stream and placement.
    batch.push(first === undefined ? placed : { ...placed, stream: first.stream, placement: first.placement });
  }
  return batch;
}

function staysOf(card: number, cards: number, startMs: number, isWeekday: boolean, random: () => number): Stay[] {
  const stays: Stay[] = [];
  const isWorker = card % 2 === 0;
  let freeMs = startMs + 8 * HOUR;
  const latestMs = startMs + 23.5 * HOUR;
  if (isWorker && isWeekday && random() < 0.75) {
    const neighbourhood = Math.floor(card / CARDS_A_NEIGHBOURHOOD);
    // Seven in ten work where they live.
    const at = card % 20 < 14 ? neighbourhood : spreadOf(card);
    const venue = venueAt(at % (cards / CARDS_A_NEIGHBOURHOOD), LOCAL_VENUES + ((card / 2) % WORKPLACES));
    const atMs = whole(startMs + 7.5 * HOUR + random() * HOUR);
    const outMs = whole(atMs + (6.5 + random() * 1.4) * HOUR);
    stays.push({ venue, atMs, outMs: random() < 0.6 ? outMs : undefined, dwellMs: WORK_DWELL });
    freeMs = outMs + 20 * MINUTE;
  }
  const wanted = isWorker ? countOf(random, 0.75) : countOf(random, 1.25);
  for (let nth = 0; nth < wanted; nth++) {
    const { venue, kind } = placeOf(card, cards, random);
    const atMs = whole(freeMs + random() * 0.6 * (latestMs - freeMs));
    const outMs = whole(Math.min(atMs + kind.stayMs * (0.4 + random() * 1.2), atMs + kind.dwellMs));
    if (outMs > latestMs || stays.at(-1)?.venue === venue) break;
    stays.push({ venue, atMs, outMs: random() < 0.6 ? outMs : undefined, dwellMs: kind.dwellMs });
    freeMs = outMs + 10 * MINUTE;
  }
  return stays;
}

/** In the neighbourhood eight times in ten; few venues have most visits. */
function placeOf(card: number, cards: number, random: () => number): { venue: number; kind: Kind } {
  const neighbourhoods = cards / CARDS_A_NEIGHBOURHOOD;
  const at = random() < 0.8 ? Math.floor(card / CARDS_A_NEIGHBOURHOOD) : Math.floor(random() * neighbourhoods);
  let pick = random();
  let before = 0;
  for (const kind of Object.values(KINDS)) {
    if (kind === KINDS.hall || pick < kind.share) {
      const halls = Math.max(1, Math.round(cards / CARDS_A_HALL));
      if (kind === KINDS.hall) return { venue: neighbourhoods * VENUES_A_NEIGHBOURHOOD + 1 + Math.floor(random() * halls), kind };
      return { venue: venueAt(at, before + Math.floor(kind.venues * random() ** 1.6)), kind };
    }
    pick -= kind.share;
    before += kind.venues;
  }
  throw new Error('town: no kind of venue');
}

/** As good as random: whatever number of neighbourhoods it is divided among, each gets as many. Source: MurmurHash3, its finaliser. */
function spreadOf(number: number): number {
  let mixed = number;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const venueAt = (neighbourhood: number, nth: number): number => 1 + neighbourhood * VENUES_A_NEIGHBOURHOOD + nth;
const whole = Math.floor;

/** 0 to 4, this many on average. */
function countOf(random: () => number, mean: number): number {
  let count = 0;
  for (let nth = 0; nth < 4; nth++) if (random() < mean / 4) count += 1;
  return count;
}
