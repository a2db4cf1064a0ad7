import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type Day, dayOf } from '../../core/day.ts';
import type { Contact } from '../../core/overlap.ts';
import { overlapMs, type Scan, type Visit, visitsOf } from '../../core/visit.ts';
import type { Happening } from '../../protocol/event.ts';
import type { Seq, VenueId } from '../../protocol/ids.ts';
import { cardOf, idOf, keyIdOf, Town, type TownRow } from './town.ts';

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
  t.match(town.contactsOf(cardOf(1), {}), [
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
  t.match(town.contactsOf(cardOf(1), {}), [{ overlapMs: 60 * MINUTE }]);
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
  t.strictSame(town.contactsOf(cardOf(1), { nowMs: at('20T13:20') }), [], 'ten minutes are no contact yet');
  t.match(town.contactsOf(cardOf(1), { nowMs: at('20T13:30') }), [{ overlapMs: 20 * MINUTE, isCertain: true }]);
  t.match(town.contactsOf(cardOf(1), { nowMs: at('20T18:00') }), [{ overlapMs: 50 * MINUTE }], 'an hour of dwell ends it');
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
  const names = town.contactsOf(cardOf(1), {}).map(({ contact }) => contact);
  t.equal(names.length, 3);
  t.match(names[0], /^[0-9a-v]{16}$/);
  t.equal(names[0], names[1], 'the same morning');
  t.not(names[0], names[2], 'the next day');
  t.not(names[0], town.contactsOf(cardOf(1), { answerKey: Buffer.alloc(32, 10) })[0]?.contact, 'another answer');
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
  t.equal(town.contactsOf(cardOf(1), { firstDay: '2026-11-20' as Day }).length, 1);
  t.equal(town.contactsOf(cardOf(1), { firstDay: '2026-11-21' as Day }).length, 0);
});

t.test('overlaps: every look into a day uses an index', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  town.keep([{ kiosk: 1, seq: 1, venue: 1, happening: into(1), atMs: at('20T10:00') }], NOW);
  const file = town.days.find('2026-11-20' as Day)!;
  const plans = {
    shelf: 'INTEGER PRIMARY KEY (rowid=?)',
    halls: 'COVERING INDEX hall_by_venue (generation=? AND venue=?)',
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

/** Towns small enough to look at each pair: a few cards and venues, three days, undos, clocks of every kind. */
const towns = fc.record({
  rows: fc.array(
    fc.record({
      kiosk: fc.constantFrom(1, 2, 3),
      card: fc.constantFrom(1, 2, 3, 4),
      isOut: fc.oneof({ weight: 2, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      minute: fc.noBias(fc.integer({ min: 0, max: 3 * 1_440 - 1 })),
      uncertaintyMs: fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(0, 2_000, 120_000) },
        { weight: 1, arbitrary: fc.constantFrom(7_200_000, 86_400_000) },
      ),
      dwellMs: fc.constantFrom(0, 20, 60, 180).map((minutes) => minutes * MINUTE),
    }),
    { minLength: 12, maxLength: 45 },
  ),
  undos: fc.array(fc.nat(), { maxLength: 4 }),
  order: fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
  chunk: fc.constantFrom(3, 10, 60),
  minimumOverlapMs: fc.constantFrom(1, 15 * MINUTE, 90 * MINUTE),
});

const essence = ({ venue, day, overlapMs, isCertain, groupSize }: Omit<Contact, 'contact' | 'order'>): string =>
  `${venue} ${day} ${overlapMs} ${isCertain} ${groupSize}`;

t.test('overlaps: in any small town, what the files answer is what a look at every pair of visits finds', async (t) => {
  const stores = new Town(t.testdir());
  t.teardown(() => stores.close());
  let contacts = 0;
  let nth = 0;
  fc.assert(
    fc.property(towns, ({ rows: drawn, undos, order, chunk, minimumOverlapMs }) => {
      // All towns lie in the same files; cards, kiosks and venues of each are its own.
      nth += 10;
      const first = nth;
      const scans: TownRow[] = drawn.map(({ kiosk, card, isOut, minute, uncertaintyMs, dwellMs }, i) => ({
        kiosk: first + kiosk,
        seq: i + 1,
        // Kiosks 1 and 2 hang at one venue.
        venue: first + Math.max(1, kiosk - 1),
        happening: isOut ? out(first + card) : { type: 'check-in', card: cardOf(first + card), groupSize: 1 + (i % 3), isSigned: true },
        atMs: DAY_START + minute * MINUTE,
        uncertaintyMs,
        dwellMs,
      }));
      const takenBack = undos.map((pick) => scans[pick % scans.length]!);
      const undoRows: TownRow[] = takenBack.map(({ kiosk, seq, venue }, i) => ({
        kiosk,
        seq: 1_000 + i,
        venue,
        happening: { type: 'undo', of: { keyId: keyIdOf(kiosk), seq: seq as Seq } },
        atMs: NOW.nowMs,
      }));
      const arriving = [...scans, ...undoRows, ...scans.slice(0, 5)]
        .map((row) => ({ row, key: order.next().value }))
        .sort((a, b) => a.key - b.key)
        .map(({ row }) => row);
      for (let i = 0; i < arriving.length; i += chunk) stores.keep(arriving.slice(i, i + chunk), NOW);

      const cards = [1, 2, 3, 4].map((card) => first + card);
      const visits = cards.map((card) =>
        visitsOf(
          scansOf(
            card,
            scans.filter((row) => !takenBack.includes(row)),
          ),
        ),
      );
      for (const [i, own] of visits.entries()) {
        const others = visits.filter((_, j) => j !== i).flat();
        const expected = own.flatMap((visit) => others.flatMap((other) => pairOf(visit, other, minimumOverlapMs)));
        const answer = stores.contactsOf(cardOf(cards[i]!), { minimumOverlapMs });
        contacts += answer.length;
        assert.deepEqual(answer.map(essence).sort(), expected.map(essence).sort());
        assert.deepEqual(
          answer.map(({ order }) => order),
          answer.map((_, place) => place + 1),
        );
      }
    }),
    { numRuns: 100 },
  );
  t.ok(contacts > 300, `${contacts} contacts were compared`);
});

/** The contact that two visits are, if they are one. */
function pairOf(visit: Visit, other: Visit, minimumOverlapMs: number): Omit<Contact, 'contact' | 'order'>[] {
  const { venue, possible, certain } = visit;
  const longestMs = overlapMs(possible, other.possible);
  if (other.venue !== venue || longestMs < minimumOverlapMs) return [];
  const isCertain = certain !== undefined && other.certain !== undefined && overlapMs(certain, other.certain) >= minimumOverlapMs;
  const day = dayOf(Math.max(possible.fromMs, other.possible.fromMs));
  return [{ venue, day, overlapMs: longestMs, isCertain, groupSize: other.groupSize, isDoubtful: false }];
}

const scansOf = (card: number, rows: readonly TownRow[]): Scan[] =>
  rows.flatMap(({ kiosk, seq, venue, happening, atMs, uncertaintyMs = 0, dwellMs = 0, lingeringMs = 0 }) => {
    if (happening.type !== 'check-in' && happening.type !== 'check-out') return [];
    if (Buffer.compare(happening.card, cardOf(card)) !== 0) return [];
    const groupSize = happening.type === 'check-in' ? happening.groupSize : 1;
    const source = `${idOf('k', kiosk)}/${Buffer.from(keyIdOf(kiosk)).toString('hex').toUpperCase()}`;
    const at = { venue: idOf<VenueId>('v', venue), atMs, uncertaintyMs, dwellMs, lingeringMs };
    return [{ kind: happening.type, source, seq, ...at, groupSize, isDoubtful: false }];
  });
