/**
 * Looks for doubts in what was taken, tells of them, and puts them behind their rows in the ledger, some at a time: nobody's PUBACK waits for
 * one. What is not in the ledger yet is in RAM, so that a crash forgets the doubts of its last second, and no event.
 */
import type { Decided } from '../ingest.ts';
import type { Ledger } from '../ledger.ts';
import type { Doubt, Doubts } from './doubts.ts';

/** While the store refuses. The doubts past it are told of, and not kept. */
const MOST_WAITING = 10_000;

export class DoubtDesk {
  readonly #doubts: Doubts;
  readonly #ledger: Ledger;
  readonly #onDoubts: (doubts: readonly Doubt[]) => void;
  #waiting: Doubt[] = [];

  constructor(doubts: Doubts, ledger: Ledger, onDoubts: (doubts: readonly Doubt[]) => void) {
    this.#doubts = doubts;
    this.#ledger = ledger;
    this.#onDoubts = onDoubts;
  }

  decided(decided: readonly Decided[]): void {
    for (const { kiosk, decision } of decided) {
      if (decision.kind !== 'taken') continue;
      const found = this.#doubts.take(kiosk, decision.batch, decision.taken, decision.receivedAtMs);
      if (found.length === 0) continue;
      this.#onDoubts(found);
      this.#waiting.push(...found.slice(0, MOST_WAITING - this.#waiting.length));
    }
  }

  /** @returns whether there is something new in the ledger. @throws StoreError; all is kept for the next time then. */
  keep(): boolean {
    const waiting = this.#waiting;
    if (waiting.length === 0) return false;
    this.#ledger.transact(() => {
      for (const { row, reason, raisedAtMs } of waiting) this.#ledger.appendDoubt({ row, reason, raisedAtMs });
    });
    this.#waiting = [];
    return true;
  }
}
