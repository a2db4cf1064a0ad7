/** Small random towns, whose contacts are looked up in the files and found again by a look at every pair of visits. */
import assert from 'node:assert/strict';
import type { Day } from '../../core/day.ts';
import { dayOf } from '../../core/day.ts';
import type { Contact } from '../../core/overlap.ts';
import { overlapMs, type Scan, type Visit, visitsOf } from '../../core/visit.ts';
import type { Happening } from '../../protocol/event.ts';
import type { Seq, VenueId } from '../../protocol/ids.ts';
import fc from '../support/properties.ts';
import { cardOf, idOf, keyIdOf, type Town, type TownRow } from './town.ts';

const MINUTE = 60_000;
const DAY_START = Date.UTC(2026, 10, 20);
const NOW = { firstDay: '2026-11-01' as Day, nowMs: DAY_START + 3 * 86_400_000 };
const out = (card: number): Happening => ({ type: 'check-out', card: cardOf(card) });

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

/** @returns how many contacts were compared. @throws where the two differ. */
export async function compareTowns(stores: Town, runs: { readonly numRuns: number; readonly seed?: number }): Promise<number> {
  let contacts = 0;
  let nth = 0;
  await fc.assert(
    fc.asyncProperty(towns, async ({ rows: drawn, undos, order, chunk, minimumOverlapMs }) => {
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
        const answer = await stores.contactsOf(cardOf(cards[i]!), { minimumOverlapMs });
        contacts += answer.length;
        assert.deepEqual(answer.map(essence).sort(), expected.map(essence).sort());
        assert.deepEqual(
          answer.map(({ order }) => order),
          answer.map((_, place) => place + 1),
        );
      }
    }),
    runs,
  );
  return contacts;
}

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
