/** The gateway's own disk: full, read-only from the start, and turned read-only while it runs. Run by disks.test.ts. */
import t, { type Test } from 'tap';
import { compare, type House, NOTHING } from './house.ts';
import { openOnSmallDisk } from './house-on-disk.ts';

/** What operators are told of batches that are not acknowledged. */
const withheld = (house: House) => house.gatewayState?.kiosks[house.kioskId]?.withheld;

/** Scans until the gateway says that it holds back its answer. @returns the card after the last. */
async function scanUntilWithheld(t: Test, house: House, from: number): Promise<number> {
  for (let card = from; ; card++) {
    t.equal((await house.scanMany(card, card + 1))[0], 'welcome', 'the door keeps on taking scans');
    await house.pass(2_000);
    if (withheld(house) !== undefined) return card + 1;
  }
}

t.test('faults: a gateway whose disk fills up acknowledges nothing and says so; with room again all comes, once', async (t) => {
  const { house, disk } = await openOnSmallDisk(t, 'gateway');
  disk.fill();
  const next = await scanUntilWithheld(t, house, 100);
  t.match(house.gatewayState, { state: 'degraded' });
  t.match(withheld(house), { code: 'store.disk_full' });
  t.strictSame(await house.scanMany(next, next + 20), new Array(20).fill('welcome'));
  t.ok(Number((await house.health()).body.queued) >= 20, 'the kiosk keeps what is not acknowledged');
  t.match(await house.health(), { status: 200, body: { storeWhy: undefined } });
  disk.empty();
  await house.untilDelivered();
  await house.until(() => house.gatewayState?.state === 'up');
  t.equal(withheld(house), undefined, 'the alarm ends by itself');
  t.strictSame(compare(house, await house.audit()), NOTHING);
});

t.test('faults: a gateway whose disk breaks down under it acknowledges nothing; on the mended disk all comes, once', async (t) => {
  const { house, disk } = await openOnSmallDisk(t, 'gateway');
  disk.breakDown();
  const next = await scanUntilWithheld(t, house, 100);
  t.match(house.gatewayState, { state: 'degraded' });
  t.match(withheld(house)?.code, /^store\.(read_only|failed)$/);
  t.strictSame(await house.scanMany(next, next + 20), new Array(20).fill('welcome'));
  await house.stopGateway();
  disk.repair();
  t.strictSame(await house.scanMany(next + 20, next + 30), new Array(10).fill('welcome'));
  await house.until(() => /offline \(link\.\w+\)/.test(house.terminal));
  await house.startGateway();
  await house.untilDelivered();
  t.strictSame(compare(house, await house.audit()), NOTHING);
});

t.test('faults: a gateway that is started on a read-only disk says so and ends; kiosks keep what they promise', async (t) => {
  const { house, disk } = await openOnSmallDisk(t, 'gateway');
  await house.stopGateway();
  disk.mayWrite(false);
  await t.rejects(house.startGateway(), { code: /^(store|config)\./ });
  t.strictSame(await house.scanMany(100, 110), new Array(10).fill('welcome'));
  disk.mayWrite(true);
  await house.startGateway();
  await house.untilDelivered();
  t.strictSame(compare(house, await house.audit()), NOTHING);
});
