/** A kiosk's own disk: full, read-only from the start, and turned read-only while it runs. Run by disks.test.ts. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { compare, House, NOTHING } from './house.ts';
import { mountableRoot, SmallDisk } from './small-disk.ts';

const FULL_WORDS = /✕ Not kept: kiosk is full {2}Please write it on paper and call the technician\.\n/;
const BROKEN_WORDS = /✕ Not kept: kiosk cannot store {2}Please write it on paper and call the technician\.\n/;

async function openOnDisk(t: Test): Promise<{ house: House; disk: SmallDisk }> {
  const root = mountableRoot(t);
  const disk = new SmallDisk(t, join(root, 'kiosk'));
  t.comment(`the kiosk's disk is ${disk.kind}`);
  return { disk, house: await House.open(t, { root }) };
}

/** Scans until the door says no, in these words. @returns the card after the last that was tried. */
async function scanUntil(t: Test, house: House, from: number, answer: string): Promise<number> {
  for (let card = from; ; card++) {
    const [said] = await house.scanMany(card, card + 1);
    if (said === 'welcome') continue;
    t.equal(said, answer);
    return card + 1;
  }
}

t.test('faults: a disk that fills up under a kiosk, and is emptied again', async (t) => {
  const { house, disk } = await openOnDisk(t);
  await house.startKiosk();
  t.strictSame(await house.scanMany(0, 20), new Array(20).fill('welcome'));
  disk.fill();
  const next = await scanUntil(t, house, 20, 'refused-full');
  t.strictSame(await house.scanMany(next, next + 5), new Array(5).fill('refused-full'), 'it goes on refusing');
  t.match(house.terminal, FULL_WORDS);
  t.match(house.terminal, /NOT STORING \(store\.disk_full\) · offline/);
  t.match(await house.health(), { status: 503, body: { state: 'down', storeWhy: 'store.disk_full' } });
  disk.empty();
  await house.untilStoreKeeps();
  t.match(await house.health(), { status: 200, body: { storeWhy: undefined } }, 'it finds by itself that there is room');
  t.strictSame(await house.scanMany(1_000, 1_010), new Array(10).fill('welcome'));
  disk.fill();
  await scanUntil(t, house, 2_000, 'refused-full');
  await house.startGateway();
  await house.until(() => house.kioskState?.lastError === 'store.disk_full');
  t.match(house.kioskState, { isUp: true, state: 'down' }, 'operators see it, too');
  disk.empty();
  await house.untilDelivered();
  t.strictSame(compare(house, await house.audit()), NOTHING);
});

t.test('faults: a kiosk that starts on a full disk shows it, keeps what lies there, and serves once there is room', async (t) => {
  const { house, disk } = await openOnDisk(t);
  await house.startKiosk();
  await house.scanMany(0, 50);
  await house.stopKiosk();
  disk.fill();
  await house.startKiosk();
  const next = await scanUntil(t, house, 100, 'refused-full');
  t.ok(next <= 101, 'from the first scan on');
  t.match(house.terminal, FULL_WORDS);
  t.match(await house.health(), { status: 503, body: { storeWhy: 'store.disk_full' } });
  disk.empty();
  await house.untilStoreKeeps();
  t.strictSame(await house.scanMany(200, 210), new Array(10).fill('welcome'));
  await house.startGateway();
  await house.untilDelivered();
  t.equal(house.promised.length, 60);
  t.strictSame(compare(house, await house.audit()), NOTHING);
});

t.test('faults: a kiosk that starts on a read-only disk shows it, and serves once it may write', async (t) => {
  const { house, disk } = await openOnDisk(t);
  await house.startKiosk();
  await house.scanMany(0, 50);
  await house.stopKiosk();
  disk.mayWrite(false);
  await house.startGateway();
  await house.startKiosk();
  t.strictSame(await house.scanMany(100, 105), new Array(5).fill('refused-store'));
  t.match(house.terminal, BROKEN_WORDS);
  t.match(house.terminal, /NOT STORING \(store\.read_only\)/);
  t.match(await house.health(), { status: 503, body: { state: 'down', storeWhy: 'store.read_only' } });
  disk.mayWrite(true);
  await house.untilStoreKeeps();
  t.strictSame(await house.scanMany(200, 210), new Array(10).fill('welcome'));
  await house.untilDelivered();
  t.equal(house.promised.length, 60);
  t.strictSame(compare(house, await house.audit()), NOTHING);
});

t.test('faults: a disk that breaks down under a running kiosk: refused visibly, what was promised is sent, and once only', async (t) => {
  const { house, disk } = await openOnDisk(t);
  await house.startKiosk();
  await house.scanMany(0, 50);
  disk.breakDown();
  t.strictSame(await house.scanMany(100, 105), new Array(5).fill('refused-store'));
  t.match(house.terminal, BROKEN_WORDS);
  t.match(house.terminal, /NOT STORING \(store\.(failed|read_only)\)/);
  await house.startGateway();
  await house.until(() => /^store\./.test(house.kioskState?.lastError ?? ''));
  t.match(house.kioskState, { isUp: true, state: 'down' });
  await house.pass(30_000);
  await house.stopKiosk();
  disk.repair();
  await house.startKiosk();
  t.strictSame(await house.scanMany(200, 210), new Array(10).fill('welcome'));
  await house.untilDelivered();
  t.equal(house.promised.length, 60);
  t.strictSame(compare(house, await house.audit()), NOTHING);
});
