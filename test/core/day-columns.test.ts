import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CORE_SCHEMA, openCoreDb } from '../../core/core-db.ts';
import type { Day } from '../../core/day.ts';
import { DayFile } from '../../core/day-file.ts';
import { DAY_SCHEMA, firstHall } from '../../core/day-schema.ts';
import type { CardPseudonym } from '../../core/pseudonym.ts';
import { openEncrypted } from '../../core/sqlite.ts';
import { DEFAULT_TRACE_POLICY } from '../../core/trace/trace.ts';
import { trace } from '../../core/trace/tracer.ts';
import { Turns } from '../../core/trace/turns.ts';
import type { Happening } from '../../protocol/event.ts';
import type { Seq } from '../../protocol/ids.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { cardOf, keyIdOf, NAMES, Town, type TownRow } from './town.ts';

const MINUTE = 60_000;
const at = (text: string): number => Date.parse(`2026-11-${text}:00Z`);
const FIRST_DAY = '2026-11-01' as Day;
const NOW = { firstDay: FIRST_DAY, nowMs: at('22T12:00') };
const DAY = '2026-11-20' as Day;

let seq = 0;
const row = (happening: Happening, atMs: number, more: Partial<TownRow> = {}): TownRow => {
  seq += 1;
  return { kiosk: 1, seq, venue: 1, happening, atMs, ...more };
};
const into = (card: number, when: string, more: Partial<TownRow> = {}) =>
  row({ type: 'check-in', card: cardOf(card), groupSize: 1, isSigned: true }, at(when), more);
const out = (card: number, when: string, more: Partial<TownRow> = {}) => row({ type: 'check-out', card: cardOf(card) }, at(when), more);
const undo = (of: TownRow) => row({ type: 'undo', of: { keyId: keyIdOf(of.kiosk), seq: of.seq as Seq } }, NOW.nowMs, { kiosk: of.kiosk });

function opened(t: Test): Town {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  return town;
}

/** Numbers of the cards that a case's trace tells, and how. */
async function exposedTo(town: Town, card: number, cards: readonly number[]): Promise<string[]> {
  const question = { card: NAMES.of(cardOf(card)), anchorMs: NOW.nowMs, nowMs: NOW.nowMs, policy: DEFAULT_TRACE_POLICY };
  const { exposures } = await trace(town.visits(FIRST_DAY), question, new Turns(new ManualClock(), new AbortController().signal));
  const numberOf = (name: CardPseudonym) => cards.find((one) => Buffer.compare(NAMES.of(cardOf(one)), name) === 0);
  return exposures
    .map((one) => `${numberOf(one.card)} ${one.priority} ${one.order} ${one.meetings.map((met) => met.overlapMs / MINUTE)}`)
    .sort();
}

/** Two who met, and a hundred others elsewhere. */
function filled(town: Town) {
  const own = [into(1, '20T18:00'), into(2, '20T18:20'), out(1, '20T18:50'), out(2, '20T19:00')] as const;
  const others = Array.from({ length: 100 }, (_, nth) => into(100 + nth, '20T18:00', { kiosk: 2, venue: 2 }));
  town.keep([...own, ...others], NOW);
  return own;
}

t.test('columns: what is in them, what came since, and what was taken back since are in the next answer', async (t) => {
  const town = opened(t);
  const [, met, , metOut] = filled(town);
  t.strictSame(await exposedTo(town, 1, [2]), ['2 high 1 30']);
  await town.tidy();
  t.equal(town.days.find(DAY)?.fresh().count, 0);
  t.strictSame(await exposedTo(town, 1, [2]), ['2 high 1 30'], 'as before');
  town.keep([into(3, '20T18:10')], NOW);
  t.strictSame(await exposedTo(town, 1, [2, 3]), ['2 high 1 30', '3 high 1 40'], 'a late row');
  town.keep([undo(metOut)], NOW);
  t.strictSame(await exposedTo(town, 1, [2, 3]), ['2 high 1 30', '3 high 1 40'], 'in for the dwell instead');
  town.keep([undo(met)], NOW);
  t.strictSame(await exposedTo(town, 1, [2, 3]), ['3 high 1 40']);
  await town.tidy();
  t.strictSame(await exposedTo(town, 1, [2, 3]), ['3 high 1 40'], 'and in the columns');
  t.equal((await exposedTo(town, 100, [])).length, 99);
});

t.test('columns: a doubt that comes later is told', async (t) => {
  const town = opened(t);
  const [, met] = filled(town);
  await town.tidy();
  town.doubt([met], NOW);
  const question = { card: NAMES.of(cardOf(1)), anchorMs: NOW.nowMs, nowMs: NOW.nowMs, policy: DEFAULT_TRACE_POLICY };
  const { exposures } = await trace(town.visits(FIRST_DAY), question, new Turns(new ManualClock(), new AbortController().signal));
  t.match(exposures, [{ meetings: [{ isDoubtful: true, rows: { length: 4 } }] }]);
});

t.test('columns: rows that come again are held once, before and after', async (t) => {
  const town = opened(t);
  const own = filled(town);
  await town.tidy();
  town.keep([...own, into(9, '20T20:00')], NOW);
  t.strictSame(town.days.find(DAY)?.counts(), { checkIns: 103, checkOuts: 2, readings: 0 });
  t.equal(town.days.find(DAY)?.fresh().count, 1);
});

t.test('columns: a visit over midnight is whole, whichever day has columns', async (t) => {
  for (const tidied of [[], ['20'], ['21'], ['20', '21']]) {
    const town = opened(t);
    const both = [into(1, '20T23:30'), out(1, '21T00:40'), into(2, '20T23:40'), out(2, '21T00:20'), into(3, '21T00:10')];
    const continued = [into(4, '20T23:50'), into(4, '21T00:10')];
    const outAlone = [into(5, '20T22:20'), out(5, '21T00:30')];
    town.keep([...both, ...continued, ...outAlone], NOW);
    await town.tidy((day) => tidied.some((end) => day.endsWith(end)));
    const met = ['2 high 1 40', '3 high 1 30', '4 high 1 50', '5 high 1 60'];
    t.strictSame(await exposedTo(town, 1, [2, 3, 4, 5]), met, `columns of ${tidied}`);
    town.close();
  }
});

t.test('columns: a card that is erased is in none of them', async (t) => {
  const town = opened(t);
  filled(town);
  town.keep([row({ ...reading(2) }, at('20T18:21'))], NOW);
  await town.tidy();
  town.keep([into(2, '20T21:00')], NOW);
  const file = town.days.find(DAY)!;
  const card = NAMES.of(cardOf(2));
  const before = file.cardsBehind(new Uint8Array(0) as CardPseudonym, 1_000);
  t.equal(before.length, 102);
  t.strictSame(file.cardsBehind(before[49]!, 10), before.slice(50, 60), 'a page of them');
  t.equal(file.erase(card).length, 4, 'a check-in, a check-out, a reading, and one that came since');
  t.strictSame(file.scansOf(card), []);
  t.strictSame(await exposedTo(town, 1, [2]), []);
  t.strictSame(file.counts(), { checkIns: 101, checkOuts: 1, readings: 0 });
  const found = ['run', 'shelf', 'hall', 'loose'].filter((table) => {
    const blobs = file.db.prepare(`SELECT ${{ run: 'scans', shelf: 'scans', hall: 'visits', loose: 'names' }[table]} FROM ${table}`);
    return (blobs.pluck().all() as Buffer[]).some((bytes) => bytes.includes(Buffer.from(card)));
  });
  t.strictSame(found, []);
  t.equal(file.erase(card).length, 0, 'twice changes nothing');
});

t.test('columns: a making that a crash cut short leaves nothing behind, and nothing is lost', async (t) => {
  const dir = t.testdir();
  const town = new Town(dir);
  filled(town);
  await town.tidy();
  const file = town.days.find(DAY)!;
  const { generation } = file.columns;
  const shelf = file.db.prepare('SELECT scans FROM shelf').pluck().get();
  file.db.prepare('INSERT INTO shelf (id, scans) VALUES (?, ?)').run((generation + 1) * 65_536, shelf);
  file.db.prepare('INSERT INTO hall (id, from_ms, to_ms, visits) SELECT id + ?, from_ms, to_ms, visits FROM hall').run(firstHall(1, 0));
  town.close();
  const again = new Town(dir);
  t.teardown(() => again.close());
  t.strictSame(await exposedTo(again, 1, [2]), ['2 high 1 30']);
  const left = again.days
    .find(DAY)!
    .db.prepare('SELECT count(*) FROM hall WHERE id >= ?')
    .pluck()
    .get(firstHall(generation + 1, 0));
  t.equal(left, 0);
});

t.test('columns: halls of the layout before lie where they are looked for', async (t) => {
  const path = join(t.testdir(), 'day.db');
  const key = Buffer.alloc(32, 3);
  const options = { key, subject: 'day', mode: 'write', ifUnreadable: 'store.corrupt' } as const;
  const before = openEncrypted(path, { ...options, schema: DAY_SCHEMA.slice(0, -1) });
  const insert = before.prepare('INSERT INTO hall (generation, venue, from_ms, to_ms, visits) VALUES (?, ?, ?, ?, ?)');
  for (const [generation, venue, fromMs] of [
    [1, 7, 30],
    [2, 8, 20],
    [2, 7, 50],
    [2, 7, 40],
  ] as const)
    insert.run(generation, venue, fromMs, fromMs + 5, Buffer.from([venue, fromMs]));
  before.prepare('UPDATE columns SET generation = 2').run();
  before.close();
  const file = new DayFile(path, { day: DAY, key, mode: 'write', walAutocheckpointPages: 1_000 });
  t.teardown(() => file.close());
  t.match(file.hallsOf(7), [{ fromMs: 40, toMs: 45 }, { fromMs: 50 }]);
  t.strictSame(
    file.hallsOf(7).map(({ id }) => [...(file.hall(id) ?? [])]),
    [
      [7, 40],
      [7, 50],
    ],
  );
  t.match(file.hallsOf(8), [{ fromMs: 20 }]);
  t.equal(file.db.prepare('SELECT count(*) FROM hall').pluck().get(), 3, 'that of another generation is gone');
});

t.test('core.db: one whose days name cards by a hash drops them, and lets the ledger be offered anew', async (t) => {
  const path = join(t.testdir(), 'core.db');
  const key = Buffer.alloc(32, 7);
  const options = { subject: 'core.db', key, mode: 'write', ifUnreadable: 'store.wrong_key' } as const;
  const old = openEncrypted(path, { ...options, schema: CORE_SCHEMA.slice(0, 2) });
  old.prepare('INSERT INTO day VALUES (?, ?, 1)').run(DAY, Buffer.alloc(32, 1));
  old.prepare("INSERT INTO counter VALUES ('taken-position', 77)").run();
  old.close();
  const db = openCoreDb(path, key, 'write');
  t.teardown(() => db.close());
  t.equal(db.prepare('SELECT count(*) FROM day').pluck().get(), 0);
  t.equal(db.prepare("SELECT count(*) FROM counter WHERE name = 'taken-position'").pluck().get(), 0);
});

const reading = (card: number): Happening => ({
  type: 'temperature',
  card: cardOf(card),
  of: { keyId: keyIdOf(1), seq: 1 as Seq },
  attempt: 1,
  objectRaw: 3_650 as never,
  ambientRaw: 2_150 as never,
  estimate: 3_700 as never,
  threshold: 3_800 as never,
  offsetId: 1,
  policyVersion: 1,
  calibrationAgeDays: 30,
  isRoomInRange: true,
});
