/** What the doctor says of devices that are laid out as a kernel shows them. */
import { join } from 'node:path';
import t from 'tap';
import { type DeviceCircumstances, deviceFindings } from '../../cli/doctor-devices.ts';
import { forSupport, reportLines, worstOf } from '../../cli/doctor-findings.ts';
import { holdersOf, machineFindings } from '../../cli/doctor-machine.ts';
import { usesOf } from '../../cli/doctor-uses.ts';
import { nameOf } from '../../hardware/discover.ts';
import type { Access } from '../../hardware/discover-access.ts';
import { discoverDevices } from '../../hardware/discover-devices.ts';
import { listKeyboards } from '../../hardware/evdev/keyboards.ts';
import { listHid } from '../../hardware/hid/hid-devices.ts';
import { BOOT_KEYBOARD_DESCRIPTOR } from '../../hardware/scanner/keyboard-reports.ts';
import { parseConfig } from '../../kiosk/config.ts';
import type { KioskNow } from '../../kiosk/doctor-words.ts';
import { FakeSys, KEYBOARD_KEYS, SERIAL_NUMBER } from '../support/fake-sys.ts';
import { HONEYWELL_FORMAT, posDescriptor } from '../support/pos-format.ts';

const OPEN: Access = { owner: 'root', group: 'dialout', mayGroup: true, mayAll: false, mayThis: true };
const CLOSED: Access = { ...OPEN, mayThis: false };
const now = (devices: KioskNow['devices']): KioskNow => ({
  isOnline: true,
  clock: 'synced',
  queued: 0,
  droppedUnsent: 0,
  conflicts: 0,
  quarantined: 0,
  setAside: 0,
  devices,
});

async function examine(
  sys: FakeSys,
  json: object,
  more: Partial<DeviceCircumstances> = {},
  isThere: (path: string) => boolean = () => true,
) {
  const [devices, hid] = await Promise.all([discoverDevices(sys.places), listHid(sys.hidPlaces)]);
  const keyboards = await listKeyboards({
    classDir: join(sys.places.sysDir, 'class/input'),
    deviceDir: join(sys.places.deviceDir, 'input'),
  });
  const config = parseConfig({ dataDir: '/d', trustPath: '/t', ...json });
  const paths = devices.flatMap(({ doors }) => doors.map(({ path }) => path));
  return deviceFindings(devices, {
    access: new Map(paths.map((path) => [path, OPEN])),
    uses: usesOf(config, { hid, keyboards }, (path) => (isThere(path) ? path : undefined)),
    known: () => undefined,
    holders: new Map(),
    now: undefined,
    user: 'kim',
    mayBluetooth: true,
    isRulesFileInstalled: false,
    ...more,
  });
}

const SCANNER = ['1-1', '0c2e:0b61', 'Honeywell', 'Voyager'] as const;

t.test('doctor: a serial scanner that nobody named is told by the name that events have, and works when the kiosk says so', async (t) => {
  const sys = new FakeSys(t.testdir());
  const path = sys.acm(sys.usb(...SCANNER), 'ttyACM0');
  const link = join(sys.places.deviceDir, 'serial/by-id', `usb-ACME_Scanner_${SERIAL_NUMBER}-ttyACM0`);
  const name = nameOf(link);
  t.match(await examine(sys, {}), [
    { state: 'fine', subject: /Honeywell Voyager \(0c2e:0b61, socket 1-1\)/, says: `the kiosk takes it as scanner ${name}.` },
  ]);
  t.match(await examine(sys, {}, { now: now([{ name, isUp: true }]) }), [{ state: 'fine', says: /and it works/ }]);
  t.match(await examine(sys, {}, { now: now([{ name, isUp: false, why: 'device.busy' }]) }), [
    { state: 'wrong', code: 'device.busy', fix: [/fuser/] },
  ]);
  t.match(await examine(sys, {}, { holders: new Map([[path, ['ModemManager']]]) }), [
    { state: 'wrong', code: 'device.busy', fix: [/apt remove modemmanager/] },
  ]);
});

t.test('doctor: what this user may not open is told with the group that may', async (t) => {
  const sys = new FakeSys(t.testdir());
  const path = sys.acm(sys.usb(...SCANNER), 'ttyACM0');
  const [found] = await examine(sys, {}, { access: new Map([[path, CLOSED]]) });
  t.match(found, { state: 'wrong', code: 'device.denied', fix: [/usermod -aG dialout kim .* SupplementaryGroups=dialout/] });
  t.match(found?.doors, [{ path, who: 'open to root and group dialout; kim: no' }]);
});

t.test('doctor: what is left alone is told with the reason, and is no fault', async (t) => {
  const sys = new FakeSys(t.testdir());
  sys.acm(sys.usb('1-1', '2c7c:0125', 'Quectel', 'EC25'), 'ttyACM0');
  sys.builtIn('ttyAMA0', '32');
  sys.bluetooth('hci0', true);
  sys.i2c('i2c-1', 'bcm2835');
  const findings = await examine(sys, {});
  t.equal(worstOf(findings), 'fine');
  t.match(
    findings.map(({ says }) => says),
    [/modems/, /nothing in the settings/, /built-in port/, /no sniffer/],
  );
});

t.test('doctor: what the settings name and is not here, is wrong; so is an adapter that is switched off', async (t) => {
  const sys = new FakeSys(t.testdir());
  sys.bluetooth('hci0', true);
  const settings = {
    scanners: [
      { kind: 'serial', name: 'front', path: '/dev/serial/by-id/none' },
      { kind: 'hid-pos', name: 'side', vendorId: '0c2e' },
    ],
    sniffers: [{ kind: 'bluetooth' }],
  };
  const findings = await examine(sys, settings, {}, () => false);
  t.match(findings, [
    { subject: 'scanner front', state: 'wrong', code: 'device.absent' },
    { subject: 'scanner side', state: 'wrong', code: 'device.absent' },
    { subject: 'Bluetooth adapter hci0', state: 'wrong', says: /switched off/, fix: [/rfkill/] },
  ]);
});

t.test('doctor: a sniffer or a Bluetooth thermometer without an adapter is wrong', async (t) => {
  const sys = new FakeSys(t.testdir());
  sys.bluetooth('hci0', false);
  const settings = {
    sniffers: [{ kind: 'bluetooth', adapter: 0 }],
    thermometers: [{ kind: 'ble-health-thermometer', name: 'ear', address: '00:11:22:33:44:55', adapter: 1 }],
    temperature: { offsetCentiCelsius: 0, offsetId: 1 },
  };
  const findings = await examine(sys, settings);
  t.match(findings, [
    { subject: 'thermometer ear', state: 'wrong', code: 'device.absent', fix: [/sys\/class\/bluetooth/] },
    { subject: 'Bluetooth adapter hci0', state: 'fine', says: "is the kiosk's sniffer sniffer." },
  ]);
  t.notMatch(JSON.stringify(findings), '00:11:22');
});

t.test("doctor: a board's thermometer that does not work is told by the running kiosk's word", async (t) => {
  const sys = new FakeSys(t.testdir());
  const path = sys.acm(sys.usb('1-1', '2341:0043', 'Arduino', 'Uno'), 'ttyACM0');
  const settings = { boards: [{ kind: 'firmata', name: 'board', path, thermometer: { model: 'mlx90614', name: 'forehead' } }] };
  t.match((await examine(sys, settings)).length, 1);
  const said = await examine(sys, settings, {
    now: now([
      { name: 'board', isUp: true },
      { name: 'forehead', isUp: false, why: 'device.absent' },
    ]),
  });
  t.match(said, [
    { subject: 'thermometer forehead', state: 'wrong', code: 'device.absent' },
    { state: 'fine', says: /board board, and it works/ },
  ]);
});

t.test('doctor: a named scanner that types and is not on USB is told by its input device, unless USB was asked for', async (t) => {
  const sys = new FakeSys(t.testdir());
  const path = sys.ps2('event2', 'AT Translated Set 2 keyboard', '0001:0001');
  const scanner = { kind: 'keyboard', name: 'counter', vendorId: '0001', productId: '0001' };
  for (const via of ['auto', 'evdev'])
    t.match(
      await examine(sys, { scanners: [{ ...scanner, via }] }),
      [{ state: 'fine', says: "is the kiosk's scanner counter.", doors: [{ path }] }],
      via,
    );
  t.match(await examine(sys, { scanners: [{ ...scanner, via: 'usb' }] }), [
    { subject: 'scanner counter', state: 'wrong', code: 'device.absent' },
    { state: 'fine', says: /left alone/ },
  ]);
});

t.test('doctor: of two alike each is told by its own name', async (t) => {
  const sys = new FakeSys(t.testdir());
  sys.acm(sys.usb('1-1', '0c2e:0b61', 'Honeywell', 'Voyager'), 'ttyACM0');
  sys.acm(sys.usb('1-2', '0c2e:0b61', 'Honeywell', 'Voyager'), 'ttyACM1');
  const says = (await examine(sys, {})).map((finding) => finding.says);
  t.equal(new Set(says).size, 2);
});

t.test('doctor: a report for support tells no serial number; the terminal tells the stable name', async (t) => {
  const sys = new FakeSys(t.testdir());
  sys.acm(sys.usb(...SCANNER), 'ttyACM0');
  const report = { version: '1', node: '24', platform: 'Linux', findings: await examine(sys, {}) };
  t.notMatch(JSON.stringify(forSupport(report)), SERIAL_NUMBER);
  t.match(reportLines(report, { hasColour: false }).join('\n'), SERIAL_NUMBER, 'what is looked for can be found');
  t.match(reportLines(report, { hasColour: false }).at(-1), 'Nothing is wrong.');
});

t.test(
  'doctor: HID scanners are taken, a keyboard that may be a person’s is not, and what to write if it is a scanner is told',
  async (t) => {
    const sys = new FakeSys(t.testdir());
    const pos = sys.hidraw(
      sys.usb('1-1', '1eab:8310', 'Newland', 'HR2160'),
      'hidraw0',
      'Newland',
      posDescriptor(HONEYWELL_FORMAT),
      '1eab:8310',
    );
    const typing = sys.usb('1-2', '1eab:8303', 'Newland', 'HR2160');
    sys.hidraw(typing, 'hidraw1', 'Newland', BOOT_KEYBOARD_DESCRIPTOR, '1eab:8303');
    const events = sys.input(typing, 'event7', 'Newland', KEYBOARD_KEYS);
    const person = sys.usb('1-3', '046d:c31c', 'Logitech', 'Keyboard');
    sys.hidraw(person, 'hidraw2', 'Logitech', BOOT_KEYBOARD_DESCRIPTOR, '046d:c31c');
    const settings = { scanners: [{ kind: 'auto-hid' }] };
    const usb = join(sys.places.deviceDir, 'bus/usb/001/002');
    const all = new Map([pos, usb].map((path) => [path, OPEN] as const));
    t.match(await examine(sys, settings, { access: all }), [
      { state: 'fine', says: /^the kiosk takes it as scanner hid-[0-9a-f]{8}\.$/ },
      { state: 'fine', says: /^the kiosk takes it as scanner hid-[0-9a-f]{8}\.$/, doors: [{}, {}, { kind: 'USB', path: usb }] },
      { state: 'fine', says: /left alone: it may be a person's keyboard.*"vendorId":"046d","productId":"c31c"/ },
    ]);
    const denied = await examine(sys, settings, { access: new Map([[pos, { ...CLOSED, group: 'root' }]]) });
    t.match(denied[0], {
      state: 'wrong',
      code: 'device.denied',
      fix: [/groupadd/, /--udev-rules/, /69-vestibule-own/, /udevadm/, /usermod -aG vestibule kim/],
    });
    t.match(denied[1], { state: 'wrong', code: 'device.denied' });
    const byEvents = await examine(sys, settings, { access: new Map([[events, OPEN]]) });
    t.match(byEvents[1], { state: 'fine' }, 'as the kernel’s input device, where USB is closed');
    t.match((await examine(sys, { scanners: [{ kind: 'auto-serial' }] }))[0], { says: /left alone: the settings have no "auto-hid"/ });
    t.notMatch(JSON.stringify(forSupport({ version: '1', node: '1', platform: '1', findings: denied })), SERIAL_NUMBER);
  },
);

t.test('doctor: a missing library is told by the package that brings it', async (t) => {
  const root = t.testdir({ usr: { lib: { 'aarch64-linux-gnu': { 'libudev.so.1': '' } } }, proc: { 12: { comm: 'brltty\n' }, self: {} } });
  const keyboard = [{ kind: 'keyboard' }] as Parameters<typeof machineFindings>[1];
  const findings = machineFindings('arm64', keyboard, root);
  t.match(machineFindings('arm64', [], root)[0], { subject: 'libusb-1.0-0', state: 'note' }, 'where no scanner needs it');
  t.match(findings, [
    { subject: 'libusb-1.0-0', state: 'wrong', fix: ['sudo apt install libusb-1.0-0'] },
    { subject: 'brltty', state: 'note' },
  ]);
});

t.test('doctor: a program that has a device open is told by name', async (t) => {
  const root = t.testdir({ proc: { 12: { comm: 'minicom\n', fd: { 3: t.fixture('symlink', '/dev/ttyACM0') } }, 13: { comm: 'sh\n' } } });
  t.strictSame([...holdersOf(new Set(['/dev/ttyACM0', '/dev/ttyACM1']), 99, root)], [['/dev/ttyACM0', ['minicom']]]);
  t.strictSame([...holdersOf(new Set(['/dev/ttyACM0']), 12, root)], [], 'this process is left out');
});
