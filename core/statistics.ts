/** Counts of visits at one venue on one day, of what a store of visits tells: by hour, and by how many others were there. Of nobody in particular. */
import type { VenueId } from '../protocol/ids.ts';
import { DAY_MS, type Day, startOfDay } from './day.ts';
import type { VisitStore } from './store.ts';
import type { Span } from './visit.ts';

const HOUR_MS = 3_600_000;
export const HOURS = 24;

/** The least and the most others of each class, of a visit; the last has no end. */
export const CLASSES = [
  [0, 0],
  [1, 4],
  [5, 9],
  [10, 19],
  [20, 49],
  [50, Number.POSITIVE_INFINITY],
] as const;

/** @returns how many visits began in each hour of a day (UTC). @throws StoreError. */
export function visitsByHour(store: VisitStore, venue: VenueId, day: Day): number[] {
  const hours = Array<number>(HOURS).fill(0);
  for (const { beganMs } of visitsOn(store, venue, day)) {
    const hour = Math.floor((beganMs - startOfDay(day)) / HOUR_MS);
    hours[hour] = (hours[hour] ?? 0) + 1;
  }
  return hours;
}

/**
 * @param minimumMs the least overlap of two visits.
 * @returns how many of a day's visits overlapped with as many others of that day as each class of `CLASSES` says. Two visits of one card count
 * as two.
 */
export function visitsByOthers(store: VisitStore, venue: VenueId, day: Day, minimumMs: number): number[] {
  const visits = visitsOn(store, venue, day);
  const counts = Array<number>(CLASSES.length).fill(0);
  const long = visits.filter(({ fromMs, toMs }) => toMs - fromMs >= minimumMs);
  counts[0] = visits.length - long.length;
  const starts = ascending(long.map(({ fromMs }) => fromMs));
  const ends = ascending(long.map(({ toMs }) => toMs));
  for (const { fromMs, toMs } of long) {
    // Whoever was there by then, less whoever had left by then: all who had left had come before, since all of them stayed long enough.
    const others = below(starts, toMs - minimumMs + 1) - below(ends, fromMs + minimumMs) - 1;
    const at = CLASSES.findIndex(([least, most]) => others >= least && others <= most);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

interface CountedVisit extends Span {
  /** By its clock: in the middle of when it may have been. */
  readonly beganMs: number;
}

/** The visits that began on a day, each as long as it can have been. */
function visitsOn(store: VisitStore, venue: VenueId, day: Day): CountedVisit[] {
  const firstMs = startOfDay(day);
  const lastMs = firstMs + DAY_MS - 1;
  const visits: CountedVisit[] = [];
  for (const block of store.visitsAt(venue, { fromMs: firstMs, toMs: lastMs })) {
    const { count, baseMs, fromMs, toMs, certainFromMs, certainToMs } = block.columns;
    for (let at = 0; at < count; at++) {
      const from = fromMs[at] ?? 0;
      const certain = certainFromMs[at] ?? 1;
      const beganMs = baseMs + (certain < (certainToMs[at] ?? 0) ? Math.round((from + certain) / 2) : from);
      if (block.isElsewhere(at) || beganMs < firstMs || beganMs > lastMs) continue;
      visits.push({ beganMs, fromMs: from + baseMs, toMs: (toMs[at] ?? 0) + baseMs });
    }
  }
  return visits;
}

const ascending = (numbers: number[]): number[] => numbers.sort((a, b) => a - b);

/** @returns how many of these, ascending, are less. */
function below(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
