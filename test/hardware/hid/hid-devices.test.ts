import t from 'tap';
import { hidNameOf, listHid, presentHid } from '../../../hardware/hid/hid-devices.ts';
import { isScanner, kindOf, watchHid } from '../../../hardware/hid/hid-scanners.ts';
import { FakeHidBus } from '../../support/fake-hid.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { HONEYWELL_FORMAT, posDescriptor } from '../../support/pos-format.ts';
import { Lines } from '../supervised.ts';

const POS = posDescriptor(HONEYWELL_FORMAT);

t.test('listHid: tells each interface with what it says of itself', async (t) => {
  const bus = new FakeHidBus(t.testdir());
  t.strictSame(await listHid(bus.places), []);
  t.equal(await presentHid(bus.places), '');
  bus.plug({ vendorId: '0c2e', productId: '0b81', serialNumber: 'SN-77', port: '1-1.2', interfaceNumber: 1, descriptor: POS });
  const [device] = await listHid(bus.places);
  t.match(device, {
    vendorId: '0c2e',
    productId: '0b81',
    serialNumber: 'SN-77',
    port: '1-1.2',
    interfaceNumber: 1,
    isBootKeyboard: false,
    hidraw: { driver: 'hidraw', path: /\/hidraw0$/ },
    libusb: { driver: 'libusb', path: '1-1.2:1.1', node: /bus\/usb\/001\/000$/ },
  });
  t.strictSame(device?.descriptor, POS);
  t.match(await presentHid(bus.places), /hidraw0/);
});

t.test('listHid: a key outlives a replug, by serial number into any socket, else into the same', async (t) => {
  const bus = new FakeHidBus(t.testdir());
  const named = bus.plug({ serialNumber: 'SN-77', port: '1-1' });
  const nameless = bus.plug({ serialNumber: '', port: '1-2' });
  const keys = async () => (await listHid(bus.places)).map(({ key }) => key).toSorted();
  const before = await keys();
  t.equal(new Set(before).size, 2);
  named.unplug();
  nameless.unplug();
  nameless.plug('1-2');
  named.plug('1-4');
  t.strictSame(await keys(), before);
  nameless.unplug();
  nameless.plug('1-3');
  t.not((await keys()).join(), before.join());
});

t.test('listHid: names tell neither serial number nor socket, and fit an event', async (t) => {
  const bus = new FakeHidBus(t.testdir());
  bus.plug({ serialNumber: 'SN-77' });
  const [device] = await listHid(bus.places);
  if (device === undefined) throw new Error('not listed');
  const names = [hidNameOf(device, 1), hidNameOf(device, 2)];
  for (const name of names) t.match(name, /^hid-[0-9a-f]{8}$/);
  t.not(names[0], names[1]);
});

t.test('listHid: an interface whose driver was taken off is told without a descriptor', async (t) => {
  const bus = new FakeHidBus(t.testdir());
  const device = bus.plug({ vendorId: '0416', productId: 'c141', serialNumber: 'X' });
  const [before] = await listHid(bus.places);
  bus.unbind(device);
  const [after] = await listHid(bus.places);
  t.match(after, { key: before?.key, place: before?.place, isBootKeyboard: true, vendorId: '0416' });
  t.equal(after?.hidraw, undefined);
  t.equal(after?.descriptor.length, 0);
  t.equal(after && kindOf(after).kind, 'keyboard');
});

t.test('kindOf: by its descriptor; one that is damaged or of other things is no scanner', async (t) => {
  const bus = new FakeHidBus(t.testdir());
  const mouse = Uint8Array.of(0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x75, 8, 0x95, 3, 0x81, 2, 0xc0);
  for (const descriptor of [POS, mouse, Uint8Array.of(0xc0)])
    bus.plug({ vendorId: '046d', productId: 'c077', port: `1-${descriptor.length}`, descriptor });
  bus.plug({ vendorId: '046d', productId: 'c31c', port: '1-9' });
  const devices = await listHid(bus.places);
  const kinds = new Map(devices.map((device) => [device.port, [kindOf(device).kind, isScanner(device)]]));
  t.strictSame(kinds.get(`1-${POS.length}`), ['pos', true]);
  t.strictSame(kinds.get(`1-${mouse.length}`), ['other', false]);
  t.strictSame(kinds.get('1-1'), ['other', false]);
  t.strictSame(kinds.get('1-9'), ['keyboard', false]);
});

t.test('watchHid: tells each once, however often it is plugged, and not more than a kiosk has', async (t) => {
  const bus = new FakeHidBus(t.testdir());
  const clock = new ManualClock();
  const log = new Lines();
  const stop = new AbortController();
  const found: string[] = [];
  const watching = (async () => {
    for await (const { name } of watchHid({ clock, log, isWanted: isScanner, places: bus.places }, stop.signal)) found.push(name);
  })();
  const pass = async (looks: number) => {
    for (let look = 0; look < looks; look++) {
      await bus.settle();
      await bus.settle();
      await clock.advance(1_000);
    }
  };
  const first = bus.plug({ descriptor: POS });
  await pass(3);
  t.equal(found.length, 1);
  first.unplug();
  await pass(2);
  first.plug();
  await pass(6);
  t.equal(found.length, 1);
  for (let number = 2; number < 12; number++) bus.plug({ descriptor: POS, port: `1-${number}` });
  await pass(6);
  t.equal(found.length, 8);
  t.equal(new Set(found).size, 8);
  t.ok(log.events.includes('devices.too_many'));
  stop.abort();
  await watching;
});

t.test('kindOf: what says that it has thousands of keys is no keyboard, whatever ids it shows', async (t) => {
  const bus = new FakeHidBus(t.testdir());
  // Page 7, bits, one usage for them all.
  const keys = (count: number) => Uint8Array.of(0x05, 0x07, 0x75, 1, 0x96, count & 0xff, count >> 8, 0x09, 0x04, 0x81, 2);
  bus.plug({ vendorId: '05e0', productId: '1200', descriptor: keys(1_024), port: '1-1' });
  bus.plug({ vendorId: '05e0', productId: '1200', descriptor: keys(16_384), port: '1-2' });
  t.strictSame(
    (await listHid(bus.places)).map((device) => [device.port, kindOf(device).kind, isScanner(device)]),
    [
      ['1-1', 'keyboard', true],
      ['1-2', 'other', false],
    ],
  );
});
