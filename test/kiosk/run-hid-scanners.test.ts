import t from 'tap';
import { BOOT_KEYBOARD_DESCRIPTOR } from '../../hardware/scanner/keyboard-reports.ts';
import { parseConfig } from '../../kiosk/config.ts';
import { runHidScanners } from '../../kiosk/run-hid-scanners.ts';
import { Lines } from '../hardware/supervised.ts';
import { FakeHidBus, type FakeHidDevice } from '../support/fake-hid.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { HONEYWELL_FORMAT, NEWLAND_FORMAT, posDescriptor, posReports } from '../support/pos-format.ts';
import { bootReport, keysOf } from '../support/typing.ts';

const POS = posDescriptor(HONEYWELL_FORMAT);

/** A running kiosk's HID scanners; by default those of a configuration that names none. */
function setUp(t: { testdir(): string; teardown(fn: () => Promise<void>): void }, scanners?: readonly object[]) {
  const dir = t.testdir();
  const bus = new FakeHidBus(dir);
  const clock = new ManualClock();
  const log = new Lines();
  const stop = new AbortController();
  const said: string[] = [];
  const run = () =>
    runHidScanners(
      {
        config: parseConfig({ dataDir: dir, trustPath: dir, ...(scanners === undefined ? {} : { scanners }) }),
        clock,
        log,
        random: () => 0,
        onScan: ({ text, device }) => said.push(`${device} scanned ${text}`),
        onNoScan: (device) => said.push(`${device} refused`),
        onReport: (report) => said.push(`${report.device} ${report.isUp ? 'up' : report.why.code}`),
        hidPlaces: bus.places,
      },
      stop.signal,
    );
  const started: Promise<void>[] = [];
  const start = () => started.push(run());
  t.teardown(async () => {
    stop.abort();
    await Promise.all(started);
  });
  const pass = async (waitMs: number) => {
    for (let passedMs = 0; passedMs < waitMs; passedMs += 50) {
      await bus.settle();
      await clock.advance(50);
    }
  };
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await pass(50);
  };
  const untilSaid = (word: RegExp) => until(() => said.some((line) => word.test(line)));
  return { bus, clock, log, said, start, pass, until, untilSaid };
}

const scan = (device: FakeHidDevice, text: string) => {
  for (const report of posReports(HONEYWELL_FORMAT, text)) device.send(report);
};
const type = (device: FakeHidDevice, text: string) => {
  for (const keys of keysOf(text)) device.send(bootReport(keys));
};

t.test(
  'HID scanners: a kiosk with defaults takes a POS scanner that is plugged in later, and again after a replug into another socket',
  async (t) => {
    const { bus, said, start, until, untilSaid, log } = setUp(t);
    start();
    const device = bus.plug({ descriptor: POS, serialNumber: 'SN-77' });
    await untilSaid(/up/);
    scan(device, 'V'.repeat(174));
    await untilSaid(/scanned/);
    const [up = ''] = said;
    const name = up.split(' ')[0] ?? '';
    t.match(name, /^hid-[0-9a-f]{8}$/);
    device.unplug();
    await untilSaid(/device\.gone/);
    device.plug('1-4');
    await until(() => device.isRead);
    scan(device, 'VCSECOND');
    await untilSaid(/VCSECOND/);
    t.strictSame(said, [
      `${name} up`,
      `${name} scanned ${'V'.repeat(174)}`,
      `${name} device.gone`,
      `${name} up`,
      `${name} scanned VCSECOND`,
    ]);
    t.notMatch(JSON.stringify(log.all), /SN-77|1-4|hidraw|SECOND/, 'no serial number, path or code in the log');
  },
);

t.test("HID scanners: a person's keyboard is never opened", async (t) => {
  const { bus, pass, said, start, untilSaid } = setUp(t);
  start();
  const keyboard = bus.plug({ vendorId: '046d', productId: 'c31c', descriptor: BOOT_KEYBOARD_DESCRIPTOR });
  const scanner = bus.plug({ descriptor: POS, port: '1-2' });
  await untilSaid(/up/);
  await pass(10_000);
  t.equal(keyboard.openings, 0);
  t.equal(scanner.openings, 1);
  t.equal(said.length, 1);
});

t.test('HID scanners: a scanner that types and is known as one is taken unasked, and from the console', async (t) => {
  const { bus, said, start, until, untilSaid } = setUp(t);
  const device = bus.plug({ vendorId: '05e0', productId: '1200' });
  start();
  await until(() => device.isRead);
  t.strictSame(device.drivers, ['HID']);
  type(device, 'VCBB\r');
  await untilSaid(/hid-\w{8} scanned VCBB/);
  t.equal(said.length, 2);
});

t.test('HID scanners: a keyboard that is configured is taken from the console, and what it types is a scan', async (t) => {
  const { bus, start, until, said, untilSaid } = setUp(t, [
    { kind: 'keyboard', name: 'door', vendorId: '0416', productId: 'C141', prefix: '~', suffix: '#' },
    { kind: 'auto-hid' },
  ]);
  const device = bus.plug({ vendorId: '0416', productId: 'c141' });
  const other = bus.plug({ vendorId: '046d', productId: 'c31c', port: '1-2' });
  start();
  await until(() => device.isRead);
  t.strictSame(device.drivers, ['HID'], 'libusb, which takes it from the kernel');
  type(device, '~VCBB#\r');
  await untilSaid(/scanned/);
  t.strictSame(said, ['door up', 'door scanned VCBB']);
  t.equal(other.openings, 0);
});

t.test('HID scanners: a keyboard that need not be exclusive is read beside the kernel', async (t) => {
  const { bus, start, until } = setUp(t, [{ kind: 'keyboard', name: 'door', vendorId: '0416', productId: 'c141', isExclusive: false }]);
  const device = bus.plug({ vendorId: '0416', productId: 'c141' });
  start();
  await until(() => device.isRead);
  t.strictSame(device.drivers, ['HID_hidraw']);
});

t.test('HID scanners: two of one kind with one serial number are two devices, and each scan is given once', async (t) => {
  const { bus, pass, said, start, until } = setUp(t);
  const first = bus.plug({ descriptor: POS, serialNumber: '0001', port: '1-1' });
  start();
  await until(() => first.isRead);
  const second = bus.plug({ descriptor: POS, serialNumber: '0001', port: '1-2' });
  await until(() => second.isRead);
  scan(first, 'VCONE');
  scan(second, 'VCTWO');
  await pass(1_000);
  const names = new Set(said.map((line) => line.split(' ')[0]));
  t.equal(names.size, 2);
  first.unplug();
  await pass(1_000);
  first.plug();
  await until(() => first.isRead);
  scan(first, 'VCTHREE');
  scan(second, 'VCFOUR');
  await pass(1_000);
  const scans = said.filter((line) => line.includes('scanned')).map((line) => line.split(' ')[2]);
  t.strictSame(scans.toSorted(), ['VCFOUR', 'VCONE', 'VCTHREE', 'VCTWO']);
  t.strictSame([first.openings, second.openings], [2, 1]);
});

t.test('HID scanners: one that is named is not found as well', async (t) => {
  const { bus, pass, said, start, until } = setUp(t, [{ kind: 'hid-pos', name: 'door', vendorId: '1EAB' }, { kind: 'auto-hid' }]);
  const named = bus.plug({ vendorId: '1eab', productId: '0d10', descriptor: posDescriptor(NEWLAND_FORMAT) });
  const found = bus.plug({ descriptor: POS, port: '1-2' });
  start();
  await until(() => named.isRead && found.isRead);
  for (const report of posReports(NEWLAND_FORMAT, 'VCNAMED')) named.send(report);
  scan(found, 'VCFOUND');
  await pass(1_000);
  t.equal(said.filter((line) => line.includes('door scanned VCNAMED')).length, 1);
  t.equal(said.filter((line) => /hid-\w{8} scanned VCFOUND/.test(line)).length, 1);
  t.strictSame([named.openings, found.openings], [1, 1]);
});

t.test('HID scanners: a configured one that is not plugged in is absent, and another of its kind is not taken for it', async (t) => {
  const { bus, pass, start, said, untilSaid } = setUp(t, [{ kind: 'hid-pos', name: 'door', serialNumber: 'A' }]);
  const other = bus.plug({ descriptor: POS, serialNumber: 'B' });
  start();
  await untilSaid(/door device\.absent/);
  await pass(5_000);
  t.equal(other.openings, 0);
  t.strictSame(said, ['door device.absent']);
});

t.test('HID scanners: one that types and has a POS interface is told to send codes there, as its maker advises', async (t) => {
  const { bus, start, until } = setUp(t);
  const redirect = [0x06, 0x66, 0xff, 0x09, 0x03, 0xa1, 0x02, 0x85, 254, 0x75, 8, 0x95, 1, 0x09, 0x03, 0xb2, 0x82, 0x01, 0xc0];
  const descriptor = Uint8Array.from([...POS.subarray(0, -1), ...redirect, 0xc0]);
  const pos = bus.plug({ vendorId: '0c2e', descriptor, interfaceNumber: 1 });
  const plain = bus.plug({ vendorId: '0c2e', descriptor: POS, port: '1-2' });
  start();
  await until(() => pos.isRead && plain.isRead);
  t.strictSame(pos.sent, [{ kind: 'feature', report: Uint8Array.of(254, 1) }]);
  t.strictSame(plain.sent, []);
  pos.unplug();
  pos.doesRefuse = true;
  pos.plug();
  await until(() => pos.isRead);
  t.pass('a refusal is nothing, as the maker says');
});

t.test('HID scanners: a keyboard that a killed kiosk left without its driver is taken all the same', async (t) => {
  const { bus, start, until, said, untilSaid } = setUp(t, [{ kind: 'keyboard', name: 'door', vendorId: '0416', productId: 'c141' }]);
  const device = bus.plug({ vendorId: '0416', productId: 'c141' });
  bus.unbind(device);
  start();
  await until(() => device.isRead);
  type(device, 'VCBB\r');
  await untilSaid(/scanned/);
  t.strictSame(said, ['door up', 'door scanned VCBB']);
});

t.test('HID scanners: a damaged descriptor is no scanner, and stops nobody', async (t) => {
  const { bus, start, until, said } = setUp(t);
  bus.plug({ descriptor: Uint8Array.of(0x26, 0xff) });
  const good = bus.plug({ descriptor: POS, port: '1-2' });
  start();
  await until(() => good.isRead);
  t.equal(said.length, 1);
});
