/** The scans of a day that lie in its file as they came, in memory by card: those that came since its columns were made. */

import type { CardPseudonym } from './pseudonym.ts';
import { type ScanColumns, ScanGatherer, type StoredScan, scanAt } from './scan-columns.ts';
import { CardTable } from './trace/card-table.ts';

export interface FreshRun {
  readonly id: number;
  readonly scans: ScanColumns;
}

export class FreshScans {
  readonly cards = new CardTable();
  readonly #scans: ScanGatherer;
  /** Of each card its last scan, and of each scan the one of its card before it: indices and 1, or 0. */
  #last: Int32Array = new Int32Array(64);
  #before: Int32Array;
  #lastId: number;

  /** @param lastId of the last run that is not to be in it. @param expected how many scans will come soon. */
  constructor(lastId: number, expected = 64) {
    this.#lastId = lastId;
    this.#scans = new ScanGatherer(expected);
    this.#before = new Int32Array(expected);
  }

  /** The number of the last run that is in it, or before it. */
  get lastId(): number {
    return this.#lastId;
  }

  get count(): number {
    return this.#scans.columns.count;
  }

  /** All of them, in the order in which they came; longer than `count`. */
  get scans(): ScanColumns {
    return this.#scans.columns;
  }

  add({ id, scans }: FreshRun): void {
    const first = this.count;
    this.#scans.pushAll(scans);
    this.#before = withRoom(this.#before, first + scans.count);
    for (let index = 0; index < scans.count; index++) {
      const card = this.cards.number(scans.names, index * 16);
      this.#last = withRoom(this.#last, card + 1);
      this.#before[first + index] = this.#last[card] as number;
      this.#last[card] = first + index + 1;
    }
    this.#lastId = id;
  }

  scansOf(card: Uint8Array): StoredScan[] {
    return this.indicesOf(card, 0).map((index) => scanAt(this.scans, index, card as CardPseudonym));
  }

  /** @param at where 16 bytes of a card's name begin. @returns where its scans are, in the order in which they came. */
  indicesOf(names: Uint8Array, at: number): number[] {
    const card = this.cards.find(names, at);
    const indices: number[] = [];
    for (let next = card < 0 ? 0 : (this.#last[card] ?? 0); next > 0; next = this.#before[next - 1] as number) indices.push(next - 1);
    return indices.reverse();
  }
}

function withRoom(held: Int32Array, count: number): Int32Array {
  if (count <= held.length) return held;
  const wider = new Int32Array(Math.max(count, held.length * 2));
  wider.set(held);
  return wider;
}
