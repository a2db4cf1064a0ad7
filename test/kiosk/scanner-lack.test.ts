/** A kiosk without any scanner says so; counts of what the door answered. */
import t from 'tap';
import { DoorTally } from '../../kiosk/door-tally.ts';
import type { FeedbackKind } from '../../kiosk/feedback.ts';
import { Health, reportOf } from '../../kiosk/health.ts';
import { scannerLack } from '../../kiosk/scanner-lack.ts';
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
