/**
 * Offers entries to a sink, and finds by halving the ones that it refuses for what they are: these are set aside, the others go on. A sink
 * that refuses many in a row and takes none between is at fault itself: then nothing more is set aside, and its cursor stays.
 */
import type { Intake } from '../../core/intake.ts';
import { type ErrorCode, SinkError } from '../../protocol/errors.ts';
import type { LedgerEntry } from '../../protocol/ledger-entry.ts';

export interface OfferDoors {
  readonly intake: Intake;
  readonly name: string;
  /** Keeps it. @throws SinkError `sink.quarantine_full`, StoreError. */
  readonly setAside: (entry: LedgerEntry, reason: ErrorCode) => void;
  /** All up to this position is taken or set aside. */
  readonly onPassed: (position: number) => void;
}

/** One refused entry says something of that entry; so many, of the sink. */
export const MOST_REFUSED_IN_A_ROW = 16;

export class Offerer {
  readonly #doors: OfferDoors;
  #refusedInARow = 0;

  constructor(doors: OfferDoors) {
    this.#doors = doors;
  }

  /**
   * @param entries in the ledger's order. When it resolves each is taken or set aside.
   * @throws what the sink throws of itself; SinkError `sink.refuses_all`, `sink.quarantine_full`. What was passed until then stays so.
   */
  async offer(entries: readonly LedgerEntry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    try {
      await this.#doors.intake.accept(entries);
      this.#refusedInARow = 0;
    } catch (error) {
      if (!isOfEntries(error)) throw error;
      if (entries.length > 1) {
        for (const part of partsOf(entries, error.position)) await this.offer(part);
        return;
      }
      if (this.#refusedInARow >= MOST_REFUSED_IN_A_ROW)
        throw new SinkError('sink.refuses_all', `sink ${this.#doors.name}: refused ${this.#refusedInARow} entries in a row`, {
          cause: error,
        });
      this.#doors.setAside(last, error.code);
      this.#refusedInARow += 1;
    }
    this.#doors.onPassed(last.position);
  }
}

/** Whether a sink speaks of the entries, not of itself. */
export const isOfEntries = (error: unknown): error is SinkError =>
  error instanceof SinkError && (error.code === 'sink.entry_refused' || error.code === 'sink.too_large');

/** Around the entry that was named, where one was; else two halves. */
function partsOf(entries: readonly LedgerEntry[], named: number | undefined): (readonly LedgerEntry[])[] {
  const at = named === undefined ? -1 : entries.findIndex(({ position }) => position === named);
  if (at >= 0) return [entries.slice(0, at), entries.slice(at, at + 1), entries.slice(at + 1)];
  const middle = entries.length >> 1;
  return [entries.slice(0, middle), entries.slice(middle)];
}
