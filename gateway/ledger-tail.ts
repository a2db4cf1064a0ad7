/**
 * The newest entries of the ledger as they were committed, in RAM and bounded: a sink that keeps up is given these, and nothing is read
 * and taken apart again that was put together a moment ago. One that is further behind reads the files.
 */
import type { LedgerEntry } from '../protocol/ledger-entry.ts';

const MOST_ENTRIES = 256;
/** Of rows. Small batches hold more than that: each the buffer that it came in. */
const MOST_BYTES = 2_097_152;

export class LedgerTail {
  /** Of positions that follow one another without a gap. */
  #entries: LedgerEntry[] = [];
  #bytes = 0;

  /** @param entries in order, behind those that are in here, committed. */
  add(entries: readonly LedgerEntry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    // Positions may be skipped, as after a restore.
    if (first.position !== (this.#entries.at(-1)?.position ?? 0) + 1) this.clear();
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += bytesOf(entry);
    }
    let gone = 0;
    while (this.#entries.length - gone > MOST_ENTRIES || (this.#bytes > MOST_BYTES && gone < this.#entries.length)) {
      this.#bytes -= bytesOf(this.#entries[gone] as LedgerEntry);
      gone += 1;
    }
    if (gone > 0) this.#entries = this.#entries.slice(gone);
  }

  /**
   * @param mostEntries at least 1. @param mostBytes of rows; one entry is given even when it alone is longer.
   * @returns those behind `position`, in order; `undefined` where the first of them is not in here.
   */
  after(position: number, mostEntries: number, mostBytes: number): LedgerEntry[] | undefined {
    const from = position + 1 - (this.#entries[0]?.position ?? Number.POSITIVE_INFINITY);
    if (!(from >= 0 && from < this.#entries.length)) return undefined;
    let bytes = 0;
    let to = from;
    for (; to < this.#entries.length && to - from < mostEntries; to++) {
      bytes += bytesOf(this.#entries[to] as LedgerEntry);
      if (to > from && bytes > mostBytes) break;
    }
    return this.#entries.slice(from, to);
  }

  /** What is in the files is not any more what was committed. */
  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }
}

const bytesOf = (entry: LedgerEntry): number => (entry.kind === 'batch' ? entry.rows.reduce((sum, row) => sum + row.length, 0) : 0);
