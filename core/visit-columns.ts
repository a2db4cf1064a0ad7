/**
 * Makes columns of visits, and reads and writes them as they lie in a day's file: numbers little-endian, times behind the day's start.
 *
 *     u32      count n                  n x i32  possible from, to     n x u8   group size
 *     u32      rows m of all visits     n x i32  certain from, to      n x u8   1: doubtful
 *     u32      longest possible span    n x u32  lingering             n x 16   name of the card
 *     u32      0                        n x u32  where its rows end
 *     m x f64  sequence number          m x u32  stream
 */
import { StoreError } from '../protocol/errors.ts';
import type { RowNumber } from './notes.ts';
import { ownBuffer } from './scan-columns.ts';
import type { CardVisit, VisitColumns } from './store.ts';

type GatheredVisit = Pick<CardVisit, 'possible' | 'certain' | 'groupSize' | 'isDoubtful' | 'lingeringMs'>;

const HEAD_BYTES = 16;
const sizeOf = (count: number, rowCount: number): number => HEAD_BYTES + rowCount * 12 + count * 42;

/** @param baseMs what times are told behind; within 24 days of each of them. */
export function readVisits(bytes: Uint8Array, baseMs: number): VisitColumns {
  const buffer = ownBuffer(bytes);
  const [count = 0, rowCount = 0, longestMs = 0] = bytes.length < HEAD_BYTES ? [] : new Uint32Array(buffer, 0, 3);
  if (bytes.length < HEAD_BYTES || bytes.length !== sizeOf(count, rowCount))
    throw new StoreError('store.corrupt', `visits: ${bytes.length} bytes are not ${count} visits`);
  return { count, baseMs, longestMs, ...columnsIn(buffer, count, rowCount) };
}

/** @returns the bytes of the columns, which begin where these do. */
export const bytesOf = ({ names }: VisitColumns): Uint8Array => new Uint8Array(names.buffer);

/** Visits by and by, in columns that grow: as objects, those of a large day would take more memory than a small gateway has. */
export class VisitGatherer {
  readonly venues: number[] = [];
  readonly #fromMs: number[] = [];
  readonly #toMs: number[] = [];
  readonly #certainFromMs: number[] = [];
  readonly #certainToMs: number[] = [];
  readonly #lingeringMs: number[] = [];
  readonly #groupSizes: number[] = [];
  readonly #doubts: number[] = [];
  readonly #rowEnds: number[] = [];
  readonly #rowStreams: number[] = [];
  readonly #rowSeqs: number[] = [];
  #names = new Uint8Array(16 * 64);

  get count(): number {
    return this.venues.length;
  }

  /** @returns its index. */
  push(visit: GatheredVisit, rows: readonly RowNumber[], venue: number, card: Uint8Array): number {
    const { possible, certain } = visit;
    const index = this.venues.push(venue) - 1;
    if (this.#names.length < 16 * (index + 1)) {
      const wider = new Uint8Array(this.#names.length * 2);
      wider.set(this.#names);
      this.#names = wider;
    }
    this.#names.set(card, 16 * index);
    this.#fromMs.push(possible.fromMs);
    this.#toMs.push(possible.toMs);
    this.#certainFromMs.push(certain?.fromMs ?? 1);
    this.#certainToMs.push(certain?.toMs ?? 0);
    this.#lingeringMs.push(visit.lingeringMs);
    this.#groupSizes.push(visit.groupSize);
    this.#doubts.push(visit.isDoubtful ? 1 : 0);
    for (const { stream, seq } of rows) {
      this.#rowStreams.push(stream);
      this.#rowSeqs.push(seq);
    }
    this.#rowEnds.push(this.#rowStreams.length);
    return index;
  }

  fromMs(index: number): number {
    return this.#fromMs[index] ?? 0;
  }

  lengthMs(index: number): number {
    return (this.#toMs[index] ?? 0) - this.fromMs(index);
  }

  /** @param sorted which visits, by the start of their possible spans. @param baseMs within 24 days of each of their times. */
  columns(sorted: readonly number[], baseMs: number): VisitColumns {
    const count = sorted.length;
    let rowCount = 0;
    for (const index of sorted) rowCount += (this.#rowEnds[index] ?? 0) - this.#firstRow(index);
    const buffer = new ArrayBuffer(sizeOf(count, rowCount));
    const columns = columnsIn(buffer, count, rowCount);
    let row = 0;
    let longestMs = 0;
    for (let to = 0; to < count; to++) {
      const index = sorted[to] as number;
      const [fromMs, toMs] = [this.#fromMs[index] as number, this.#toMs[index] as number];
      const isSure = (this.#certainFromMs[index] as number) < (this.#certainToMs[index] as number);
      columns.names.set(this.#names.subarray(16 * index, 16 * index + 16), 16 * to);
      columns.fromMs[to] = fromMs - baseMs;
      columns.toMs[to] = toMs - baseMs;
      columns.certainFromMs[to] = isSure ? (this.#certainFromMs[index] as number) - baseMs : 1;
      columns.certainToMs[to] = isSure ? (this.#certainToMs[index] as number) - baseMs : 0;
      columns.lingeringMs[to] = this.#lingeringMs[index] as number;
      columns.groupSizes[to] = this.#groupSizes[index] as number;
      columns.doubts[to] = this.#doubts[index] as number;
      for (let from = this.#firstRow(index); from < (this.#rowEnds[index] as number); from++) {
        columns.rowStreams[row] = this.#rowStreams[from] as number;
        columns.rowSeqs[row] = this.#rowSeqs[from] as number;
        row += 1;
      }
      columns.rowEnds[to] = row;
      longestMs = Math.max(longestMs, toMs - fromMs);
    }
    new Uint32Array(buffer, 0, 3).set([count, rowCount, longestMs]);
    return { count, baseMs, longestMs, ...columns };
  }

  #firstRow(index: number): number {
    return index === 0 ? 0 : (this.#rowEnds[index - 1] as number);
  }
}

/** @returns the columns without the visits of a card; the same where it has none there. */
export function withoutCard(from: VisitColumns, card: Uint8Array): VisitColumns {
  const left: number[] = [];
  for (let index = 0; index < from.count; index++)
    if (Buffer.compare(from.names.subarray(index * 16, index * 16 + 16), card) !== 0) left.push(index);
  if (left.length === from.count) return from;
  const rows = left.flatMap((index) => rowIndicesOf(from, index));
  const buffer = new ArrayBuffer(sizeOf(left.length, rows.length));
  const to = columnsIn(buffer, left.length, rows.length);
  for (const name of ['fromMs', 'toMs', 'certainFromMs', 'certainToMs', 'lingeringMs', 'groupSizes', 'doubts'] as const)
    for (const [at, index] of left.entries()) to[name][at] = from[name][index] as number;
  let end = 0;
  for (const [at, index] of left.entries()) {
    to.names.set(from.names.subarray(index * 16, index * 16 + 16), at * 16);
    end += rowIndicesOf(from, index).length;
    to.rowEnds[at] = end;
  }
  for (const [at, row] of rows.entries()) {
    to.rowStreams[at] = from.rowStreams[row] as number;
    to.rowSeqs[at] = from.rowSeqs[row] as number;
  }
  new Uint32Array(buffer, 0, 3).set([left.length, rows.length, from.longestMs]);
  return { count: left.length, baseMs: from.baseMs, longestMs: from.longestMs, ...to };
}

function rowIndicesOf({ rowEnds }: VisitColumns, index: number): number[] {
  const first = index === 0 ? 0 : (rowEnds[index - 1] as number);
  return Array.from({ length: (rowEnds[index] as number) - first }, (_, row) => first + row);
}

function columnsIn(buffer: ArrayBuffer, count: number, rowCount: number): Omit<VisitColumns, 'count' | 'baseMs' | 'longestMs'> {
  let at = HEAD_BYTES;
  const next = (bytes: number): number => {
    at += bytes;
    return at - bytes;
  };
  return {
    rowSeqs: new Float64Array(buffer, next(rowCount * 8), rowCount),
    fromMs: new Int32Array(buffer, next(count * 4), count),
    toMs: new Int32Array(buffer, next(count * 4), count),
    certainFromMs: new Int32Array(buffer, next(count * 4), count),
    certainToMs: new Int32Array(buffer, next(count * 4), count),
    lingeringMs: new Uint32Array(buffer, next(count * 4), count),
    rowEnds: new Uint32Array(buffer, next(count * 4), count),
    rowStreams: new Uint32Array(buffer, next(rowCount * 4), rowCount),
    groupSizes: new Uint8Array(buffer, next(count), count),
    doubts: new Uint8Array(buffer, next(count), count),
    names: new Uint8Array(buffer, next(count * 16), count * 16),
  };
}
