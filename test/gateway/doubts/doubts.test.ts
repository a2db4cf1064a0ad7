import { randomBytes } from 'node:crypto';
import t from 'tap';
import { areTwoPlaces, DOUBT_POLICY, hasJumped, isNight, type Sighting } from '../../../gateway/doubts/doubt-rules.ts';
import { Doubts } from '../../../gateway/doubts/doubts.ts';
import { Tally } from '../../../gateway/doubts/tally.ts';
import type { OpenedBatch, OpenedRow } from '../../../gateway/open-batch.ts';
import { VenueCalendar } from '../../../gateway/pseudonym.ts';
import type { Kiosk } from '../../../gateway/registry.ts';
import type { VestibuleEvent } from '../../../protocol/event.ts';
import {
  type BootId,
  type EntranceId,
  type KeyId,
  type KioskId,
  newPlaceId,
  type Seq,
  type VenueId,
  type VisitorUuid,
} from '../../../protocol/ids.ts';
import type { EpochMillis, MonotonicMillis } from '../../../protocol/units.ts';
import fc from '../../support/properties.ts';

const NOON = Date.UTC(2026, 10, 22, 12) as EpochMillis;
const NIGHT = Date.UTC(2026, 10, 22, 2, 30) as EpochMillis;

/** A gateway's doubts, and kiosks in UTC that send one event a batch, received as it happens. */
function atWork() {
  const doubts = new Doubts(DOUBT_POLICY, new VenueCalendar());
  const newKiosk = (venue = newPlaceId<VenueId>()) => {
    const kiosk: Kiosk = {
      kiosk: newPlaceId<KioskId>(),
      publicKey: randomBytes(32),
      placement: { venue, entrance: newPlaceId<EntranceId>(), direction: 'in', dwellMs: 7_200_000, lingeringMs: 0 },
      role: 'kiosk',
      timezone: 'UTC',
      isDirectionTold: false,
      admittedAtMs: 0 as EpochMillis,
      revokedAtMs: undefined,
    };
    const boot = randomBytes(16) as Uint8Array as BootId;
    const keyId = randomBytes(8) as Uint8Array as KeyId;
    let seq = 0;
    const send = (atMs: EpochMillis, card = newCard(), options: { isSynced?: boolean; bootedAtMs?: number; uncertain?: boolean } = {}) => {
      const { isSynced = true, bootedAtMs = NIGHT - 3_600_000 } = options;
      const monotonicMs = (atMs - bootedAtMs) as MonotonicMillis;
      const stamp = { wallMs: atMs, monotonicMs, bootId: boot, clock: isSynced ? 'synced' : 'unsynced' } as const;
      seq += 1;
      const event: VestibuleEvent = { type: 'check-in', card, groupSize: 1, isSigned: true, stamp };
      const row = { seq: seq as Seq, event } as OpenedRow;
      const batch = { keyId, sentAt: { bootId: boot, monotonicMs }, rows: [row] } as unknown as OpenedBatch;
      return doubts
        .take(kiosk, batch, [row], atMs)
        .map(({ reason, row: { kiosk: of, seq: number }, venue: at }) => ({ reason, of, number, at }));
    };
    return { kiosk, send, venue };
  };
  return { newKiosk };
}

const newCard = (): VisitorUuid => new Uint8Array(randomBytes(16)) as VisitorUuid;
const later = (atMs: EpochMillis, ms: number): EpochMillis => (atMs + ms) as EpochMillis;

t.test('doubts: a card at two venues within half a minute makes both check-ins doubtful, for nobody knows which is the copy', async (t) => {
  const { newKiosk } = atWork();
  const [here, there] = [newKiosk(), newKiosk()];
  const card = newCard();
  t.strictSame(here.send(NOON, card), []);
  t.strictSame(there.send(later(NOON, 30_000), card), [
    { reason: 'two-places', of: there.kiosk.kiosk, number: 1, at: there.venue },
    { reason: 'two-places', of: here.kiosk.kiosk, number: 1, at: here.venue },
  ]);
  t.strictSame(here.send(later(NOON, 300_000), card), [], 'five minutes are a way');
});

t.test('doubts: two doors of one venue are one place, and two cards are two people', async (t) => {
  const { newKiosk } = atWork();
  const front = newKiosk();
  const back = newKiosk(front.venue);
  const card = newCard();
  t.strictSame([front.send(NOON, card), back.send(later(NOON, 5_000), card), newKiosk().send(NOON)], [[], [], []]);
});

t.test('doubts: a time that nobody is sure of proves no copy', async (t) => {
  const { newKiosk } = atWork();
  const card = newCard();
  newKiosk().send(NOON, card);
  t.strictSame(newKiosk().send(later(NOON, 1_000), card, { isSynced: false }), []);
});

t.test('doubts: more at one door than fit through it, each of those too many', async (t) => {
  const { newKiosk } = atWork();
  const door = newKiosk();
  const found = Array.from({ length: DOUBT_POLICY.mostInDoorWindow + 3 }, (_, nth) => door.send(later(NOON, nth * 100)));
  t.strictSame(
    found.flat().map(({ reason }) => reason),
    ['door-rate', 'door-rate', 'door-rate'],
  );
});

t.test('doubts: a burst at night is doubted, the same by day is not', async (t) => {
  const { newKiosk } = atWork();
  const door = newKiosk();
  const burst = (from: EpochMillis) =>
    Array.from({ length: DOUBT_POLICY.mostInNightWindow + 1 }, (_, nth) => door.send(later(from, nth * 5_000)));
  t.strictSame(burst(NOON).flat(), []);
  t.match(burst(NIGHT).flat(), [{ reason: 'night-burst' }]);
});

t.test('doubts: a synced clock that jumps within one boot is doubted once', async (t) => {
  const { newKiosk } = atWork();
  const door = newKiosk();
  const bootedAtMs = NIGHT - 7_200_000;
  t.strictSame(door.send(NOON, newCard(), { bootedAtMs }), []);
  const jumped = { bootedAtMs: bootedAtMs + 600_000 };
  t.match(door.send(later(NOON, 1_000), newCard(), jumped), [{ reason: 'clock-jump' }]);
  t.strictSame(door.send(later(NOON, 2_000), newCard(), jumped), []);
});

const sighting = fc.record({
  venue: fc.constantFrom('a' as VenueId, 'b' as VenueId),
  atMs: fc.integer({ min: 0, max: 200_000 }) as fc.Arbitrary<EpochMillis>,
  uncertaintyMs: fc.nat(100_000),
}) satisfies fc.Arbitrary<Sighting>;

t.test('doubts: two places are so from both sides, and only where no clock error explains them', async (t) => {
  fc.assert(
    fc.property(sighting, sighting, (one, other) => {
      const isDoubted = areTwoPlaces(one, other, DOUBT_POLICY);
      if (isDoubted !== areTwoPlaces(other, one, DOUBT_POLICY)) return false;
      const earliest = Math.max(one.atMs - one.uncertaintyMs, other.atMs - other.uncertaintyMs);
      const latest = Math.max(one.atMs + one.uncertaintyMs, other.atMs + other.uncertaintyMs);
      return !isDoubted || (one.venue !== other.venue && latest - earliest <= 2 * DOUBT_POLICY.shortestWayMs);
    }),
  );
  t.pass('for any two');
});

t.test('tally: counts each window in any order of arrival, and remembers no more than a few', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(15_999), { maxLength: 200 }), (timesMs) => {
      const tally = new Tally(1_000);
      const counts = new Map<number, number>();
      return timesMs.every((atMs) => {
        const window = Math.floor(atMs / 1_000);
        counts.set(window, (counts.get(window) ?? 0) + 1);
        return tally.add(atMs, 1) === counts.get(window);
      });
    }),
  );
  const tally = new Tally(1_000);
  tally.add(0, 1);
  for (let window = 1; window <= 16; window++) tally.add(window * 1_000, 1);
  t.equal(tally.add(0, 1), 1, 'the one that was idle longest is forgotten');
});

t.test('doubt rules: a restart explains any clock, night has its hours', async (t) => {
  const base = { boot: 'aa', offsetMs: 0 };
  t.notOk(hasJumped(undefined, base, DOUBT_POLICY));
  t.notOk(hasJumped(base, { boot: 'bb', offsetMs: 1e9 }, DOUBT_POLICY));
  t.notOk(hasJumped(base, { boot: 'aa', offsetMs: 120_000 }, DOUBT_POLICY));
  t.ok(hasJumped(base, { boot: 'aa', offsetMs: -120_001 }, DOUBT_POLICY));
  t.strictSame(
    [0, 1, 4, 5, 23].map((hour) => isNight(hour, DOUBT_POLICY)),
    [false, true, true, false, false],
  );
});
