import t from 'tap';
import { compare, House, KEPT_OFFLINE, NOTHING } from './house.ts';

t.test(
  'faults: an outbox at its bound refuses in plain words, and takes scans again by itself once the gateway has what it kept',
  async (t) => {
    const house = await House.open(t);
    await house.startKiosk({ outbox: { maxBytes: 262_144 } });
    const answers: (string | undefined)[] = [];
    for (let card = 0; !answers.includes('refused-full'); card++) answers.push(...(await house.scanMany(card, card + 1)));
    const kept = answers.length - 1;
    t.ok(kept > 100, `it kept ${kept}`);
    t.strictSame(await house.scanMany(kept, kept + 5), new Array(5).fill('refused-full'), 'it goes on refusing');
    t.match(house.terminal, KEPT_OFFLINE);
    t.match(house.terminal, /✕ Not kept: kiosk is full {2}Please write it on paper and call the technician\.\n/);
    t.match(house.terminal, /NOT STORING \(store\.full\) · offline/);
    t.match(await house.health(), { status: 503, body: { state: 'down', storeWhy: 'store.full', queued: kept + 1 } });
    await house.startGateway();
    await house.untilDelivered();
    await house.until(() => house.kioskState?.state !== 'down');
    t.match(await house.health(), { status: 200, body: { storeWhy: undefined, queued: 0 } });
    t.strictSame(await house.scanMany(50_000, 50_010), new Array(10).fill('welcome'), 'it takes scans again, without a restart');
    await house.untilDelivered();
    const found = await house.audit();
    t.equal(house.promised.length, kept + 10);
    t.strictSame(compare(house, found), NOTHING);
  },
);
