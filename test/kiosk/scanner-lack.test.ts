/** A kiosk without any scanner says so; counts of what the door answered. */
import t from 'tap';
import { DevicePlaces } from '../../kiosk/device-places.ts';
import { DoorTally } from '../../kiosk/door-tally.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import { Health, reportOf } from '../../kiosk/health.ts';
import { scannerLack } from '../../kiosk/scanner-lack.ts';
import { testParts } from '../../kiosk/staff/self-test.ts';
import { statusWords } from '../../kiosk/status-words.ts';
import { decodeKioskState, encodeKioskState, type KioskStateReport } from '../../protocol/kiosk-state.ts';
import { ManualClock } from '../support/manual-clock.ts';

const NONE = { thermometers: [], sniffers: [], boards: [] };

t.test('scanner lack: a kiosk that nothing scans for says so after 15 s, in its last line and to the gateway', async (t) => {
  const clock = new ManualClock();
  const queue = () => ({ queued: 0, oldestQueuedMs: undefined, droppedUnsent: 0 });
  let isOpen = false;
  const hasNoScanner = scannerLack(NONE, clock, () => isOpen);
  const health = new Health({ queue, clock: () => 'synced', hasNoScanner }, () => {});
  health.link(true, undefined);
  t.equal(statusWords(health.snapshot()), 'online');
  await clock.advance(15_000);
  t.equal(statusWords(health.snapshot()), 'online · NO SCANNER: plug one in (device.no_scanner)');
  t.match(reportOf(health.snapshot(), '1'), { state: 'degraded', devices: [{ isUp: false, why: 'device.no_scanner' }] });
  isOpen = true;
  t.equal(statusWords(health.snapshot()), 'online', 'a scanner that types may type into the page');
  isOpen = false;
  health.device('scanner-1', false, 'device.absent');
  await clock.advance(60_000);
  t.equal(statusWords(health.snapshot()), 'online · scanner-1 absent (device.absent)', 'one that is gone is told of by its name alone');
});

t.test('devices: one that is missing is told with its place and for how long, and a status line by its place alone', async (t) => {
  const clock = new ManualClock();
  const queue = () => ({ queued: 0, oldestQueuedMs: undefined, droppedUnsent: 0 });
  const health = new Health({ queue, clock: () => 'synced', pathOf: () => '/dev/ttyACM0', now: () => clock.monotonic() }, () => {});
  health.link(true, undefined);
  health.device('scanner', true, undefined);
  await clock.advance(60_000);
  t.strictSame(health.snapshot().devices, [{ name: 'scanner', isUp: true, why: undefined, path: '/dev/ttyACM0' }]);
  health.device('scanner', false, 'device.gone');
  await clock.advance(600_000);
  health.device('scanner', false, 'device.absent');
  await clock.advance(120_400);
  const path = '/dev/ttyACM0';
  const report = reportOf(health.snapshot(), '1');
  t.strictSame(report.devices, [{ name: 'scanner', isUp: false, why: 'device.absent', path, downForMs: 720_400 }]);
  t.strictSame(decodeKioskState(encodeKioskState(report)), report);
  t.equal(statusWords(health.snapshot()), 'online · scanner /dev/ttyACM0 absent (device.absent)');
  t.equal(statusWords(health.snapshot(), true), 'online · scanner /dev/ttyACM0 absent for 12 min (device.absent)');
  const delivery = { outcome: 'delivered' } as never;
  const tested = testParts(health.snapshot(), delivery).find(({ part }) => typeof part === 'object');
  t.strictSame(tested, { part: { device: 'scanner' }, isWell: false, why: 'device.absent', path, downFor: '12 min' });
  health.device('scanner', true, undefined);
  t.equal(health.snapshot().devices[0]?.downForMs, undefined);
});

t.test('device places: as configured and as found; nothing that may be an address of the network', async (t) => {
  const places = new DevicePlaces({
    scanners: [
      { kind: 'serial', name: 'door', path: '/dev/ttyACM0' } as never,
      { kind: 'keyboard', name: 'counter', vendorId: '0c2e', productId: '0b81' } as never,
      { kind: 'hid-pos', name: 'till', port: '1-1.2' } as never,
      { kind: 'standard-input', name: 'standard-input' },
    ],
    thermometers: [
      { kind: 'ble-health-thermometer', name: 'ear', address: '00:11:22:33:44:55' } as never,
      { kind: 'mlx90614-i2c', name: 'forehead', path: '/dev/i2c-1' } as never,
    ],
    sniffers: [{ name: 'sniffer' } as never],
    boards: [{ name: 'board', path: '/dev/ttyUSB0', thermometer: { name: 'board-forehead' } } as never],
  });
  const all = ['door', 'counter', 'till', 'standard-input', 'ear', 'forehead', 'sniffer', 'board', 'board-forehead'];
  t.strictSame(
    all.map((name) => places.of(name)),
    ['/dev/ttyACM0', 'usb 0c2e:0b81', 'usb 1-1.2', undefined, 'ble', '/dev/i2c-1', 'ble', '/dev/ttyUSB0', '/dev/ttyUSB0'],
  );
  places.found('serial-1', '/dev/serial/by-id/usb-Espressif_USB_JTAG_serial_debug_unit_84:F7:03:C0:21:F0-if00');
  t.equal(places.of('serial-1'), '/dev/serial/by-id/usb-Espressif_USB_JTAG_serial_debug_unit_*-if00');
  places.found('serial-2', `/dev/${'x'.repeat(200)}é`);
  t.match(places.of('serial-2'), /^x{79}\?$/);
});

t.test('scanner lack: a thermometer is no scanner', async (t) => {
  const clock = new ManualClock();
  const lack = scannerLack({ ...NONE, thermometers: [{ name: 'thermometer' } as never] }, clock, () => false);
  t.notOk(lack([{ name: 'thermometer' }]));
  await clock.advance(15_000);
  t.ok(lack([{ name: 'thermometer' }]));
  t.notOk(lack([{ name: 'thermometer' }, { name: 'usb-scanner' }]));
});

t.test('door tally: taken and refused by reason, and cards refused one after the other', async (t) => {
  const tally = new DoorTally();
  const answers: FeedbackKind[] = ['card-refused', 'welcome', 'not-a-card', 'card-refused', 'card-refused', 'staff-menu'];
  for (const kind of answers) tally.count(kind);
  t.strictSame(tally.scans, { taken: 1, refused: { 'card-refused': 3, 'not-a-card': 1 }, refusedInARow: 2 });
  const state: KioskStateReport = { isUp: true, state: 'up', queued: 0, clock: 'synced', devices: [], version: '1', scans: tally.scans };
  t.strictSame(decodeKioskState(encodeKioskState(state)), state);
});
