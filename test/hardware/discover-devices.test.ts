import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { accessOf } from '../../hardware/discover-access.ts';
import { discoverDevices, firstUsage, isKeyboard } from '../../hardware/discover-devices.ts';
import { FakeSys, KEYBOARD_KEYS, MOUSE_KEYS, POS_DESCRIPTOR } from '../support/fake-sys.ts';
import fc from '../support/properties.ts';

t.test('discover devices: each physical device is there once, with every door it has, in the order of sockets', async (t) => {
  const sys = new FakeSys(t.testdir());
  const scanner = sys.usb('1-1.10', '0c2e:0b61', 'Honeywell', 'Voyager');
  const port = sys.acm(scanner, 'ttyACM0');
  const hid = sys.hidraw(scanner, 'hidraw0', 'Honeywell Voyager', POS_DESCRIPTOR);
  const keyboard = sys.input(sys.usb('1-1.2', '1eab:8203', 'Newland', 'Newland NLS-HR22'), 'event3', 'Newland NLS-HR22', KEYBOARD_KEYS);
  sys.input(sys.usb('1-1.3', '046d:c077', 'Logitech', 'USB Optical Mouse'), 'event4', 'Mouse', MOUSE_KEYS);
  sys.usb('usb1', '1d6b:0002', 'Linux', 'xHCI Host Controller', '09');
  const uart = sys.builtIn('ttyAMA0', '32');
  sys.builtIn('ttyS1', '0');
  const bus = sys.i2c('i2c-1', 'bcm2835 (i2c@7e804000)');
  sys.bluetooth('hci0', true);
  const found = await discoverDevices(sys.places);
  t.strictSame(
    found.map(({ title, usb, doors }) => [title, usb?.socket, doors.map(({ kind, path }) => `${kind} ${path}`)]),
    [
      ['Newland NLS-HR22', '1-1.2', [`keyboard ${keyboard}`]],
      ['Logitech USB Optical Mouse', '1-1.3', []],
      ['Honeywell Voyager', '1-1.10', [`serial ${port}`, `hid ${hid}`]],
      ['I2C bus: bcm2835 (i2c@7e804000)', undefined, [`i2c ${bus}`]],
      ['serial port ttyAMA0', undefined, [`serial ${uart}`]],
      ['Bluetooth adapter hci0', undefined, ['bluetooth hci0']],
    ],
  );
  const doors = found.flatMap((device) => device.doors);
  t.strictSame(doors.find(({ kind }) => kind === 'hid')?.usage, { page: 0x8c, id: 2 });
  t.match(doors.find(({ path }) => path === port)?.stablePath, /by-id/);
  t.equal(doors.find(({ kind }) => kind === 'bluetooth')?.isBlocked, true);
});

t.test('discover devices: where there is nothing, not even directories, there is nothing', async (t) => {
  t.strictSame(await discoverDevices({ sysDir: join(t.testdir(), 'none'), deviceDir: '/nowhere' }), []);
});

t.test('discover devices: a device that names itself with controls and without end spoils no screen', async (t) => {
  const sys = new FakeSys(t.testdir());
  sys.acm(sys.usb('1-1', '0c2e:0b61', '\u001b[2J\u0007', 'X'.repeat(5_000)), 'ttyACM0');
  const [device] = await discoverDevices(sys.places);
  t.match(device?.title, /^[ -~]{1,64}$/);
});

t.test('discover devices: a keyboard is what has Escape, digits, letters and Enter', (t) => {
  t.equal(isKeyboard(KEYBOARD_KEYS), true);
  for (const other of [MOUSE_KEYS, '', '0', 'not hexadecimal', '10000000 0', '100000000000000000000000000000000'])
    t.equal(isKeyboard(other), false, other);
  t.end();
});

t.test('discover devices: any bytes for a report descriptor give a usage or none, and end', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const usage = firstUsage(bytes);
      return usage === undefined || (Number.isSafeInteger(usage.page) && Number.isSafeInteger(usage.id));
    }),
    { numRuns: 300 },
  );
  for (let length = 0; length < POS_DESCRIPTOR.length - 1; length++)
    t.equal(firstUsage(POS_DESCRIPTOR.subarray(0, length))?.page, length >= 6 ? 0x8c : undefined);
  t.end();
});

t.test('discover access: owner, group and modes are told by name', async (t) => {
  const dir = t.testdir({ node: '', etc: {} });
  const { uid, gid } = statSync(join(dir, 'node'));
  writeFileSync(join(dir, 'etc/passwd'), `other:x:4000000:1::/:/bin/sh\nkim:x:${uid}:1::/:/bin/sh\n`);
  writeFileSync(join(dir, 'etc/group'), `other:x:4000000:\ndialout:x:${gid}:kim,lee\n`);
  chmodSync(join(dir, 'node'), 0o660);
  const access = await accessOf(join(dir, 'node'), join(dir, 'etc'));
  t.strictSame(access, { owner: 'kim', group: 'dialout', mayGroup: true, mayAll: false, mayThis: true });
  t.match(
    await accessOf(join(dir, 'node'), join(dir, 'none')),
    { owner: String(uid), group: String(gid) },
    'numbers where there are no names',
  );
  t.equal(await accessOf(join(dir, 'none'), join(dir, 'etc')), undefined);
});
