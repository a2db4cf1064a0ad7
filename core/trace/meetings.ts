/** Meetings as they are found, and as they are told: what is told is made of the few that an answer holds. */
import type { RowNumber } from '../notes.ts';
import type { CardPseudonym } from '../pseudonym.ts';
import type { VisitBlock } from '../store.ts';
import type { Span } from '../visit.ts';
import { isCertain, type Sought } from './encounters.ts';
import type { Meeting } from './trace.ts';

export interface Met {
  readonly sought: Sought;
  readonly block: VisitBlock;
  readonly index: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** By the sought one's minimum. */
  readonly isCertain: boolean;
}

interface Way {
  readonly met: Met;
  /** The person between. */
  readonly between: () => CardPseudonym;
}

/** Of two ways to the same card, whether the first is the one to tell: the surer, then the longer, then the earlier one; else one that is always the same. */
export function weightier(a: Way, b: Way): boolean {
  const [one, other] = [a.met, b.met];
  if (one.isCertain !== other.isCertain) return one.isCertain;
  const [doubt, otherDoubt] = [isDoubtful(one), isDoubtful(other)];
  if (doubt !== otherDoubt) return otherDoubt;
  const longerMs = one.toMs - one.fromMs - (other.toMs - other.fromMs);
  if (longerMs !== 0) return longerMs > 0;
  if (one.fromMs !== other.fromMs) return one.fromMs < other.fromMs;
  const byName = Buffer.compare(a.between(), b.between());
  if (byName !== 0) return byName < 0;
  return comesFirst(one, other);
}

/** Whether this is the meeting at which a card between met the case first. */
export function isEarlier(met: Met, other: Met | undefined): boolean {
  if (other === undefined || met.fromMs !== other.fromMs) return other === undefined || met.fromMs < other.fromMs;
  if (met.toMs !== other.toMs) return met.toMs > other.toMs;
  return comesFirst(met, other);
}

/** Of two meetings that weigh the same, one that is always the same: unsure clocks can make two visits of one card look alike. */
function comesFirst(one: Met, other: Met): boolean {
  const [{ visit }, { visit: others }] = [one.sought, other.sought];
  if (visit.venue !== others.venue) return visit.venue < others.venue;
  const [own, their] = [spanOf(one), spanOf(other)];
  const byTime = visit.possible.fromMs - others.possible.fromMs || visit.possible.toMs - others.possible.toMs || own.fromMs - their.fromMs;
  return (byTime || own.toMs - their.toMs || groupOf(other) - groupOf(one)) < 0;
}

const spanOf = ({ block: { columns }, index }: Met): Span => ({
  fromMs: (columns.fromMs[index] ?? 0) + columns.baseMs,
  toMs: (columns.toMs[index] ?? 0) + columns.baseMs,
});

const groupOf = ({ block, index }: Met): number => block.columns.groupSizes[index] ?? 1;

const isDoubtful = ({ sought, block, index }: Met): boolean => sought.visit.isDoubtful || block.columns.doubts[index] === 1;

/** @param minimumMs that `isCertain` is to be said of. */
export function meetingOf(met: Met, minimumMs: number): Meeting {
  const { sought, block, index, fromMs, toMs } = met;
  return {
    venue: sought.visit.venue,
    span: { fromMs, toMs },
    overlapMs: toMs - fromMs,
    isCertain: isCertain({ ...sought, minimumMs }, block, index),
    isDoubtful: isDoubtful(met),
    groupSize: groupOf(met),
    rows: rowsOf(met),
  };
}

function rowsOf({ sought, block, index }: Met): RowNumber[] {
  const rows = [...sought.visit.rows];
  const { rowEnds, rowStreams, rowSeqs } = block.columns;
  for (let row = index === 0 ? 0 : (rowEnds[index - 1] ?? 0); row < (rowEnds[index] ?? 0); row++)
    rows.push({ stream: rowStreams[row] ?? 0, seq: rowSeqs[row] ?? 0 });
  return rows;
}
