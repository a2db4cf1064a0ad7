/** Which rows a day's file holds, as stretches of a stream's numbers; and of each its card's first two bytes, so that an undo finds its shelf. */
import type { RowNumber } from './notes.ts';
import type { StoredScan } from './scan-columns.ts';
import { type Db, inStore, type Statement } from './sqlite.ts';

export const PLACE_BEFORE =
  'SELECT first_seq, last_seq, prefixes FROM place WHERE stream = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1';

interface Place {
  readonly first_seq: number;
  readonly last_seq: number;
  readonly prefixes: Uint8Array;
}

export class DayPlaces {
  readonly #subject: string;
  readonly #insert: Statement;
  readonly #before: Statement;
  readonly #setPrefixes: Statement;

  constructor(db: Db, subject: string) {
    this.#subject = subject;
    const prepare = (sql: string): Statement => inStore(subject, () => db.prepare(sql));
    this.#insert = prepare('INSERT INTO place (stream, first_seq, last_seq, prefixes) VALUES (?, ?, ?, ?)');
    this.#before = prepare(PLACE_BEFORE);
    this.#setPrefixes = prepare('UPDATE place SET prefixes = ? WHERE stream = ? AND first_seq = ?');
  }

  has(row: RowNumber): boolean {
    return this.#find(row) !== undefined;
  }

  /** @returns the first two bytes of the name of a row's card, as a number; `undefined` for a row that is not held. */
  prefixOf(row: RowNumber): number | undefined {
    const place = this.#find(row);
    if (place === undefined) return undefined;
    const at = (row.seq - place.first_seq) * 2;
    return ((place.prefixes[at] ?? 0) << 8) | (place.prefixes[at + 1] ?? 0);
  }

  /** Forgets whose a row was; it is held as before. */
  blank(row: RowNumber): void {
    const place = this.#find(row);
    if (place === undefined) return;
    const prefixes = new Uint8Array(place.prefixes);
    prefixes.fill(0, (row.seq - place.first_seq) * 2, (row.seq - place.first_seq) * 2 + 2);
    inStore(this.#subject, () => this.#setPrefixes.run(prefixes, row.stream, place.first_seq));
  }

  /** @returns the rows that were not held yet, each once. */
  add(rows: readonly StoredScan[]): StoredScan[] {
    const kept: StoredScan[] = [];
    for (const stretch of stretchesOf(rows)) {
      for (const part of this.#notHeld(stretch)) {
        const [first, last] = [part[0], part.at(-1)];
        if (first !== undefined && last !== undefined) this.#insert.run(first.stream, first.seq, last.seq, prefixesOf(part));
        for (const row of part) kept.push(row);
      }
    }
    return kept;
  }

  /** The parts of a stretch that are not held. Places do not overlap: where the last that begins in it or before ends before it, none of it is. */
  #notHeld(stretch: readonly StoredScan[]): readonly (readonly StoredScan[])[] {
    const [first, last] = [stretch[0], stretch.at(-1)];
    if (first === undefined || last === undefined) return [];
    const before = this.#before.get(first.stream, last.seq) as Place | undefined;
    if (before === undefined || before.last_seq < first.seq) return [stretch];
    return stretchesOf(stretch.filter((row) => this.#find(row) === undefined));
  }

  #find({ stream, seq }: RowNumber): Place | undefined {
    const place = inStore(this.#subject, () => this.#before.get(stream, seq) as Place | undefined);
    return place !== undefined && seq <= place.last_seq ? place : undefined;
  }
}

function prefixesOf(rows: readonly StoredScan[]): Uint8Array {
  const prefixes = new Uint8Array(rows.length * 2);
  for (const [index, { card }] of rows.entries()) prefixes.set(card.subarray(0, 2), index * 2);
  return prefixes;
}

/** Rows of one stream with no gap between their numbers, each once. */
function stretchesOf(rows: readonly StoredScan[]): StoredScan[][] {
  const sorted = rows.toSorted((a, b) => a.stream - b.stream || a.seq - b.seq);
  const stretches: StoredScan[][] = [];
  let last: StoredScan | undefined;
  for (const row of sorted) {
    if (last !== undefined && last.stream === row.stream && last.seq === row.seq) continue;
    if (last !== undefined && last.stream === row.stream && last.seq + 1 === row.seq) stretches.at(-1)?.push(row);
    else stretches.push([row]);
    last = row;
  }
  return stretches;
}
