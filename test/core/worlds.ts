/** Small random worlds, traced by the core and by the reference: ties, touching spans, midnight, unsure clocks, re-scans, what was taken back. */
import assert from 'node:assert/strict';
import type { Day } from '../../core/day.ts';
import type { Exposure, Meeting, TracePolicy } from '../../core/trace/trace.ts';
import { backwardClusters, trace } from '../../core/trace/tracer.ts';
import { Turns } from '../../core/trace/turns.ts';
import type { Happening } from '../../protocol/event.ts';
import type { Seq, VenueId } from '../../protocol/ids.ts';
import { ManualClock } from '../support/manual-clock.ts';
import fc from '../support/properties.ts';
import {
  type ReferenceExposure,
  type ReferenceMeeting,
  type ReferenceScan,
  type ReferenceWorld,
  referenceClusters,
  referenceTrace,
} from '../support/trace-reference.ts';
import { cardOf, idOf, keyIdOf, NAMES, type Town, type TownRow } from './town.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
const QUARTERS = 6 * 96;

/** Six days each, over midnights, and over the hours that Europe's and America's clocks were set. */
const BASES = [Date.UTC(2026, 9, 22), Date.UTC(2026, 9, 29, 12), Date.UTC(2026, 2, 26), Date.UTC(2026, 10, 10, 23, 45)];
export const FIRST_DAY = '2026-01-01' as Day;
const CARDS = 6;

const row = fc.record({
  kiosk: fc.constantFrom(1, 2, 3, 4),
  card: fc.nat({ max: CARDS - 1 }),
  isOut: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 2, arbitrary: fc.constant(true) }),
  /** Most on a quarter of an hour, so that spans touch and rows tie; near the window's edges more than elsewhere. */
  minute: fc.oneof(
    { weight: 2, arbitrary: fc.noBias(fc.integer({ min: 0, max: QUARTERS - 1 })).map((quarter) => quarter * 15) },
    { weight: 5, arbitrary: fc.noBias(fc.integer({ min: 4 * 96 - 10, max: 4 * 96 + 14 })).map((quarter) => quarter * 15) },
    { weight: 1, arbitrary: fc.noBias(fc.integer({ min: 0, max: QUARTERS * 15 - 1 })) },
  ),
  uncertaintyMs: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(0, 0, 2_000, 120_000) },
    { weight: 1, arbitrary: fc.constantFrom(900_000, 7_200_000, DAY, 3 * DAY) },
  ),
  dwell: fc.constantFrom(0, 15, 60, 60, 180, 24 * 60),
  lingering: fc.constantFrom(0, 0, 15, 120, 3 * 1_440),
});

export const anyWorld = fc.record({
  base: fc.constantFrom(...BASES),
  rows: fc.array(row, { minLength: 16, maxLength: 60 }),
  undos: fc.array(fc.nat(), { maxLength: 4 }),
  doubts: fc.array(fc.nat(), { maxLength: 3 }),
  /** Which of the four kiosks are another gateway's; both of the first venue are of one. */
  others: fc.constantFrom<readonly number[]>([], [], [4], [3, 4], [3]),
  order: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 80, maxLength: 80 }),
  chunk: fc.constantFrom(12, 40, 70),
  anchorQuarter: fc.integer({ min: 4 * 96 - 4, max: QUARTERS + 96 }),
  laterMs: fc.constantFrom(0, 15 * MINUTE, DAY),
  minimumOverlapMs: fc.constantFrom(1, 15 * MINUTE, 60 * MINUTE),
  mediumMinimumOverlapMs: fc.constantFrom(1, 15 * MINUTE, 30 * MINUTE, 120 * MINUTE),
  highHours: fc.constantFrom(48, 48, 24),
  isTidied: fc.tuple(fc.boolean(), fc.boolean()),
});

export type World = typeof anyWorld extends fc.Arbitrary<infer T> ? T : never;

/** A world as rows of its own kiosks, venues and cards, so that many can lie in the same files. */
export interface PlacedWorld {
  readonly rows: readonly TownRow[];
  readonly cards: readonly number[];
  readonly reference: ReferenceWorld;
  readonly takenBack: readonly TownRow[];
  readonly doubted: readonly TownRow[];
  readonly anchorMs: number;
  readonly policy: TracePolicy;
}

export function place(world: World, nth: number): PlacedWorld {
  const first = nth * 10;
  const venueOf = (kiosk: number) => first + Math.max(1, kiosk - 1);
  const rows = world.rows.map(({ kiosk, card, isOut, minute, uncertaintyMs, dwell, lingering }, i): TownRow => {
    const out: Happening = { type: 'check-out', card: cardOf(first + card) };
    const into: Happening = { type: 'check-in', card: cardOf(first + card), groupSize: 1 + (i % 4), isSigned: true };
    const gateway = world.others.includes(kiosk) ? 1 : 0;
    const at = { kiosk: first + kiosk, seq: i + 1, venue: venueOf(kiosk), gateway, atMs: world.base + minute * MINUTE };
    return { ...at, happening: isOut ? out : into, uncertaintyMs, dwellMs: dwell * MINUTE, lingeringMs: lingering * MINUTE };
  });
  const pick = (picks: readonly number[]) => picks.flatMap((nth) => rows[nth % rows.length] ?? []);
  const [takenBack, doubted] = [pick(world.undos), pick(world.doubts)];
  const anchorMs = world.base + world.anchorQuarter * 15 * MINUTE;
  const { minimumOverlapMs, mediumMinimumOverlapMs, highHours } = world;
  return {
    rows,
    cards: Array.from({ length: CARDS }, (_, card) => first + card),
    reference: {
      scans: rows.map((one) => referenceScan(one, doubted.includes(one))),
      takenBack: new Set(takenBack.map(nameOf)),
      now: anchorMs + world.laterMs,
    },
    takenBack,
    doubted,
    anchorMs,
    policy: {
      ...{ version: 1, anchor: 'confirmation', minimumOverlapMs, mediumMinimumOverlapMs },
      ...{ highWindowMs: highHours * HOUR, farWindowMs: 96 * HOUR, backwardWindowMs: 120 * HOUR },
    },
  };
}

const sourceOf = (kiosk: number): string => `${idOf('k', kiosk)}/${Buffer.from(keyIdOf(kiosk)).toString('hex').toUpperCase()}`;
const nameOf = ({ kiosk, seq }: TownRow): string => `${sourceOf(kiosk)}/${seq}`;
export const hexOf = (card: number): string => Buffer.from(NAMES.of(cardOf(card))).toString('hex');

function referenceScan(row: TownRow, isDoubtful: boolean): ReferenceScan {
  const { happening, uncertaintyMs = 0, dwellMs = 0, lingeringMs = 0 } = row;
  if (happening.type !== 'check-in' && happening.type !== 'check-out') throw new Error('not a scan');
  return {
    card: Buffer.from(NAMES.of(happening.card)).toString('hex'),
    kind: happening.type,
    gateway: String(row.gateway),
    source: sourceOf(row.kiosk),
    seq: row.seq,
    venue: idOf<VenueId>('v', row.venue),
    at: row.atMs,
    u: uncertaintyMs,
    dwell: dwellMs,
    lingering: lingeringMs,
    group: happening.type === 'check-in' ? happening.groupSize : 1,
    isDoubtful,
  };
}

/** Rows, undos and doubts reach the files in any order, some twice. */
export async function keepWorld(town: Town, world: World, placed: PlacedWorld): Promise<void> {
  const { rows, takenBack, doubted } = placed;
  const undos = takenBack.map(({ kiosk, seq, venue, gateway = 0 }, i): TownRow => {
    const happening: Happening = { type: 'undo', of: { keyId: keyIdOf(kiosk), seq: seq as Seq } };
    return { kiosk, seq: 1_000 + i, venue, gateway, happening, atMs: placed.anchorMs };
  });
  const now = { firstDay: FIRST_DAY, nowMs: placed.reference.now };
  const arriving = [...rows, ...undos, ...rows.slice(0, 5)]
    .map((row, i) => ({ row, key: world.order[i % world.order.length] ?? 0 }))
    .sort((a, b) => a.key - b.key)
    .map(({ row }) => row);
  const [isTidiedBetween, isTidiedAtEnd] = world.isTidied;
  for (let i = 0; i < arriving.length; i += world.chunk) {
    town.keep(arriving.slice(i, i + world.chunk), now);
    if (i === world.chunk && isTidiedBetween) await town.tidy();
    if (i === world.chunk) town.doubt(doubted, now);
  }
  if (arriving.length <= world.chunk) town.doubt(doubted, now);
  if (isTidiedAtEnd) await town.tidy();
}

const told = ({ venue, from, to, isCertain, isDoubtful, group, rows }: ReferenceMeeting): string =>
  `${venue} ${from} ${to} ${isCertain} ${isDoubtful} ${group} ${rows.join(' ')}`;

function toldOf(town: Town, { venue, span, isCertain, isDoubtful, groupSize, rows }: Meeting): string {
  const names = rows.map(({ stream, seq }) => `${town.streams.source(stream)}/${seq}`).sort();
  return told({ venue, from: span.fromMs, to: span.toMs, isCertain, isDoubtful, group: groupSize, rows: names });
}

const line = (priority: string, order: number, meetings: readonly string[], via: string): string =>
  `${priority} ${order} [${[...meetings].sort().join('] [')}] via ${via}`;
const expectedLine = ({ priority, order, meetings, via }: ReferenceExposure): string =>
  line(priority, order, meetings.map(told), via ? `${via.card} ${told(via.meeting)}` : 'nobody');
const exposureLine = (town: Town, { priority, order, meetings, via }: Exposure): string =>
  line(
    priority,
    order,
    meetings.map((one) => toldOf(town, one)),
    via ? `${Buffer.from(via.card).toString('hex')} ${toldOf(town, via.meeting)}` : 'nobody',
  );

const signal = new AbortController().signal;
const turns = (): Turns => new Turns(new ManualClock(), signal);

export async function traced(town: Town, placed: PlacedWorld, card: number): Promise<Map<string, string>> {
  const { anchorMs, policy, reference } = placed;
  const question = { card: NAMES.of(cardOf(card)), anchorMs, policy, nowMs: reference.now };
  const { exposures } = await trace(town.visits(FIRST_DAY), question, turns());
  return new Map(exposures.map((one) => [Buffer.from(one.card).toString('hex'), exposureLine(town, one)]));
}

/** How much was compared: exposures by priority and order. */
export type Compared = Record<'high 1' | 'medium 1' | 'medium 2' | 'clusters', number>;

/** Traces each card of a world both ways. @throws AssertionError where they differ. */
export async function compareWorld(town: Town, placed: PlacedWorld, compared: Compared): Promise<void> {
  const { anchorMs, policy, reference } = placed;
  for (const card of placed.cards) {
    const expected = referenceTrace(reference, hexOf(card), anchorMs, policy);
    const wanted = new Map([...expected].map(([name, exposure]) => [name, expectedLine(exposure)]));
    const found = await traced(town, placed, card);
    assert.deepEqual(Object.fromEntries([...found].sort()), Object.fromEntries([...wanted].sort()));
    for (const { priority, order } of expected.values()) compared[`${priority} ${order}` as keyof Compared] += 1;
    const cases = new Set(placed.cards.filter((one) => one % 2 === 0 && one !== card).map(hexOf));
    const lines = referenceClusters(reference, hexOf(card), anchorMs, policy, cases);
    const clusters = await backwardClusters(
      town.visits(FIRST_DAY),
      {
        ...{ card: NAMES.of(cardOf(card)), anchorMs, policy, nowMs: reference.now },
        isCase: (names, at) => cases.has(Buffer.from(names.subarray(at, at + 16)).toString('hex')),
      },
      turns(),
    );
    const foundLines = clusters.map(({ venue, span, visitors, cases }) => `${venue} ${span.fromMs} ${span.toMs} ${visitors} ${cases}`);
    assert.deepEqual(foundLines.sort(), lines);
    compared.clusters += lines.length;
  }
}
