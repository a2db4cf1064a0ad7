/**
 * The core's stores: how fast day files take rows, by cipher and by write-ahead log, alone and through the keeper and the whole intake, and how
 * long a look at who overlapped takes in a town. Small: 50,000 scans; --full: 100,000 cards, 2,000 venues, 1,000,000 scans.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openCore } from '../../core/core.ts';
import { type Day, dayOf } from '../../core/day.ts';
import { DayFile, type StoredScan } from '../../core/day-file.ts';
import type { LedgerEntry } from '../../core/intake.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import type { CardPseudonym } from '../../core/pseudonym.ts';
import { silentLog } from '../../protocol/log.ts';
import { checkIn, DEPLOYMENT, KioskStub, newCard } from '../core/kiosk-stub.ts';
import { cardOf, Town, type TownRow } from '../core/town.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { seededRandom } from '../support/suite-size.ts';
import type { Bench } from './main.ts';

const DAYS = 21;
const DAY_MS = 86_400_000;
const FIRST_MS = Date.UTC(2026, 10, 1);
const NOW = { firstDay: '2026-11-01' as Day, nowMs: FIRST_MS + DAYS * DAY_MS - 1 };
const ROWS_AN_ADD = 1_000;

const rowsPerSecond = (rows: number, run: () => void): number => {
  const started = performance.now();
  run();
  return Math.round((rows * 1_000) / (performance.now() - started));
};

/** A day's scans as they would come: kiosks in turn, cards at random. */
function dayScans(count: number, random: () => number): StoredScan[] {
  return Array.from({ length: count }, (_, i) => ({
    stream: i % 500,
    seq: Math.floor(i / 500) + 1,
    card: Buffer.from(Array.from({ length: 16 }, () => Math.floor(random() * 256))) as Uint8Array as CardPseudonym,
    venue: i % 400,
    kind: random() < 0.7 ? 'check-in' : 'check-out',
    atMs: FIRST_MS + Math.floor((i * DAY_MS) / count),
    uncertaintyMs: 2_000,
    dwellMs: 3_600_000,
    lingeringMs: 0,
    groupSize: 1,
  }));
}

function inAdds(file: { add(scans: StoredScan[], readings: []): void }, scans: readonly StoredScan[]): void {
  for (let i = 0; i < scans.length; i += ROWS_AN_ADD) file.add(scans.slice(i, i + ROWS_AN_ADD), []);
}

/** The same table and indices in a file under another cipher, to choose by. */
function plainFile(path: string, cipher: 'none' | 'aegis' | 'chacha20' | 'sqlcipher', schema: string[]) {
  const db = new Database(path);
  if (cipher !== 'none') {
    db.pragma(`cipher = '${cipher}'`);
    db.pragma(`key = "x'${'5a'.repeat(32)}'"`);
  }
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('wal_autocheckpoint = 4000');
  for (const sql of schema) db.exec(sql);
  const insert = db.prepare('INSERT OR IGNORE INTO scan VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const add = db.transaction((scans: StoredScan[]) => {
    for (const { stream, seq, card, venue, kind, atMs, uncertaintyMs, dwellMs, groupSize } of scans) {
      insert.run(stream, seq, card, venue, kind === 'check-in' ? 1 : 2, atMs, uncertaintyMs, dwellMs, groupSize);
    }
  });
  return { add: (scans: StoredScan[]) => add(scans), close: () => db.close() };
}

/** Scans of a town over 21 days, in the order of time: few venues see most of them, and four in ten visits end with a check-out. */
function* townRows(scans: number, cards: number, venues: number, random: () => number): Generator<TownRow> {
  const seqs = new Map<number, number>();
  for (let i = 0; i < scans; i++) {
    const dayStart = FIRST_MS + Math.floor((i * DAYS) / scans) * DAY_MS;
    const within = ((i * DAYS) % scans) / scans;
    const venue = 1 + Math.floor(venues * random() ** 2.5);
    const card = cardOf(Math.floor(cards * random()));
    const seq = (seqs.get(venue) ?? 0) + 1;
    seqs.set(venue, seq);
    const happening = random() < 0.7 ? checkIn(card) : ({ type: 'check-out', card } as const);
    yield { kiosk: venue, seq, venue, happening, atMs: dayStart + Math.floor((7 + within * 15) * 3_600_000), uncertaintyMs: 2_000 };
  }
}

export const bench: Bench = async ({ isFull, say }) => {
  const root = mkdtempSync(join(tmpdir(), 'vestibule-core-bench-'));
  const random = seededRandom(7);
  const figures: Record<string, number | string> = {};
  try {
    const scans = dayScans(isFull ? 500_000 : 50_000, random);
    for (const pages of [1_000, 4_000, 20_000]) {
      const path = join(root, `day-${pages}.db`);
      const file = new DayFile(path, { day: '2026-11-01' as Day, key: Buffer.alloc(32, 1), mode: 'write', walAutocheckpointPages: pages });
      figures[`dayFileRowsPerSecond_wal${pages}`] = rowsPerSecond(scans.length, () => inAdds(file, scans));
      figures[`walMegabytes_wal${pages}`] = Math.round(statSync(`${path}-wal`).size / 1e6);
      file.close();
      say(`day file, wal_autocheckpoint ${pages}: ${figures[`dayFileRowsPerSecond_wal${pages}`]} rows/s`);
    }
    const model = new Database(join(root, 'day-1000.db'));
    model.pragma(`cipher = 'aegis'`);
    model.pragma(`key = "x'${'01'.repeat(32)}'"`);
    const schema = model.prepare(`SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL`).pluck().all() as string[];
    model.close();
    for (const cipher of ['none', 'aegis', 'chacha20', 'sqlcipher'] as const) {
      const file = plainFile(join(root, `${cipher}.db`), cipher, schema);
      figures[`cipherRowsPerSecond_${cipher}`] = rowsPerSecond(scans.length, () => inAdds(file, scans));
      file.close();
      say(`cipher ${cipher}: ${figures[`cipherRowsPerSecond_${cipher}`]} rows/s`);
    }

    const events = isFull ? 1_000_000 : 50_000;
    const [cards, venues] = isFull ? [100_000, 2_000] : [5_000, 100];
    const town = new Town(root);
    let kept = 0;
    const keptPerSecond = rowsPerSecond(events, () => {
      let rows: TownRow[] = [];
      for (const row of townRows(events, cards, venues, random)) {
        rows.push(row);
        if (rows.length < ROWS_AN_ADD) continue;
        town.keep(rows, NOW);
        kept += rows.length;
        rows = [];
      }
      town.keep(rows, NOW);
    });
    figures.keeperRowsPerSecond = keptPerSecond;
    figures.townScans = events;
    figures.townCards = cards;
    figures.townVenues = venues;
    say(`keeper: ${keptPerSecond} rows/s, ${kept} rows`);

    const looks = isFull ? 300 : 100;
    const times: number[] = [];
    let contacts = 0;
    const coldStarted = performance.now();
    town.contactsOf(cardOf(0), {});
    figures.firstLookMs = Number((performance.now() - coldStarted).toFixed(1));
    for (let i = 0; i < looks; i++) {
      const started = performance.now();
      contacts += town.contactsOf(cardOf(Math.floor(cards * random())), {}).length;
      times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    figures.lookMedianMs = Number(times[Math.floor(looks / 2)]?.toFixed(2));
    figures.lookP99Ms = Number(times[Math.floor(looks * 0.99)]?.toFixed(2));
    figures.contactsALook = Math.round(contacts / looks);
    figures.daysHeld = town.days.days().length;
    const held = town.days.days();
    town.close();
    const heldBytes = held.reduce((sum, day) => sum + statSync(join(root, 'days', `${day}.db`)).size, 0);
    figures.bytesAScan = Math.round(heldBytes / events);
    say(`look: median ${figures.lookMedianMs} ms, p99 ${figures.lookP99Ms} ms, ${figures.contactsALook} contacts`);

    const keys = await makeCoreKeys(join(root, 'keys'));
    const clock = new ManualClock(NOW.nowMs);
    const core = await openCore({ dir: join(root, 'core'), deployment: DEPLOYMENT, keys, clock, log: silentLog });
    const batches = isFull ? 1_000 : 100;
    const kiosks = Array.from({ length: 10 }, () => new KioskStub(keys));
    const entries: LedgerEntry[] = [];
    for (let i = 0; i < batches; i++) {
      const told = Array.from({ length: 64 }, () => ({ happening: checkIn(newCard()), atMs: NOW.nowMs - Math.floor(random() * DAY_MS) }));
      entries.push(await (kiosks[i % 10] as KioskStub).batch(told, NOW.nowMs));
    }
    const started = performance.now();
    await core.accept(entries);
    figures.acceptRowsPerSecond = Math.round((batches * 64 * 1_000) / (performance.now() - started));
    figures.acceptBatchesPerSecond = Math.round((batches * 1_000) / (performance.now() - started));
    core.close();
    say(`accept: ${figures.acceptRowsPerSecond} rows/s verified, opened and kept; the last of ${dayOf(NOW.nowMs)}`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return figures;
};
