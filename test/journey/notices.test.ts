import { join } from 'node:path';
import t from 'tap';
import type { Placement } from '../../core/intake.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { en } from '../../kiosk/screen/languages/en.ts';
import { newPlaceId, type VenueId, type VisitorUuid } from '../../protocol/ids.ts';
import { KioskStub, reading } from '../core/kiosk-stub.ts';
import { telling, until } from '../support/until.ts';
import { cardOf, Road } from './road.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Two kiosks in two venues. */
async function opened(t: Parameters<typeof Road.open>[0]) {
  const road = await Road.open(t);
  await road.admit('shop');
  await road.admit('library', newPlaceId<VenueId>());
  return road;
}

/** Lets a sick and another visitor be in the shop together for two hours, and confirms the case. */
async function meet(road: Road, sick: VisitorUuid, ...others: VisitorUuid[]) {
  const shop = await road.startKiosk('shop');
  t.equal(await shop.scan(road.textOf(sick)), 'welcome');
  for (const other of others) t.equal(await shop.scan(road.textOf(other)), 'welcome');
  await road.delivered('shop');
  await road.state();
  road.clock.pass(2 * HOUR);
  return shop;
}

const confirm = (road: Road, card: VisitorUuid) =>
  road.core.cases.raise({ card, state: 'confirmed', source: 'officer', by: 'officer', key: 'one' });
const hasLast = (kiosk: { feedback: readonly { hasNotice?: true }[] }) => kiosk.feedback.at(-1)?.hasNotice === true;

/** Scans until it is so: a notice that is shown is the only sign of it at a door. */
async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  for (const told = telling('a notice'); !(await isSo()); told()) await new Promise((resolve) => setTimeout(resolve, 20));
}

t.test('journey: from a confirmed case to the notice at a kiosk in another venue, and to nobody else', async (t) => {
  const road = await opened(t);
  const shop = await meet(road, cardOf(1), cardOf(2));
  const library = await road.startKiosk('library');
  t.equal(await library.scan(road.textOf(cardOf(2))), 'welcome');
  t.notOk(hasLast(library), 'nothing is known yet');
  const { id } = confirm(road, cardOf(1));
  await eventually(async () => {
    await library.scan(road.textOf(cardOf(2)));
    return hasLast(library);
  });
  t.ok(library.shown.join('').includes(en.notice));
  t.notOk(library.feedback.some(({ hasNotice, kind }) => hasNotice && kind !== 'already-in' && kind !== 'welcome'));
  await library.scan(road.textOf(cardOf(3)));
  t.notOk(hasLast(library), 'who was not there');
  await library.scan(road.textOf(cardOf(1)));
  t.notOk(hasLast(library), 'nor the case itself');
  await shop.scan(road.textOf(cardOf(2)));
  t.ok(hasLast(shop), 'at every kiosk');

  road.core.cases.decide(id, 'dismissed');
  const told = async () => {
    await library.scan(road.textOf(cardOf(2)));
    return !hasLast(library);
  };
  await eventually(told);
  t.pass('a dismissed case takes its notices back');
});

t.test('journey: a card next scanned on day 9 gets its notice, offline too; 49 hours later it does not, anywhere', async (t) => {
  const road = await opened(t);
  const shop = await meet(road, cardOf(1), cardOf(2), cardOf(3));
  confirm(road, cardOf(1));
  const library = await road.startKiosk('library');
  await road.state(({ notices }) => notices?.cards === 2 && notices.told === 2);
  road.clock.pass(9 * DAY);
  // Offline: what it holds it goes by, and what it showed it tells later.
  await road.stopGateway();
  await library.scan(road.textOf(cardOf(2)));
  t.ok(hasLast(library), 'on day 9');
  t.match(library.shown.join(''), /Welcome .*stay apart and get tested/);
  await library.scan(road.textOf(cardOf(4)));
  t.notOk(hasLast(library));
  road.clock.pass(49 * HOUR);
  await library.scan(road.textOf(cardOf(2)));
  t.notOk(hasLast(library), '49 hours after it was shown, still offline');
  await library.scan(road.textOf(cardOf(3)));
  t.ok(hasLast(library), 'another card has its own time');

  await road.startGateway();
  await road.delivered('library');
  await road.state(({ notices }) => notices?.cards === 1);
  await eventually(async () => {
    await shop.scan(road.textOf(cardOf(3)));
    return hasLast(shop);
  });
  await shop.scan(road.textOf(cardOf(2)));
  t.notOk(hasLast(shop), 'the core knows when it was shown, and no kiosk shows it any more');
});

t.test(
  'journey: a confirmed flag is shown to whoever met its card, as its venue says, in the same words, and ends with the flag',
  async (t) => {
    const road = await opened(t);
    await meet(road, cardOf(1), cardOf(2));
    const library = await road.startKiosk('library');
    const keys = await makeCoreKeys(join(road.data, 'core', 'keys'));
    /** What triage says of a reading at a kiosk with a thermometer. */
    const flagged = async (flagRule?: Placement['flagRule']) => {
      const nowMs = road.clock.wall();
      const place = { venue: road.venue, ...(flagRule && { flagRule }) };
      const door = new KioskStub(keys, place, undefined, road.gateway.trust.deployment);
      const read = { happening: reading(cardOf(1), door.keyId, door.nextSeq), atMs: nowMs - 60_000 };
      const of = door.nextSeq;
      const entries = [await door.batch([read], nowMs), door.flag(of, 'confirmed', nowMs - 30_000, nowMs + 10 * HOUR)];
      // Beside the gateway's own ledger, whose place in it stays as it is.
      await road.core.accept(entries, { isReplay: true });
    };
    await flagged({ version: 1, minimumOverlapMs: 3 * HOUR, isSuspected: false });
    await until(() => road.core.notices.book.flags(road.clock.wall()).length === 1 && road.core.notices.counts().toTrace === 0);
    await library.scan(road.textOf(cardOf(2)));
    t.notOk(hasLast(library), 'two hours are not long enough, where the venue says three');
    await flagged({ version: 2, minimumOverlapMs: HOUR, isSuspected: false });
    await eventually(async () => {
      await library.scan(road.textOf(cardOf(2)));
      return hasLast(library);
    });
    t.match(library.shown.join(''), /stay apart and get tested/, 'the words are those of any notice');
    await library.scan(road.textOf(cardOf(1)));
    t.notOk(hasLast(library), 'not to the flagged person');
    t.strictSame(road.core.cases.open(), []);
    road.clock.pass(11 * HOUR);
    await library.scan(road.textOf(cardOf(2)));
    t.notOk(hasLast(library), 'the flag has aged off, and its notice with it');
  },
);
