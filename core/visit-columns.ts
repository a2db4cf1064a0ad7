/** Makes columns of visits. */
import type { RowNumber } from './notes.ts';
import type { CardPseudonym } from './pseudonym.ts';
import type { VisitColumns } from './store.ts';
import type { Span, Visit } from './visit.ts';

export interface VisitRow extends Pick<Visit, 'possible' | 'certain' | 'groupSize' | 'isDoubtful' | 'lingeringMs'> {
  readonly card: CardPseudonym;
  readonly rows: readonly RowNumber[];
}

const NOTHING: Span = { fromMs: 1, toMs: 0 };

/** @param baseMs within 24 days of each of the visits' times. */
export function columnsOf(visits: readonly VisitRow[], baseMs: number): VisitColumns {
  const sorted = visits.toSorted((a, b) => a.possible.fromMs - b.possible.fromMs);
  const count = sorted.length;
  const rowCount = sorted.reduce((sum, { rows }) => sum + rows.length, 0);
  const columns = {
    names: new Uint8Array(16 * count),
    fromMs: new Int32Array(count),
    toMs: new Int32Array(count),
    certainFromMs: new Int32Array(count),
    certainToMs: new Int32Array(count),
    lingeringMs: new Uint32Array(count),
    groupSizes: new Uint8Array(count),
    doubts: new Uint8Array(count),
    rowEnds: new Uint32Array(count),
    rowStreams: new Uint32Array(rowCount),
    rowSeqs: new Float64Array(rowCount),
  };
  let row = 0;
  let longestMs = 0;
  for (const [index, visit] of sorted.entries()) {
    const { card, possible, certain = { fromMs: baseMs + NOTHING.fromMs, toMs: baseMs + NOTHING.toMs }, rows } = visit;
    columns.names.set(card, 16 * index);
    columns.fromMs[index] = possible.fromMs - baseMs;
    columns.toMs[index] = possible.toMs - baseMs;
    columns.certainFromMs[index] = certain.fromMs - baseMs;
    columns.certainToMs[index] = certain.toMs - baseMs;
    columns.lingeringMs[index] = visit.lingeringMs;
    columns.groupSizes[index] = visit.groupSize;
    columns.doubts[index] = visit.isDoubtful ? 1 : 0;
    for (const { stream, seq } of rows) {
      columns.rowStreams[row] = stream;
      columns.rowSeqs[row] = seq;
      row += 1;
    }
    columns.rowEnds[index] = row;
    longestMs = Math.max(longestMs, possible.toMs - possible.fromMs);
  }
  return { count, baseMs, longestMs, ...columns };
}
