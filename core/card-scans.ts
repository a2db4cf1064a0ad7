/** One card's scans over the days that its visits reach over: as many days as hang together, and no more. */
import { DAY_MS, type Day, dayOf, startOfDay } from './day.ts';
import type { StoredScan } from './scan-columns.ts';
import { LONGEST_STAY_MS } from './visit.ts';

/** What of a row's gateway and clock decides whether two days hang together. */
export interface DayScan extends Pick<StoredScan, 'kind' | 'atMs' | 'dwellMs' | 'seq' | 'stream'> {
  readonly deployment: string;
}

export const dayBefore = (day: Day): Day => dayOf(startOfDay(day) - DAY_MS);
export const dayAfter = (day: Day): Day => dayOf(startOfDay(day) + DAY_MS);

/**
 * Whether a visit of the earlier scans may reach into the later ones: a check-in is only ever continued or closed by what lies within its dwell,
 * and closed by a check-out within LONGEST_STAY_MS, and both before the next check-in. Without either, each side makes its visits alone. What
 * one gateway tells says nothing of the visits at another's venues.
 */
export function hangTogether(earlier: readonly DayScan[], later: readonly DayScan[]): boolean {
  return byGateway(earlier).some((own) =>
    hangTogetherAt(
      own,
      later.filter(({ deployment }) => deployment === own[0]?.deployment),
    ),
  );
}

/** @returns the scans of each gateway for themselves. */
export function byGateway<S extends { readonly deployment: string }>(scans: readonly S[]): (readonly S[])[] {
  const first = scans[0]?.deployment;
  // Most cards never leave the venues of one.
  if (scans.every(({ deployment }) => deployment === first)) return first === undefined ? [] : [scans];
  return [...Map.groupBy(scans, ({ deployment }) => deployment).values()];
}

function hangTogetherAt(earlier: readonly DayScan[], later: readonly DayScan[]): boolean {
  let last: DayScan | undefined;
  for (const scan of earlier) if (scan.kind === 'check-in' && (last === undefined || scan.atMs >= last.atMs)) last = scan;
  if (last === undefined) return false;
  let [firstInMs, firstOutMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { kind, atMs } of later) {
    if (kind === 'check-in') firstInMs = Math.min(firstInMs, atMs);
    if (kind === 'check-out') firstOutMs = Math.min(firstOutMs, atMs);
  }
  if (firstOutMs <= firstInMs && firstOutMs <= last.atMs + LONGEST_STAY_MS) return true;
  // Of several check-ins at that very instant the one with the longest dwell: which is the last is for the visit rule to say.
  const lastMs = last.atMs;
  return earlier.some(
    (scan) => scan.kind === 'check-in' && scan.atMs === lastMs && firstInMs <= scan.atMs + Math.min(scan.dwellMs, LONGEST_STAY_MS),
  );
}

export interface LinkedDays<S extends DayScan> {
  readonly first: Day;
  readonly last: Day;
  /** @returns the standing scans of the card on a day. */
  readonly scansOn: (day: Day) => readonly S[];
  /** Whether it is known that no visit on a day reaches over the beginning or end of that day. */
  readonly isAlone: (day: Day) => boolean;
}

/** @returns the scans from `first` to `last`, and of the days before and behind that hang together with them. */
export function linkedScans<S extends DayScan>({ first, last, scansOn, isAlone }: LinkedDays<S>): S[] {
  const byDay: (readonly S[])[] = [];
  for (let day = first; ; day = dayAfter(day)) {
    byDay.push(scansOn(day));
    if (day >= last) break;
  }
  for (let [day, head] = [first, byDay[0] ?? []]; head.length > 0 && !isAlone(day); ) {
    day = dayBefore(day);
    const before = scansOn(day);
    if (!hangTogether(before, head)) break;
    byDay.unshift(before);
    head = before;
  }
  for (let [day, tail] = [last, byDay.at(-1) ?? []]; tail.length > 0 && !isAlone(day); ) {
    day = dayAfter(day);
    const behind = scansOn(day);
    if (!hangTogether(tail, behind)) break;
    byDay.push(behind);
    tail = behind;
  }
  return byDay.flat();
}
