/**
 * Tracing once more, from docs/tracing.md alone: every pair of everything is looked at, nothing is indexed, remembered or shared with the core
 * but types. Slow, and plain enough to be read beside that page.
 */
import type { TracePolicy } from '../../core/trace/trace.ts';

/** A row as the page sees it. */
export interface ReferenceScan {
  readonly card: string;
  readonly kind: 'check-in' | 'check-out';
  /** Who told it. */
  readonly gateway: string;
  /** Kiosk and content key, as the page writes them. */
  readonly source: string;
  readonly seq: number;
  readonly venue: string;
  readonly at: number;
  readonly u: number;
  readonly dwell: number;
  readonly lingering: number;
  readonly group: number;
  readonly isDoubtful: boolean;
}

export interface ReferenceWorld {
  readonly scans: readonly ReferenceScan[];
  /** `source/seq` of rows that were taken back. */
  readonly takenBack: ReadonlySet<string>;
  readonly now: number;
}

interface ReferenceVisit {
  readonly card: string;
  readonly venue: string;
  readonly possible: readonly [from: number, to: number];
  readonly certain: readonly [from: number, to: number];
  readonly lingering: number;
  readonly group: number;
  readonly isDoubtful: boolean;
  readonly rows: readonly string[];
}

export interface ReferenceMeeting {
  readonly venue: string;
  readonly from: number;
  readonly to: number;
  readonly isCertain: boolean;
  readonly isDoubtful: boolean;
  readonly group: number;
  /** Sorted. */
  readonly rows: readonly string[];
}

export interface ReferenceExposure {
  readonly card: string;
  readonly priority: 'high' | 'medium';
  readonly order: 1 | 2;
  readonly meetings: readonly ReferenceMeeting[];
  readonly via?: { readonly card: string; readonly meeting: ReferenceMeeting };
}

const HOUR = 3_600_000;
/** Of rows of one gateway. */
const rowOf = (scan: ReferenceScan): string => `${scan.source}/${scan.seq}`;

/** Section 2, for every card and gateway. */
export function referenceVisits(world: ReferenceWorld): ReferenceVisit[] {
  const once = new Map(world.scans.map((scan) => [rowOf(scan), scan]));
  const standing = [...once.values()].filter((scan) => !world.takenBack.has(rowOf(scan)));
  const [cards, gateways] = [new Set(standing.map(({ card }) => card)), new Set(standing.map(({ gateway }) => gateway))];
  return [...cards].flatMap((card) =>
    [...gateways].flatMap((gateway) => visitsOfCard(standing.filter((scan) => scan.card === card && scan.gateway === gateway))),
  );
}

function visitsOfCard(unordered: readonly ReferenceScan[]): ReferenceVisit[] {
  const scans = unordered.map((scan) => ({ ...scan, u: Math.min(scan.u, 24 * HOUR), dwell: Math.min(scan.dwell, 13 * HOUR) }));
  scans.sort((a, b) => {
    if (a.at !== b.at) return a.at - b.at;
    if (a.source !== b.source) return a.source < b.source ? -1 : 1;
    return a.seq - b.seq;
  });
  const k = (s: number): number => scans.findLastIndex((scan, i) => i < s && scan.kind === 'check-in');
  const closes = (s: number): boolean => {
    const [scan, before] = [scans[s]!, scans[k(s)]];
    if (scan.kind !== 'check-out' || before === undefined) return false;
    if (before.venue !== scan.venue || scan.at > before.at + 13 * HOUR) return false;
    return !isClosedBetween(k(s), s);
  };
  const isClosedBetween = (a: number, b: number): boolean => scans.some((_, i) => i > a && i < b && closes(i));
  const continues = (s: number): boolean => {
    const [scan, before] = [scans[s]!, scans[k(s)]];
    if (before === undefined || before.venue !== scan.venue || scan.at > before.at + before.dwell) return false;
    return !isClosedBetween(k(s), s);
  };

  const visits: ReferenceVisit[] = [];
  const checkIns = scans.flatMap((scan, i) => (scan.kind === 'check-in' ? [i] : []));
  for (const [nth, first] of checkIns.entries()) {
    if (continues(first)) continue;
    const behind = checkIns.slice(nth + 1);
    const stop = behind.findIndex((i) => !continues(i));
    const made = [first, ...(stop < 0 ? behind : behind.slice(0, stop))];
    const [f, l] = [scans[first]!, scans[made.at(-1)!]!];
    const nextIndex = stop < 0 ? scans.length : behind[stop]!;
    const o = scans.find((_, i) => i > made.at(-1)! && i < nextIndex && closes(i));
    const next = scans[nextIndex];
    const n = o === undefined && next !== undefined && next.at <= l.at + l.dwell ? next : undefined;
    const dwelt = l.at + l.dwell;
    const to = o ? o.at + o.u : n ? Math.min(n.at + n.u, dwelt + l.u) : dwelt + l.u;
    const certainTo = o ? o.at - o.u : n ? Math.min(n.at - n.u, dwelt - l.u) : dwelt - l.u;
    const own = made.map((i) => scans[i]!);
    const atVenue = [...own, ...(o ? [o] : [])];
    const all = [...atVenue, ...(n ? [n] : [])];
    visits.push({
      card: f.card,
      venue: f.venue,
      possible: [f.at - f.u, to],
      certain: [f.at + f.u, certainTo],
      lingering: Math.min(24 * HOUR, Math.max(...atVenue.map(({ lingering }) => lingering))),
      group: Math.max(...own.map(({ group }) => group)),
      isDoubtful: all.some((scan) => scan.isDoubtful),
      rows: all.map(rowOf),
    });
  }
  return visits;
}

/** Section 3. */
function meeting(i: ReferenceVisit, j: ReferenceVisit, minimum: number, now: number): ReferenceMeeting | undefined {
  const from = Math.max(i.possible[0], j.possible[0]);
  const to = Math.min(i.possible[1] + i.lingering, j.possible[1], now);
  if (i.venue !== j.venue || i.card === j.card || to - from < minimum) return undefined;
  const isSure = i.certain[1] > i.certain[0] && j.certain[1] > j.certain[0];
  const sureMs = Math.min(i.certain[1] + i.lingering, j.certain[1], now) - Math.max(i.certain[0], j.certain[0]);
  return {
    venue: i.venue,
    from,
    to,
    isCertain: isSure && sureMs >= minimum,
    isDoubtful: i.isDoubtful || j.isDoubtful,
    group: j.group,
    rows: [...i.rows, ...j.rows].sort(),
  };
}

interface Pair {
  readonly met: ReferenceMeeting;
  readonly i: ReferenceVisit;
  readonly j: ReferenceVisit;
}

/** Section 4, "the first". */
function byFirst(a: Pair, b: Pair): number {
  if (a.met.venue !== b.met.venue) return a.met.venue < b.met.venue ? -1 : 1;
  const numbers = ({ met, i, j }: Pair) => [...i.possible, ...j.possible, -met.group];
  const [one, other] = [numbers(a), numbers(b)];
  for (const [at, number] of one.entries()) if (number !== other[at]) return number - other[at]!;
  return 0;
}

type Window = readonly [from: number, to: number];
const touches = (met: ReferenceMeeting, [a, b]: Window): boolean => met.from <= b && met.to >= a;

/** Section 4. @returns the exposures by card. */
export function referenceTrace(world: ReferenceWorld, card: string, anchorMs: number, policy: TracePolicy): Map<string, ReferenceExposure> {
  const visits = referenceVisits(world);
  const high: Window = [anchorMs - policy.highWindowMs, anchorMs];
  const far: Window = [anchorMs - policy.farWindowMs, anchorMs];
  /** Whom the visits of one card met. */
  const metBy = (infector: string, minimum: number, window: Window) =>
    visits
      .filter((i) => i.card === infector)
      .flatMap((i) =>
        visits.flatMap((j) => {
          const met = meeting(i, j, minimum, world.now);
          return met !== undefined && touches(met, window) ? [{ card: j.card, met, i, j }] : [];
        }),
      );
  const exposures = new Map<string, ReferenceExposure>();
  const first = metBy(card, policy.minimumOverlapMs, far);
  for (const other of new Set(first.map((one) => one.card))) {
    const meetings = first.filter((one) => one.card === other).map(({ met }) => met);
    meetings.sort((a, b) => a.from - b.from || a.to - b.to);
    const priority = meetings.some((met) => touches(met, high)) ? 'high' : 'medium';
    exposures.set(other, { card: other, priority, order: 1, meetings });
  }
  const between = metBy(card, policy.mediumMinimumOverlapMs, high);
  const ways: (Pair & { third: string; middle: string; firstMet: ReferenceMeeting })[] = [];
  for (const middle of new Set(between.map((one) => one.card))) {
    const meetings = between.filter((one) => one.card === middle);
    meetings.sort((a, b) => a.met.from - b.met.from || b.met.to - a.met.to || byFirst(a, b));
    const firstMet = meetings[0]!.met;
    for (const { card: third, met, i, j } of metBy(middle, policy.mediumMinimumOverlapMs, high)) {
      if (third === card || exposures.get(third)?.order === 1 || met.to <= firstMet.from) continue;
      ways.push({ third, met, i, j, middle, firstMet });
    }
  }
  ways.sort(
    (a, b) =>
      Number(b.met.isCertain) - Number(a.met.isCertain) ||
      Number(a.met.isDoubtful) - Number(b.met.isDoubtful) ||
      b.met.to - b.met.from - (a.met.to - a.met.from) ||
      a.met.from - b.met.from ||
      (a.middle < b.middle ? -1 : a.middle > b.middle ? 1 : 0) ||
      byFirst(a, b),
  );
  for (const { third, met, middle, firstMet } of ways) {
    if (exposures.has(third)) continue;
    exposures.set(third, { card: third, priority: 'medium', order: 2, meetings: [met], via: { card: middle, meeting: firstMet } });
  }
  return exposures;
}

/** Section 5. @returns a line for each visit of the case that met somebody: venue, from, to, visitors, cases. */
export function referenceClusters(
  world: ReferenceWorld,
  card: string,
  anchorMs: number,
  policy: TracePolicy,
  cases: ReadonlySet<string>,
): string[] {
  const visits = referenceVisits(world);
  const window: Window = [anchorMs - policy.backwardWindowMs, anchorMs];
  const lines: string[] = [];
  for (const own of visits.filter((visit) => visit.card === card)) {
    const met = new Set<string>();
    for (const other of visits) {
      const one = meeting(other, own, policy.minimumOverlapMs, world.now);
      if (one !== undefined && touches(one, window)) met.add(other.card);
    }
    const known = [...met].filter((one) => cases.has(one)).length;
    if (met.size > 0) lines.push(`${own.venue} ${own.possible[0]} ${Math.min(own.possible[1], world.now)} ${met.size} ${known}`);
  }
  return lines.sort();
}
