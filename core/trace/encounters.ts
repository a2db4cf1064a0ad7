/** Who met somebody at a visit: a pass over the columns of that venue. The inner loop of every trace. */
import type { CardVisit, VisitBlock, VisitStore } from '../store.ts';
import type { Span } from '../visit.ts';

/** A visit as it can infect others, or be infected. */
export interface Sought {
  readonly visit: CardVisit;
  /** The possible span, the air's lingering after it included where that counts. */
  readonly span: Span;
  /** The certain span, likewise. */
  readonly certain: Span | undefined;
  /** Shortest meeting that counts, 1 or more. */
  readonly minimumMs: number;
  /** Nobody has been anywhere later. */
  readonly nowMs: number;
  /** A meeting counts that touches these, both ends included. */
  readonly window: Span;
  /** Whether the others are the infectors: then the air lingers after them. */
  readonly isBackward?: boolean;
}

/** What is told of each visit that meets the sought one: the block, the visit's index in it, and the span of the meeting. */
export type OnMet = (block: VisitBlock, index: number, fromMs: number, toMs: number) => void;

/** @returns how many visits were looked at. The sought card's own visits are told as well. @throws StoreError. */
export function eachMet(store: VisitStore, sought: Sought, onMet: OnMet): number {
  const { visit, minimumMs, nowMs, window, isBackward = false } = sought;
  const fromMs = sought.span.fromMs;
  const toMs = Math.min(sought.span.toMs, nowMs);
  if (toMs - fromMs < minimumMs || toMs < window.fromMs || fromMs > window.toMs) return 0;
  let lookedAt = 0;
  const widestMs = isBackward ? store.mostLingeringMs : 0;
  for (const block of store.visitsAt(visit.venue, { fromMs: fromMs - widestMs, toMs })) {
    const { columns } = block;
    const { baseMs, count, longestMs } = columns;
    const from = fromMs - baseMs;
    const to = toMs - baseMs;
    const first = firstNotBefore(columns.fromMs, count, from - longestMs - widestMs);
    for (let index = first; index < count; index++) {
      const theirFrom = columns.fromMs[index] as number;
      if (theirFrom + minimumMs > to) break;
      lookedAt += 1;
      const theirTo = (columns.toMs[index] as number) + (isBackward ? (columns.lingeringMs[index] as number) : 0);
      const metFrom = theirFrom > from ? theirFrom : from;
      const metTo = theirTo < to ? theirTo : to;
      if (metTo - metFrom < minimumMs) continue;
      if (metFrom + baseMs > window.toMs || metTo + baseMs < window.fromMs) continue;
      if (block.isElsewhere(index)) continue;
      onMet(block, index, metFrom + baseMs, metTo + baseMs);
    }
  }
  return lookedAt;
}

/** @returns whether the two met for the minimum whatever the clocks were. */
export function isCertain({ certain, minimumMs, nowMs }: Sought, { columns }: VisitBlock, index: number): boolean {
  if (certain === undefined) return false;
  const fromMs = (columns.certainFromMs[index] as number) + columns.baseMs;
  const toMs = (columns.certainToMs[index] as number) + columns.baseMs;
  return toMs > fromMs && Math.min(toMs, certain.toMs, nowMs) - Math.max(fromMs, certain.fromMs) >= minimumMs;
}

/** @param sorted ascending. @returns the first index whose value is `value` or more; `count` when none is. */
function firstNotBefore(sorted: Int32Array, count: number, value: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
