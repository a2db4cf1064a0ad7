import t from 'tap';
import { ManualClock } from '../support/manual-clock.ts';
import { suiteSize } from '../support/suite-size.ts';
import { compare, House, NOTHING } from './house.ts';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const MINUTE_MS = 60_000;
const { isFull } = suiteSize();
const TRUE_MS = Date.UTC(2026, 10, 21, 9);

interface Case {
  readonly title: string;
  /** By how much the kiosk's wall clock is wrong at the start. */
  readonly offMs: number;
  readonly isSynced: boolean;
  /** Steps of the kiosk's wall clock, one after each round of scans. */
  readonly stepsMs: readonly number[];
  readonly isGatewayAbsent: boolean;
  /** What staff are shown of the clock, in the order of their coming. */
  readonly staffSee: RegExp;
}

const cases: readonly Case[] = [
  {
    title: 'a year behind and unsynced',
    offMs: -YEAR_MS,
    isSynced: false,
    stepsMs: [],
    isGatewayAbsent: false,
    // The gateway tells the time, signed: nobody vouches for it, and it is plausible again.
    staffSee: /connecting · clock unsynced[\s\S]*clock assumed/,
  },
  { title: 'a year ahead and unsynced', offMs: YEAR_MS, isSynced: false, stepsMs: [], isGatewayAbsent: false, staffSee: /clock assumed/ },
  {
    title: 'a year ahead, and the system says that it is synced',
    offMs: YEAR_MS,
    isSynced: true,
    stepsMs: [],
    isGatewayAbsent: false,
    staffSee: /online/,
  },
  {
    title: 'a year behind without a gateway for two days, and set right meanwhile',
    offMs: -YEAR_MS,
    isSynced: false,
    stepsMs: [YEAR_MS],
    isGatewayAbsent: true,
    staffSee: /clock unsynced[\s\S]*clock assumed/,
  },
  {
    title: 'stepping forward and back while it runs',
    offMs: 0,
    isSynced: true,
    stepsMs: [3 * DAY_MS, -400 * DAY_MS, 397 * DAY_MS, -5 * MINUTE_MS, 5 * MINUTE_MS],
    isGatewayAbsent: false,
    staffSee: /online/,
  },
];

for (const { title, offMs, isSynced, stepsMs, isGatewayAbsent, staffSee } of cases) {
  t.test(`faults: a kiosk's clock ${title}: nothing is dropped, and the core places each visit where it was`, async (t) => {
    const kioskClock = new ManualClock(TRUE_MS + offMs);
    const house = await House.open(t, { kioskClock });
    await house.startKiosk({}, { isClockSynced: () => isSynced });
    if (!isGatewayAbsent) {
      await house.startGateway();
      await house.until(() => house.kioskState?.isUp === true);
    }
    /** When each promised scan truly was. */
    const truly = new Map<string, number>();
    const rounds = isFull ? 50 : 5;
    for (let round = 0; round <= stepsMs.length; round++) {
      for (let card = 0; card < rounds; card++) {
        t.equal(await house.kiosk.scan(house.cardText(round * 1_000 + card)), 'welcome');
        truly.set(house.promised.at(-1) ?? '', house.clock.wall());
        await house.pass(1_000);
      }
      // Past the next look at the clock, so that what comes then comes by the stepped clock.
      kioskClock.stepWall(stepsMs[round] ?? 0);
      await house.pass(isGatewayAbsent ? MINUTE_MS : 15_000);
    }
    if (isGatewayAbsent) {
      await house.clock.leap(2 * DAY_MS);
      await kioskClock.leap(2 * DAY_MS);
      await house.startGateway();
    }
    await house.untilDelivered();
    t.match(house.terminal, staffSee, 'staff see how far the clock is to be believed');
    const state = house.kioskState;
    t.equal(state?.isUp, true);
    const found = await house.audit();
    t.strictSame(compare(house, found), NOTHING);
    t.equal(truly.size, rounds * (stepsMs.length + 1));
    const wrong = found.scans.flatMap(({ name, atMs, uncertaintyMs }) => {
      const offByMs = Math.abs(atMs - (truly.get(name) ?? 0));
      return offByMs <= uncertaintyMs && uncertaintyMs <= 2 * MINUTE_MS ? [] : [{ offByMs, uncertaintyMs }];
    });
    t.strictSame(wrong, [], 'each visit is placed within its uncertainty, and that is two minutes at most');
    const told = found.rows.flatMap(({ event }) => (event.type === 'kiosk-state' && event.state === 'clock-stepped' ? [event.byMs] : []));
    t.strictSame(told, stepsMs, 'each step is an event');
  });
}
