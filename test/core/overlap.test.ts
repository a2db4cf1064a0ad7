import t from 'tap';
import type { Day } from '../../core/day.ts';
import type { Happening } from '../../protocol/event.ts';
import { compareTowns } from './overlap-towns.ts';
import { cardOf, idOf, Town, type TownRow } from './town.ts';

const MINUTE = 60_000;
const DAY_START = Date.UTC(2026, 10, 20);
const NOW = { firstDay: '2026-11-01' as Day, nowMs: DAY_START + 3 * 86_400_000 };
const at = (text: string): number => Date.parse(`2026-11-${text}:00Z`);
const into = (card: number): Happening => ({ type: 'check-in', card: cardOf(card), groupSize: 1, isSigned: true });
const out = (card: number): Happening => ({ type: 'check-out', card: cardOf(card) });

t.test('overlaps: a visit over midnight is whole, and so is the contact', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  town.keep(
    [
      { kiosk: 1, seq: 1, venue: 1, happening: into(1), atMs: at('20T23:30') },
      { kiosk: 1, seq: 2, venue: 1, happening: into(2), atMs: at('20T23:50') },
      { kiosk: 1, seq: 3, venue: 1, happening: out(1), atMs: at('21T00:20') },
      { kiosk: 1, seq: 4, venue: 1, happening: into(3), atMs: at('21T00:06') },
      { kiosk: 1, seq: 5, venue: 1, happening: into(4), atMs: at('21T00:05') },
    ],
    NOW,
  );
  t.match(await town.contactsOf(cardOf(1), {}), [
    { venue: idOf('v', 1), day: '2026-11-20', overlapMs: 30 * MINUTE, isCertain: true, order: 1 },
    { day: '2026-11-21', overlapMs: 15 * MINUTE, order: 2 },
  ]);
});

t.test('overlaps: somebody who came hours before and checks out hours after is met', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  town.keep(
    [
      { kiosk: 1, seq: 1, venue: 1, happening: into(2), atMs: at('20T13:00') },
      { kiosk: 1, seq: 2, venue: 1, happening: into(1), atMs: at('20T19:00') },
      { kiosk: 1, seq: 3, venue: 1, happening: out(1), atMs: at('20T20:00') },
      { kiosk: 1, seq: 4, venue: 1, happening: out(2), atMs: at('21T01:30') },
    ],
    NOW,
  );
  t.match(await town.contactsOf(cardOf(1), {}), [{ overlapMs: 60 * MINUTE }]);
});

t.test('overlaps: two who are still there have met for as long as they have, not for as long as they may stay', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  town.keep(
    [
      { kiosk: 1, seq: 1, venue: 1, happening: into(1), atMs: at('20T13:00') },
      { kiosk: 1, seq: 2, venue: 1, happening: into(2), atMs: at('20T13:10') },
    ],
    NOW,
  );
  t.strictSame(await town.contactsOf(cardOf(1), { nowMs: at('20T13:20') }), [], 'ten minutes are no contact yet');
  t.match(await town.contactsOf(cardOf(1), { nowMs: at('20T13:30') }), [{ overlapMs: 20 * MINUTE, isCertain: true }]);
  t.match(await town.contactsOf(cardOf(1), { nowMs: at('20T18:00') }), [{ overlapMs: 50 * MINUTE }], 'an hour of dwell ends it');
});

t.test('overlaps: contact names hold within one answer, venue and day, and no further', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  const rows: TownRow[] = [];
  for (const [day, hours] of [
    ['20', ['08', '11']],
    ['21', ['08']],
  ] as const) {
    for (const hour of hours) {
      for (const card of [1, 2]) {
        rows.push({ kiosk: 1, seq: rows.length + 1, venue: 1, happening: into(card), atMs: at(`${day}T${hour}:00`) + card });
        rows.push({ kiosk: 1, seq: rows.length + 1, venue: 1, happening: out(card), atMs: at(`${day}T${hour}:40`) + card });
      }
    }
  }
  town.keep(rows, NOW);
  const names = (await town.contactsOf(cardOf(1), {})).map(({ contact }) => contact);
  t.equal(names.length, 3);
  t.match(names[0], /^[0-9a-v]{16}$/);
  t.equal(names[0], names[1], 'the same morning');
  t.not(names[0], names[2], 'the next day');
  t.not(names[0], (await town.contactsOf(cardOf(1), { answerKey: Buffer.alloc(32, 10) }))[0]?.contact, 'another answer');
});

t.test('overlaps: days before retention are not looked at, dropped yet or not', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  town.keep(
    [
      { kiosk: 1, seq: 1, venue: 1, happening: into(1), atMs: at('20T10:00') },
      { kiosk: 1, seq: 2, venue: 1, happening: into(2), atMs: at('20T10:00') },
    ],
    NOW,
  );
  t.equal((await town.contactsOf(cardOf(1), { firstDay: '2026-11-20' as Day })).length, 1);
  t.equal((await town.contactsOf(cardOf(1), { firstDay: '2026-11-21' as Day })).length, 0);
});

t.test('overlaps: every look into a day uses an index', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  town.keep([{ kiosk: 1, seq: 1, venue: 1, happening: into(1), atMs: at('20T10:00') }], NOW);
  const file = town.days.find('2026-11-20' as Day)!;
  const plans = {
    shelf: 'INTEGER PRIMARY KEY (rowid=?)',
    halls: 'INTEGER PRIMARY KEY (rowid>? AND rowid<?)',
    hall: 'INTEGER PRIMARY KEY (rowid=?)',
    runsAfter: 'INTEGER PRIMARY KEY (rowid>?)',
    placeBefore: 'PRIMARY KEY (stream=? AND first_seq<?)',
  } as const;
  for (const [query, index] of Object.entries(plans)) {
    const plan = file.plan(query as keyof typeof plans);
    t.equal(plan.length, 1, query);
    t.ok(plan[0]?.startsWith('SEARCH') && plan[0].endsWith(index), `${query}: ${plan[0]}`);
  }
});

t.test('overlaps: in any small town, what the files answer is what a look at every pair of visits finds', async (t) => {
  const stores = new Town(t.testdir());
  t.teardown(() => stores.close());
  const contacts = await compareTowns(stores, { numRuns: 30 });
  t.ok(contacts > 60, `${contacts} contacts were compared`);
});
