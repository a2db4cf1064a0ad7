/**
 * The visit rule: what one card's scans say about where it was, and for how long. Pure: the same set of events gives the same
 * visits in whatever order, and however often, they arrived.
 *
 * - A check-in opens a visit. It ends with a check-out at that venue, with a check-in elsewhere (one card is in one place), or
 *   when the venue's dwell has passed since its last scan.
 * - A check-in at the same venue while in is the same visit; the dwell is counted from this last scan on.
 * - A check-out is believed up to LONGEST_STAY_MS after the last scan, so also when the dwell has passed: the person was there.
 * - A check-out while not in there is ignored. It tells of an instant and not since when: any length given to it would be made up.
 * - An undo takes its row back as if it had never been: a check-in taken back closes nothing elsewhere, a check-out taken back leaves
 *   the visit to the dwell.
 */
import type { VenueId } from '../protocol/ids.ts';

/**
 * How long after its last scan a visit can still be closed by a check-out; no dwell counts for longer.
 * Source: Directive 2003/88/EC, article 3: 11 hours' rest in each 24, so nobody's working day is longer than 13 hours.
 */
export const LONGEST_STAY_MS = 13 * 3_600_000;

/** Names a row: `source` is one kiosk under one content key, and sequence numbers within it are unique and rising. */
export interface RowName {
  readonly source: string;
  readonly seq: number;
}

export interface Scan extends RowName {
  readonly kind: 'check-in' | 'check-out';
  readonly venue: VenueId;
  /** Corrected, by the epoch. */
  readonly atMs: number;
  /** 0 or more: the truth lies within `atMs` plus or minus this. */
  readonly uncertaintyMs: number;
  /** Of the venue, when the row was taken; 0 or more. */
  readonly dwellMs: number;
  /** Of the venue, when the row was taken; 0 or more. */
  readonly lingeringMs: number;
  /** 1 to 99; of no meaning at a check-out. */
  readonly groupSize: number;
  /** Whether the gateway's triage doubts it. */
  readonly isDoubtful: boolean;
}

/** No air is said to linger for longer. */
export const LONGEST_LINGERING_MS = 24 * 3_600_000;

export interface TakenBack {
  readonly kind: 'undo';
  readonly of: RowName;
}

export type CardEvent<S extends Scan = Scan> = S | TakenBack;

/** From `fromMs` up to and without `toMs`; never ends before it starts. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Visit<S extends Scan = Scan> {
  readonly venue: VenueId;
  readonly startMs: number;
  readonly endMs: number;
  /** The longest that the visit can have been, as wide as the clocks are unsure. */
  readonly possible: Span;
  /** The part that holds whatever the clocks were; `undefined` where nothing does. Says nothing of a presumed dwell. */
  readonly certain: Span | undefined;
  readonly closedBy: 'check-out' | 'check-in-elsewhere' | 'dwell';
  /** The most people that any scan of the visit told of. */
  readonly groupSize: number;
  /** Whether any scan that it is made of is doubtful, the one that closed it among them. */
  readonly isDoubtful: boolean;
  /** How long after it others may still meet what was left in the air: the most that any scan of it told of, that at another venue left out. */
  readonly lingeringMs: number;
  /** The scans that it is made of, by their order, the one that closed it last. */
  readonly scans: readonly S[];
}

/** @returns how long two spans have in common, ms; 0 when they do not meet. */
export const overlapMs = (a: Span, b: Span): number => Math.max(0, Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs));

/** A visit that nothing has closed yet. */
interface Stay<S extends Scan> {
  readonly first: S;
  readonly last: S;
  readonly scans: S[];
}

/**
 * @param events all that is known of one card, in any order; the same row twice counts once; undos of others' rows do nothing.
 * @returns its visits in the order of their start; none overlaps another, disregarding uncertainty.
 */
export function visitsOf<S extends Scan>(events: readonly CardEvent<S>[]): Visit<S>[] {
  const visits: Visit<S>[] = [];
  let stay: Stay<S> | undefined;
  for (const scan of standingScans(events)) {
    if (stay !== undefined && scan.venue === stay.last.venue) {
      if (scan.kind === 'check-in' && scan.atMs <= dwellEnd(stay.last)) {
        if (!isThere(stay, scan)) stay.scans.push(scan);
        stay = { first: stay.first, last: scan, scans: stay.scans };
        continue;
      }
      if (scan.kind === 'check-out' && scan.atMs <= stay.last.atMs + LONGEST_STAY_MS) {
        visits.push(closedByCheckOut(stay, scan));
        stay = undefined;
        continue;
      }
    }
    if (scan.kind === 'check-out') continue;
    if (stay !== undefined) visits.push(scan.atMs <= dwellEnd(stay.last) ? closedElsewhere(stay, scan) : closedByDwell(stay));
    stay = { first: scan, last: scan, scans: [scan] };
  }
  if (stay !== undefined) visits.push(closedByDwell(stay));
  return visits;
}

/** @returns until when a check-in keeps its visit open by itself. */
export const dwellEnd = (scan: Scan): number => scan.atMs + Math.min(scan.dwellMs, LONGEST_STAY_MS);

const closedByDwell = <S extends Scan>(stay: Stay<S>): Visit<S> => {
  const endMs = dwellEnd(stay.last);
  return visit(stay, stay.scans, 'dwell', endMs, endMs - stay.last.uncertaintyMs, endMs + stay.last.uncertaintyMs);
};

const closedByCheckOut = <S extends Scan>(stay: Stay<S>, scan: S): Visit<S> =>
  visit(stay, [...stay.scans, scan], 'check-out', scan.atMs, scan.atMs - scan.uncertaintyMs, scan.atMs + scan.uncertaintyMs);

/** However unsure the other kiosk's clock, the visit is no longer than the dwell would have let it be. */
const closedElsewhere = <S extends Scan>(stay: Stay<S>, scan: S): Visit<S> => {
  const endMs = dwellEnd(stay.last);
  const earliestMs = Math.min(scan.atMs - scan.uncertaintyMs, endMs - stay.last.uncertaintyMs);
  const latestMs = Math.min(scan.atMs + scan.uncertaintyMs, endMs + stay.last.uncertaintyMs);
  return visit(stay, [...stay.scans, scan], 'check-in-elsewhere', scan.atMs, earliestMs, latestMs);
};

function visit<S extends Scan>(
  { first }: Stay<S>,
  scans: readonly S[],
  closedBy: Visit['closedBy'],
  endMs: number,
  earliestEndMs: number,
  latestEndMs: number,
): Visit<S> {
  const latestStartMs = first.atMs + first.uncertaintyMs;
  let [groupSize, lingeringMs, isDoubtful] = [1, 0, false];
  for (const scan of scans) {
    isDoubtful ||= scan.isDoubtful;
    if (scan.venue === first.venue) lingeringMs = Math.max(lingeringMs, Math.min(scan.lingeringMs, LONGEST_LINGERING_MS));
    if (scan.venue === first.venue && scan.kind === 'check-in') groupSize = Math.max(groupSize, scan.groupSize);
  }
  return {
    venue: first.venue,
    startMs: first.atMs,
    endMs,
    possible: { fromMs: first.atMs - first.uncertaintyMs, toMs: latestEndMs },
    certain: latestStartMs < earliestEndMs ? { fromMs: latestStartMs, toMs: earliestEndMs } : undefined,
    closedBy,
    groupSize,
    isDoubtful,
    lingeringMs,
    scans,
  };
}

/** A row that came twice lies behind itself. */
const isThere = <S extends Scan>({ last }: Stay<S>, scan: S): boolean => last.seq === scan.seq && last.source === scan.source;

/**
 * The scans that were not taken back, in an order that is the same however they arrived. One that came twice need not be told: behind
 * itself, at the same instant, it is the same card again while in, or a check-out while not in.
 */
function standingScans<S extends Scan>(events: readonly CardEvent<S>[]): S[] {
  const takenBack = new Set<string>();
  for (const event of events) if (event.kind === 'undo') takenBack.add(rowText(event.of));
  const scans = events.filter((event): event is S => event.kind !== 'undo');
  return (takenBack.size === 0 ? scans : scans.filter((scan) => !takenBack.has(rowText(scan)))).sort(inOrder);
}

const rowText = (row: RowName): string => `${row.source}/${row.seq}`;

/** By time; at the same millisecond one kiosk's rows keep their sequence. */
const inOrder = (a: Scan, b: Scan): number => a.atMs - b.atMs || (a.source < b.source ? -1 : a.source > b.source ? 1 : 0) || a.seq - b.seq;
