/** The scans of a day that lie in its file as they came, in memory by card: those that came since its columns were made. */

import type { CardPseudonym } from './pseudonym.ts';
import { type ScanColumns, type StoredScan, scanAt } from './scan-columns.ts';
import { CardTable } from './trace/card-table.ts';

export interface FreshRun {
  readonly id: number;
  readonly scans: ScanColumns;
}

/** A scan's place: its run's place here, and its own in the run. */
export type Pick = readonly [run: number, index: number];

export class FreshScans {
  readonly runs: ScanColumns[] = [];
  readonly cards = new CardTable();
  readonly #picks: Pick[][] = [];
  #lastId: number;
  #count = 0;

  /** @param lastId of the last run that is not to be in it. */
  constructor(lastId: number) {
    this.#lastId = lastId;
  }

  /** The number of the last run that is in it, or before it. */
  get lastId(): number {
    return this.#lastId;
  }

  get count(): number {
    return this.#count;
  }

  add({ id, scans }: FreshRun): void {
    const run = this.runs.push(scans) - 1;
    for (let index = 0; index < scans.count; index++) {
      const number = this.cards.number(scans.names, index * 16);
      const picks = this.#picks[number];
      if (picks === undefined) this.#picks[number] = [[run, index]];
      else picks.push([run, index]);
    }
    this.#lastId = id;
    this.#count += scans.count;
  }

  scansOf(card: Uint8Array): StoredScan[] {
    return this.picksOf(this.cards.find(card, 0)).map(([run, index]) =>
      scanAt(this.runs[run] as ScanColumns, index, card as CardPseudonym),
    );
  }

  /** @param number of `cards`; of one that is not there, none. */
  picksOf(number: number): readonly Pick[] {
    return this.#picks[number] ?? [];
  }
}
