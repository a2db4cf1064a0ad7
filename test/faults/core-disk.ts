/** The core's own disk: full, and turned read-only while it runs. Run by disks.test.ts. */
import t, { type Test } from 'tap';
import { compare, type House, NOTHING } from './house.ts';
import { openOnSmallDisk } from './house-on-disk.ts';

/** Scans until the core can not keep up; all the while the gateway acknowledges. */
async function scanUntilBehind(t: Test, house: House, from: number): Promise<number> {
  for (let card = from; ; card++) {
    t.equal((await house.scanMany(card, card + 1))[0], 'welcome');
    await house.pass(2_000);
    if (house.gatewayState?.sinks.core?.code !== undefined) return card + 1;
  }
}

/** Until the gateway has acknowledged all, whatever the core does. */
async function untilAcknowledged(house: House): Promise<void> {
  do await house.pass(1_000);
  while ((await house.health()).body.queued !== 0);
}

t.test(
  'faults: a core whose disk fills up stops nobody: the ledger keeps, operators see it, and with room again it catches up',
  async (t) => {
    const { house, disk } = await openOnSmallDisk(t, 'core');
    disk.fill();
    const next = await scanUntilBehind(t, house, 100);
    await house.scanMany(next, next + 20);
    await untilAcknowledged(house);
    await house.pass(2_000);
    t.match(house.gatewayState, { state: 'degraded', sinks: { core: { code: 'store.disk_full' } } });
    t.ok((house.gatewayState?.sinks.core?.behindEntries ?? 0) > 0, 'operators see how far behind it is');
    disk.empty();
    await house.untilDelivered();
    await house.until(() => house.gatewayState?.state === 'up');
    t.strictSame(compare(house, await house.audit()), NOTHING);
  },
);

t.test('faults: a core whose disk breaks down stops nobody, and catches up on the mended disk', async (t) => {
  const { house, disk } = await openOnSmallDisk(t, 'core');
  disk.breakDown();
  const next = await scanUntilBehind(t, house, 100);
  await house.scanMany(next, next + 20);
  await untilAcknowledged(house);
  await house.pass(2_000);
  t.match(house.gatewayState, { state: 'degraded', sinks: { core: { code: /^store\.(read_only|failed)$/ } } });
  await house.stopGateway();
  disk.repair();
  await house.startGateway();
  await house.untilDelivered();
  t.strictSame(compare(house, await house.audit()), NOTHING);
});
