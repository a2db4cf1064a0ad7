/**
 * Scans in columns, as they lie in a day's file: 54 bytes each, numbers little-endian.
 *
 *     n x f64  sequence number          n x u32  how unsure, ms        n x u8   kind
 *     n x f64  at, ms since 1970        n x u32  dwell, ms             n x u8   group size
 *     n x u32  stream                   n x u32  lingering, ms         n x 16   name of the card
 *     n x u32  venue
 */
import { StoreError } from '../protocol/errors.ts';
import type { RowNumber } from './notes.ts';
import type { CardPseudonym } from './pseudonym.ts';

/** A row as it lies in a day's file: stream and venue by their numbers in core.db. Of a reading, only that it was taken. */
export interface StoredScan extends RowNumber {
  readonly card: CardPseudonym;
  readonly venue: number;
  readonly kind: 'check-in' | 'check-out' | 'reading';
  readonly atMs: number;
  readonly uncertaintyMs: number;
  readonly dwellMs: number;
  readonly lingeringMs: number;
  readonly groupSize: number;
}

export const KINDS = ['check-in', 'check-out', 'reading'] as const;

export interface ScanColumns {
  readonly count: number;
  readonly seqs: Float64Array;
  readonly atMs: Float64Array;
  readonly streams: Uint32Array;
  readonly venues: Uint32Array;
  readonly uncertaintyMs: Uint32Array;
  readonly dwellMs: Uint32Array;
  readonly lingeringMs: Uint32Array;
  /** Places in KINDS. */
  readonly kinds: Uint8Array;
  readonly groupSizes: Uint8Array;
  readonly names: Uint8Array;
}

/** All but the names, of which each takes 16 places. */
const COLUMNS = ['seqs', 'atMs', 'streams', 'venues', 'uncertaintyMs', 'dwellMs', 'lingeringMs', 'kinds', 'groupSizes'] as const;

export const SCAN_BYTES = 54;
/** Where names begin, by the number of scans. */
const NAMES_AT = 38;
const MOST_U32 = 2 ** 32 - 1;

/** @param bytes of whole scans, to be read and written through the columns. */
function viewOf(bytes: ArrayBuffer, count: number): ScanColumns {
  const u32 = (nth: number) => new Uint32Array(bytes, count * (16 + 4 * nth), count);
  return {
    count,
    seqs: new Float64Array(bytes, 0, count),
    atMs: new Float64Array(bytes, count * 8, count),
    streams: u32(0),
    venues: u32(1),
    uncertaintyMs: u32(2),
    dwellMs: u32(3),
    lingeringMs: u32(4),
    kinds: new Uint8Array(bytes, count * 36, count),
    groupSizes: new Uint8Array(bytes, count * 37, count),
    names: new Uint8Array(bytes, count * 38, count * 16),
  };
}

/** @returns columns over a copy of `bytes`. @throws StoreError `store.corrupt` when it is not of whole scans. */
export function readScans(bytes: Uint8Array): ScanColumns {
  if (bytes.length % SCAN_BYTES !== 0)
    throw new StoreError('store.corrupt', `scans: ${bytes.length} bytes are no whole scans of ${SCAN_BYTES}`);
  return viewOf(ownBuffer(bytes), bytes.length / SCAN_BYTES);
}

/** @returns the bytes of scans, in the order given. @throws RangeError for a number that is not whole or does not fit. */
export function writeScans(scans: readonly StoredScan[]): Uint8Array {
  const bytes = new ArrayBuffer(scans.length * SCAN_BYTES);
  const columns = viewOf(bytes, scans.length);
  for (let index = 0; index < scans.length; index++) {
    const scan = scans[index] as StoredScan;
    const { uncertaintyMs, dwellMs, lingeringMs, groupSize } = scan;
    columns.seqs[index] = whole(scan.seq, Number.MAX_SAFE_INTEGER);
    columns.atMs[index] = whole(scan.atMs, Number.MAX_SAFE_INTEGER);
    columns.streams[index] = whole(scan.stream, MOST_U32);
    columns.venues[index] = whole(scan.venue, MOST_U32);
    columns.uncertaintyMs[index] = whole(uncertaintyMs, MOST_U32);
    columns.dwellMs[index] = whole(dwellMs, MOST_U32);
    columns.lingeringMs[index] = whole(lingeringMs, MOST_U32);
    columns.kinds[index] = KINDS.indexOf(scan.kind);
    columns.groupSizes[index] = whole(groupSize, 255);
    columns.names.set(scan.card, index * 16);
  }
  return new Uint8Array(bytes);
}

/** @returns the bytes of some scans, in the order given. @param picks indices of scans. */
export function pickScans(from: ScanColumns, picks: ArrayLike<number>): Uint8Array {
  const bytes = new ArrayBuffer(picks.length * SCAN_BYTES);
  const to = viewOf(bytes, picks.length);
  for (let at = 0; at < picks.length; at++) copyScan(from, picks[at] as number, to, at);
  return new Uint8Array(bytes);
}

/** Scans by and by, in columns that widen: as objects, those of a large day would take more memory than a small gateway has. */
export class ScanGatherer {
  #columns: ScanColumns;
  #room: number;

  /** @param expected for so many there is room from the beginning. */
  constructor(expected = 64) {
    this.#room = Math.max(1, expected);
    this.#columns = { ...viewOf(new ArrayBuffer(this.#room * SCAN_BYTES), this.#room), count: 0 };
  }

  /** What was pushed so far: the columns may be longer than their count. They stay as they are when more is pushed. */
  get columns(): ScanColumns {
    return this.#columns;
  }

  pushAll(from: ScanColumns): void {
    const at = this.#widen(from.count);
    for (const name of COLUMNS) this.#columns[name].set(from[name].subarray(0, from.count) as never, at);
    this.#columns.names.set(from.names.subarray(0, from.count * 16), at * 16);
  }

  push(from: ScanColumns, picks: ArrayLike<number>): void {
    const at = this.#widen(picks.length);
    for (let nth = 0; nth < picks.length; nth++) copyScan(from, picks[nth] as number, this.#columns, at + nth);
  }

  /** @returns where the first of `more` scans goes. */
  #widen(more: number): number {
    const { count } = this.#columns;
    if (count + more > this.#room) {
      this.#room = Math.max(count + more, this.#room * 2);
      const wider = viewOf(new ArrayBuffer(this.#room * SCAN_BYTES), this.#room);
      for (const name of [...COLUMNS, 'names'] as const) wider[name].set(this.#columns[name] as never);
      this.#columns = wider;
    }
    this.#columns = { ...this.#columns, count: count + more };
    return count;
  }
}

function copyScan(from: ScanColumns, index: number, to: ScanColumns, at: number): void {
  to.seqs[at] = from.seqs[index] as number;
  to.atMs[at] = from.atMs[index] as number;
  to.streams[at] = from.streams[index] as number;
  to.venues[at] = from.venues[index] as number;
  to.uncertaintyMs[at] = from.uncertaintyMs[index] as number;
  to.dwellMs[at] = from.dwellMs[index] as number;
  to.lingeringMs[at] = from.lingeringMs[index] as number;
  to.kinds[at] = from.kinds[index] as number;
  to.groupSizes[at] = from.groupSizes[index] as number;
  for (let byte = 0; byte < 16; byte++) to.names[at * 16 + byte] = from.names[index * 16 + byte] as number;
}

/** @returns the scans of one card among those of others. Of most of them no more is read than a byte or two of the name. */
export function scansOfCard(bytes: Uint8Array, card: CardPseudonym): StoredScan[] {
  const count = bytes.length / SCAN_BYTES;
  const names = count * NAMES_AT;
  let columns: ScanColumns | undefined;
  const scans: StoredScan[] = [];
  for (let index = 0; index < count; index++) {
    const at = names + index * 16;
    // The first bytes are what brought them together.
    if (bytes[at + 15] !== card[15] || bytes[at + 14] !== card[14] || bytes[at + 2] !== card[2]) continue;
    columns ??= readScans(bytes);
    if (isCardAt(columns, index, card)) scans.push(scanAt(columns, index, card));
  }
  return scans;
}

/** @param card whose scan it is. */
export function scanAt(columns: ScanColumns, index: number, card: CardPseudonym): StoredScan {
  return {
    stream: columns.streams[index] as number,
    seq: columns.seqs[index] as number,
    card,
    venue: columns.venues[index] as number,
    kind: KINDS[columns.kinds[index] as number] ?? 'reading',
    atMs: columns.atMs[index] as number,
    uncertaintyMs: columns.uncertaintyMs[index] as number,
    dwellMs: columns.dwellMs[index] as number,
    lingeringMs: columns.lingeringMs[index] as number,
    groupSize: columns.groupSizes[index] as number,
  };
}

/** @returns whether the scan's card is the one whose name begins at `at`. */
export function isCardAt({ names }: ScanColumns, index: number, card: Uint8Array, at = 0): boolean {
  for (let byte = 0; byte < 16; byte++) if (names[index * 16 + byte] !== card[at + byte]) return false;
  return true;
}

/** The store hands out bytes that may begin anywhere; numbers have to begin at whole ones. */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) return buffer;
  return new Uint8Array(bytes).buffer;
}

function whole(number: number, most: number): number {
  if (!Number.isSafeInteger(number) || number < 0 || number > most)
    throw new RangeError(`scan: a number that is not whole or does not fit`);
  return number;
}
