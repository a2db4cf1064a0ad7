import t from 'tap';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { compare, House, KEPT_OFFLINE, NOTHING } from './house.ts';

const HOUR_MS = 3_600_000;
const WEEK_HOURS = 7 * 24;
const ROWS_PER_SECOND = 200;
const { isFull, seed } = suiteSize();
/** Of each hour so much passes second by second, the rest at one stroke. */
const TICKED_MS = isFull ? HOUR_MS / 6 : 60_000;
const SCANS = isFull ? 50_000 : 4_000;

t.test(
  `faults: a gateway that is absent for a week, ${SCANS} scans (seed ${seed})`,
  { timeout: isFull ? 1_800_000 : 300_000 },
  async (t) => {
    const house = await House.open(t);
    const random = seededRandom(seed);
    // A dial a minute, as by default: a week of them.
    await house.startKiosk({ uplink: { drainRowsPerSecond: ROWS_PER_SECOND } });
    let cards = 0;
    for (let hour = 0; hour < WEEK_HOURS; hour++) {
      const upTo = hour === WEEK_HOURS - 1 ? SCANS : Math.min(SCANS, cards + Math.round((random() * 2 * SCANS) / WEEK_HOURS));
      const answers = await house.scanMany(cards, upTo);
      t.ok(
        answers.every((answer) => answer === 'welcome'),
        `hour ${hour}: each of ${answers.length} is welcome`,
      );
      cards = upTo;
      await house.pass(TICKED_MS);
      await house.clock.leap(HOUR_MS - TICKED_MS);
    }
    t.ok(
      house.kiosk.feedback.every(({ isStoredOffline }) => isStoredOffline),
      'each is told to be kept here',
    );
    t.match(house.terminal, KEPT_OFFLINE);
    t.match(house.terminal, /offline \(link\.\w+\)/);
    t.notMatch(house.terminal, /NOT STORING/);
    t.match(await house.health(), { status: 200, body: { state: 'degraded', isOnline: false, storeWhy: undefined, queued: SCANS + 1 } });

    await house.startGateway();
    const fromMs = house.clock.monotonic();
    await house.until(() => house.kioskState?.isUp === true);
    t.ok((house.kioskState?.oldestQueuedMs ?? 0) >= WEEK_HOURS * HOUR_MS, 'operators see how old the oldest is');
    // Each hour of this week was leapt over, as by a process that stood still.
    t.match(house.kioskState, { state: 'degraded', faults: ['kiosk.stalled'] });
    t.equal(await house.kiosk.scan(house.cardText(SCANS)), 'welcome');
    const live = house.promised.at(-1);
    t.equal(house.kiosk.feedback.at(-1)?.isStoredOffline, false, 'staff see that it is on its way');
    await house.untilDelivered();
    const tookMs = house.clock.monotonic() - fromMs;
    t.ok(tookMs >= ((SCANS - 64) / ROWS_PER_SECOND) * 1_000, `the drain is paced: ${SCANS} rows took ${tookMs} ms`);

    const found = await house.audit();
    t.equal(house.promised.length, SCANS + 1);
    t.strictSame(compare(house, found), NOTHING);
    const arrivals = found.rows.map(({ name }) => name);
    const behind = arrivals.length - arrivals.indexOf(live ?? '');
    t.ok(behind > SCANS / 2, `a live scan overtakes the backlog: ${behind} of ${SCANS} came after it`);
  },
);
