/**
 * Exposures as they are written down, some at a time: flat, because each object that is handed from one thread to another takes the one that gets
 * it longer than the row it is written to.
 */
import type { VenueId } from '../../protocol/ids.ts';
import type { RowNumber } from '../notes.ts';
import { type CardPseudonym, PSEUDONYM_BYTES } from '../pseudonym.ts';
import { LONGEST_LINGERING_MS, LONGEST_STAY_MS } from '../visit.ts';
import type { Exposure, Meeting, Priority } from './trace.ts';

/** One meeting, and which rows made it. */
export interface LineageStep extends Pick<Meeting, 'overlapMs' | 'isCertain' | 'isDoubtful' | 'groupSize'> {
  /** `case`: the case and this card, or the person between; `between`: that person and this card. */
  readonly of: 'case' | 'between';
  readonly venue: VenueId;
  readonly fromMs: number;
  readonly toMs: number;
  readonly rows: readonly RowNumber[];
}

/** One of them as it is written. */
export interface ExposureRow {
  readonly card: CardPseudonym;
  readonly priority: Priority;
  readonly order: 1 | 2;
  /** Of its longest meeting. */
  readonly metAtMs: number;
  readonly overlapMs: number;
  readonly isCertain: boolean;
  /** No row that made it can lie before. */
  readonly reachMs: number;
  /** JSON of `LineageStep`s. */
  readonly lineage: string;
}

export interface ExposureRows {
  /** 16 bytes each. */
  readonly cards: Uint8Array<ArrayBuffer>;
  /** `NUMBERS` each. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly lineages: readonly string[];
}

const NUMBERS = 6;

export function encodeRows(exposures: readonly Exposure[]): ExposureRows {
  const cards = new Uint8Array(exposures.length * PSEUDONYM_BYTES);
  const numbers = new Float64Array(exposures.length * NUMBERS);
  const lineages: string[] = [];
  for (const [index, exposure] of exposures.entries()) {
    const { card, priority, order, meetings } = exposure;
    const [first] = meetings;
    const longest = meetings.reduce((most, one) => (one.overlapMs > most.overlapMs ? one : most), first);
    const lineage = lineageOf(exposure);
    const earliestMs = Math.min(...lineage.map(({ fromMs }) => fromMs));
    // A scan may lie a whole stay, and what the air lingers, before the meeting that it made.
    const reachMs = Math.max(0, earliestMs - LONGEST_STAY_MS - LONGEST_LINGERING_MS);
    cards.set(card, index * PSEUDONYM_BYTES);
    numbers.set(
      [priority === 'high' ? 1 : 0, order, longest.span.fromMs, longest.overlapMs, Number(longest.isCertain), reachMs],
      index * NUMBERS,
    );
    lineages.push(JSON.stringify(lineage));
  }
  return { cards, numbers, lineages };
}

export function* decodeRows({ cards, numbers, lineages }: ExposureRows): Generator<ExposureRow, void> {
  for (const [index, lineage] of lineages.entries()) {
    const [high, order, metAtMs = 0, overlapMs = 0, certain, reachMs = 0] = numbers.subarray(index * NUMBERS, (index + 1) * NUMBERS);
    yield {
      card: cards.subarray(index * PSEUDONYM_BYTES, (index + 1) * PSEUDONYM_BYTES) as CardPseudonym,
      priority: high === 1 ? 'high' : 'medium',
      order: order === 1 ? 1 : 2,
      metAtMs,
      overlapMs,
      isCertain: certain === 1,
      reachMs,
      lineage,
    };
  }
}

function lineageOf({ order, meetings, via }: Exposure): LineageStep[] {
  const between = via === undefined ? [] : [stepOf('case', via.meeting)];
  return [...between, ...meetings.map((meeting) => stepOf(order === 1 ? 'case' : 'between', meeting))];
}

const stepOf = (of: LineageStep['of'], meeting: Meeting): LineageStep => {
  const { venue, span, overlapMs, isCertain, isDoubtful, groupSize, rows } = meeting;
  const { fromMs, toMs } = span;
  return { of, venue, fromMs, toMs, overlapMs, isCertain, isDoubtful, groupSize, rows: rows.map(({ stream, seq }) => ({ stream, seq })) };
};
