/** Cards that staff scan from paper after an outage, with the time at which their holders came or left. In RAM, for as long as that goes on. */
import type { ReadCard } from '../../protocol/card.ts';
import type { Happening, RowRef } from '../../protocol/event.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import type { Moment } from '../recorder.ts';

export class PaperNotes {
  /** When they came or left. */
  readonly at: Moment;
  readonly way: 'in' | 'out';
  readonly #rows = new Map<string, { readonly card: VisitorUuid; readonly row: RowRef }>();

  constructor(at: Moment, way: 'in' | 'out') {
    this.at = at;
    this.way = way;
  }

  get count(): number {
    return this.#rows.size;
  }

  /** The row of the last card; `undefined` when there is none to take back. */
  get last(): RowRef | undefined {
    return [...this.#rows.values()].at(-1)?.row;
  }

  has(card: VisitorUuid): boolean {
    return this.#rows.has(nameOf(card));
  }

  happeningOf({ card, groupSize, isSigned }: ReadCard): Happening {
    return this.way === 'in' ? { type: 'check-in', card, groupSize, isSigned } : { type: 'check-out', card };
  }

  keep(card: VisitorUuid, row: RowRef): void {
    this.#rows.set(nameOf(card), { card, row });
  }

  takeBack(): void {
    const name = [...this.#rows.keys()].at(-1);
    if (name !== undefined) this.#rows.delete(name);
  }

  forget(isGone: (card: VisitorUuid) => boolean): void {
    for (const [name, { card }] of this.#rows) if (isGone(card)) this.#rows.delete(name);
  }
}

const nameOf = (card: VisitorUuid): string => Buffer.from(card).toString('latin1');
