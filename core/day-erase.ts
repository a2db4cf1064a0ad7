/** Takes a card out of the tables of a day's file that hold it: what it wrote, what was made of it, and where it was noted. */
import type { DayFile } from './day-file.ts';
import { LOOSE, SHELVES } from './day-schema.ts';
import type { CardPseudonym } from './pseudonym.ts';
import { isCardAt, pickScans, readScans, SCAN_BYTES, type ScanColumns, type StoredScan } from './scan-columns.ts';
import { bytesOf, readVisits, withoutCard } from './visit-columns.ts';

/** Call within a transaction. @param gone every row of the card. */
export function takeOut(file: DayFile, card: CardPseudonym, gone: readonly StoredScan[]): void {
  const { db } = file;
  const runs = db.prepare('SELECT id, scans FROM run').all() as { id: number; scans: Uint8Array }[];
  for (const { id, scans } of runs) {
    const left = without(readScans(scans), card);
    if (left.length < scans.length) db.prepare('UPDATE run SET scans = ? WHERE id = ?').run(left, id);
  }
  const { generation } = file.columns;
  const number = file.shelfOf(card);
  const shelf = generation === 0 ? undefined : file.shelf(number);
  if (shelf !== undefined) {
    const left = without(shelf, card);
    db.prepare('UPDATE shelf SET scans = ? WHERE id = ?').run(left, generation * SHELVES + number);
    db.prepare('UPDATE columns SET scans = scans - ?').run(shelf.count - left.length / SCAN_BYTES);
  }
  for (const venue of new Set(gone.map(({ venue }) => venue))) takeOutOfHalls(file, card, venue);
  for (const kind of ['in', 'out'] as const) {
    const left = Buffer.concat(namesIn(file.loose(kind)).filter((name) => Buffer.compare(name, card) !== 0));
    db.prepare('UPDATE loose SET names = ? WHERE generation = ? AND kind = ?').run(left, generation, LOOSE[kind]);
  }
}

/** Names of 16 bytes that lie one behind the other. */
export const namesIn = (names: Uint8Array): Uint8Array[] =>
  Array.from({ length: names.length / 16 }, (_, index) => names.slice(index * 16, index * 16 + 16));

function takeOutOfHalls(file: DayFile, card: CardPseudonym, venue: number): void {
  for (const { id } of file.hallsOf(venue)) {
    const columns = readVisits(file.hall(id) ?? new Uint8Array(0), 0);
    const left = withoutCard(columns, card);
    if (left !== columns) file.db.prepare('UPDATE hall SET visits = ? WHERE id = ?').run(bytesOf(left), id);
  }
}

function without(columns: ScanColumns, card: CardPseudonym): Uint8Array {
  const picks: number[] = [];
  for (let index = 0; index < columns.count; index++) if (!isCardAt(columns, index, card)) picks.push(index);
  return pickScans(columns, picks);
}
