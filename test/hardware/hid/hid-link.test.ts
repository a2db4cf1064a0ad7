import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type HidDriver, HidDrivers, type HidSettings } from '../../../hardware/hid/hid-link.ts';
import type { ReportLink } from '../../../hardware/hid/report-link.ts';
import { FakeHidBus, type FakeHidDevice, failToLoad } from '../../support/fake-hid.ts';
import { until } from '../../support/until.ts';

const never = new AbortController().signal;

function setUp(t: { testdir(): string }) {
  const bus = new FakeHidBus(t.testdir());
  const device = bus.plug({});
  const node = join(bus.places.deviceDir, 'hidraw0');
  const settings: HidSettings = { driver: 'hidraw', path: node, node };
  const drivers = new HidDrivers();
  const open = (part: Partial<HidSettings> = {}): Promise<ReportLink> => drivers.opener({ ...settings, ...part })(never);
  return { bus, device, settings, drivers, open };
}

/** What comes, until `count` reports are there. */
async function take(link: ReportLink, count: number, signal = never): Promise<string[]> {
  const reports: string[] = [];
  for await (const report of link.read(signal)) {
    reports.push(Buffer.from(report).toString('hex'));
    if (reports.length === count) break;
  }
  return reports;
}

const reading = (device: FakeHidDevice) => until(() => device.isRead);

t.test('HidLink: gives whole reports in order, those too that came between two readers', async (t) => {
  const { device, open } = setUp(t);
  const link = await open();
  const first = take(link, 2);
  await reading(device);
  for (const byte of [1, 2, 3]) device.send(Uint8Array.of(byte, 0xff));
  t.strictSame(await first, ['01ff', '02ff']);
  t.strictSame(await take(link, 1), ['03ff']);
  await link.close();
});

t.test('HidLink: unplugging is device.gone for the reader, after the reports that came before', async (t) => {
  const { device, open } = setUp(t);
  const link = await open();
  const taken = take(link, 5);
  await reading(device);
  device.send(Uint8Array.of(7));
  device.unplug();
  await t.rejects(taken, { code: 'device.gone' });
  await t.rejects(take(link, 1), { code: 'device.gone' });
  await t.rejects(link.write(Uint8Array.of(0), never), { code: 'device.gone' });
  await link.close();
  t.equal(device.isOpen, false);
});

t.test('HidLink: on abort the reader returns, and what comes then waits for the next', async (t) => {
  const { device, open } = setUp(t);
  const link = await open();
  const stop = new AbortController();
  const taken = take(link, 2, stop.signal);
  await reading(device);
  stop.abort();
  t.strictSame(await taken, []);
  device.send(Uint8Array.of(9));
  t.strictSame(await take(link, 1), ['09']);
  await link.close();
});

t.test('HidLink: closing twice is closing once, and ends a reader', async (t) => {
  const { device, open } = setUp(t);
  const link = await open();
  const gone = t.rejects(take(link, 1), { code: 'device.gone' });
  await reading(device);
  await Promise.all([link.close(), link.close()]);
  await gone;
  t.equal(device.isOpen, false);
});

t.test('HidLink: closed in the moment in which reading begins, it closes, and the process lives on', async (t) => {
  const { device, open } = setUp(t);
  for (let time = 0; time < 20; time++) {
    const link = await open();
    const gone = t.rejects(take(link, 1), { code: 'device.gone' });
    // node-hid starts its thread on the next tick, which comes after all promises.
    for (let turn = 0; turn < time % 4; turn++) await Promise.resolve();
    await link.close();
    await gone;
  }
  t.equal(device.openings, 20);
  t.equal(device.isOpen, false);
});

t.test('HidLink: a device that floods is a failed device, not memory without end', async (t) => {
  const { device, open } = setUp(t);
  const link = await open();
  const reader = link.read(never)[Symbol.asyncIterator]();
  const first = reader.next();
  await reading(device);
  for (let count = 0; count < 100_000; count++) device.send(Uint8Array.of(count & 0xff));
  await t.rejects(first, { code: 'device.failed' });
  await link.close();
});

t.test('HidLink: sends output and feature reports, and asks for one', async (t) => {
  const { device, open } = setUp(t);
  const link = await open();
  await link.write(Uint8Array.of(4, 2), never);
  await link.sendFeature(Uint8Array.of(254, 1), never);
  t.strictSame(device.sent, [
    { kind: 'write', report: Uint8Array.of(4, 2) },
    { kind: 'feature', report: Uint8Array.of(254, 1) },
  ]);
  t.strictSame(await link.getFeature(5, 3, never), Uint8Array.of(5, 5, 5));
  device.doesRefuse = true;
  await t.rejects(link.sendFeature(Uint8Array.of(254, 1), never), { code: 'device.failed' });
  await t.rejects(link.write(Uint8Array.of(1), AbortSignal.abort(new Error('enough'))), { message: 'enough' });
  await link.close();
});

t.test('HidDrivers: what is not there, or may not be opened, says so', async (t) => {
  const { device, open, settings } = setUp(t);
  await t.rejects(open({ node: `${settings.node}9` }), { code: 'device.absent' });
  await t.rejects(open({ path: '/dev/hidraw77' }), { code: 'device.absent' }, 'gone between the look and the opening');
  await t.rejects(new HidDrivers().opener(settings)(AbortSignal.abort(new Error('enough'))), { message: 'enough' });
  t.equal(device.isOpen, false);
});

t.test('HidDrivers: without the libraries that node-hid needs, the code says so, and it works once they are there', async (t) => {
  const { open } = setUp(t);
  failToLoad('libusb-1.0.so.0: cannot open shared object file: No such file or directory');
  await t.rejects(open(), { code: 'device.no_driver' });
  failToLoad(undefined);
  const link = await open();
  await link.close();
});

t.test('HidDrivers: both drivers live side by side in one process', async (t) => {
  const { bus, open } = setUp(t);
  const keyboard = bus.plug({ port: '1-2' });
  const node = join(bus.places.deviceDir, 'bus/usb/001/001');
  const links = [await open(), await open({ driver: 'libusb', path: '1-2:1.0', node })];
  t.strictSame(keyboard.drivers, ['HID']);
  const drivers: HidDriver[] = ['hidraw', 'libusb'];
  t.equal(links.length, drivers.length);
  await Promise.all(links.map((link) => link.close()));
});

t.test('HidLink: opened and unplugged a hundred times, it leaves nothing open', async (t) => {
  const { device, drivers, bus } = setUp(t);
  const openFiles = () => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  for (let time = 0; time < 100; time++) {
    const node = join(bus.places.deviceDir, `hidraw${time}`);
    const link = await drivers.opener({ driver: 'hidraw', path: node, node })(never);
    const taken = take(link, 1);
    await reading(device);
    device.unplug();
    await t.rejects(taken, { code: 'device.gone' });
    await link.close();
    device.plug();
  }
  t.equal(device.openings, 100);
  t.equal(device.isOpen, false);
  t.equal(openFiles(), before);
});
