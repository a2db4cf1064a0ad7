import t from 'tap';
import { type CorrectedTime, correct, TOLERANCE_MS } from '../../protocol/clock-correction.ts';
import type { ClockState } from '../../protocol/event.ts';
import type { BootId } from '../../protocol/ids.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';

const boot = new Uint8Array(16).fill(1) as BootId;
const otherBoot = new Uint8Array(16).fill(2) as BootId;
const NOON = Date.UTC(2026, 10, 21, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** An event stamped at `wallMs`, `agoMs` before its batch was sent by the same boot, received at noon. */
function corrected(clock: ClockState, wallMs: number, agoMs: number, sender = boot): CorrectedTime {
  const sentMs = 100 * DAY;
  return correct({
    stamp: { wallMs: wallMs as EpochMillis, monotonicMs: (sentMs - agoMs) as MonotonicMillis, bootId: boot, clock },
    sentAt: { bootId: sender, monotonicMs: sentMs as MonotonicMillis },
    receivedAtMs: NOON as EpochMillis,
  });
}

const TABLE: readonly [string, CorrectedTime, number, CorrectedTime['basis']][] = [
  ['synced and right', corrected('synced', NOON - HOUR, HOUR), NOON - HOUR, 'kiosk'],
  ['synced, 2 min ahead of its place', corrected('synced', NOON - HOUR + 2 * MINUTE, HOUR), NOON - HOUR + 2 * MINUTE, 'kiosk'],
  ['synced, 2 min and 1 ms ahead', corrected('synced', NOON - HOUR + 2 * MINUTE + 1, HOUR), NOON - HOUR, 'same-boot'],
  ['synced, 2 min behind its place', corrected('synced', NOON - HOUR - 2 * MINUTE, HOUR), NOON - HOUR - 2 * MINUTE, 'kiosk'],
  ['synced, 2 min and 1 ms behind', corrected('synced', NOON - HOUR - 2 * MINUTE - 1, HOUR), NOON - HOUR, 'same-boot'],
  ['synced, set back to 1970 by a dead battery', corrected('synced', 0, HOUR), NOON - HOUR, 'same-boot'],
  ['unsynced, though it happens to be right', corrected('unsynced', NOON - HOUR, HOUR), NOON - HOUR, 'same-boot'],
  ['unsynced since boot in 1970', corrected('unsynced', 3 * MINUTE, DAY), NOON - DAY, 'same-boot'],
  ['assumed, and a day late', corrected('assumed', NOON - 2 * DAY, HOUR), NOON - HOUR, 'same-boot'],
  ['at the moment of sending', corrected('unsynced', 0, 0), NOON, 'same-boot'],
  ['synced, of an earlier boot', corrected('synced', NOON - 3 * DAY, HOUR, otherBoot), NOON - 3 * DAY, 'kiosk'],
  ['synced, of an earlier boot, 2 min in the future', corrected('synced', NOON + 2 * MINUTE, 0, otherBoot), NOON + 2 * MINUTE, 'kiosk'],
  ['synced, of an earlier boot, 2 min and 1 ms in the future', corrected('synced', NOON + 2 * MINUTE + 1, 0, otherBoot), NOON, 'unplaced'],
  ['synced, of an earlier boot, at the edge of retention', corrected('synced', NOON - 21 * DAY, HOUR, otherBoot), NOON - 21 * DAY, 'kiosk'],
  ['synced a year back, of an earlier boot', corrected('synced', NOON - 365 * DAY, HOUR, otherBoot), NOON - 21 * DAY, 'unplaced'],
  ['assumed, of an earlier boot', corrected('assumed', NOON - 3 * DAY, HOUR, otherBoot), NOON - 3 * DAY, 'unplaced'],
  ['unsynced in 1970, of an earlier boot', corrected('unsynced', 0, HOUR, otherBoot), NOON - 21 * DAY, 'unplaced'],
  ['unsynced in the future, of an earlier boot', corrected('unsynced', NOON + DAY, HOUR, otherBoot), NOON, 'unplaced'],
  ['stamped after it was sent, which no boot can', corrected('unsynced', NOON - HOUR, -1), NOON - HOUR, 'unplaced'],
  ['synced and stamped after it was sent', corrected('synced', NOON - HOUR, -1), NOON - HOUR, 'kiosk'],
];

for (const [name, result, atMs, basis] of TABLE) {
  t.test(`clock correction: ${name}: ${basis}`, (t) => {
    t.strictSame({ atMs: new Date(result.atMs).toISOString(), basis: result.basis }, { atMs: new Date(atMs).toISOString(), basis });
    t.equal(result.uncertaintyMs, { kiosk: 2_000, 'same-boot': 2 * MINUTE, unplaced: DAY }[basis]);
    t.end();
  });
}

const safe = fc.maxSafeNat();
const anyObserved = fc.record({
  stamp: fc.record({
    wallMs: fc.oneof(safe, fc.integer({ min: NOON - 30 * DAY, max: NOON + DAY })),
    monotonicMs: safe,
    bootId: fc.constantFrom(boot, otherBoot),
    clock: fc.constantFrom('synced', 'assumed', 'unsynced'),
  }),
  sentAt: fc.record({ bootId: fc.constantFrom(boot, otherBoot), monotonicMs: safe }),
  receivedAtMs: fc.oneof(safe, fc.constant(NOON)),
}) as fc.Arbitrary<Parameters<typeof correct>[0]>;

t.test('clock correction: whatever is stamped, the time is a number, not before 1970 and not in the future beyond 2 min', (t) => {
  fc.assert(
    fc.property(anyObserved, (observed) => {
      const { atMs, uncertaintyMs } = correct(observed);
      return Number.isSafeInteger(atMs) && atMs >= 0 && atMs <= observed.receivedAtMs + TOLERANCE_MS && uncertaintyMs >= 0;
    }),
    { numRuns: 5_000 },
  );
  t.pass();
  t.end();
});

t.test('clock correction: within one boot and one batch, without a synced clock, later stays later', (t) => {
  fc.assert(
    fc.property(anyObserved, safe, (observed, laterMs) => {
      const place = (monotonicMs: number) =>
        correct({
          ...observed,
          stamp: { ...observed.stamp, clock: 'unsynced', bootId: boot, monotonicMs: monotonicMs as MonotonicMillis },
          sentAt: { bootId: boot, monotonicMs: Number.MAX_SAFE_INTEGER as MonotonicMillis },
        }).atMs;
      const [early, late] = [observed.stamp.monotonicMs, laterMs].sort((a, b) => a - b) as [number, number];
      return place(early) <= place(late);
    }),
  );
  t.pass();
  t.end();
});
