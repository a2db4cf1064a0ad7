import t from 'tap';
import { parseReportDescriptor } from '../../../hardware/hid/report-descriptor.ts';
import { STALE_MS } from '../../../hardware/scanner/gap-framer.ts';
import { type PosLayout, posLayoutOf } from '../../../hardware/scanner/hid-pos-codec.ts';
import { readPosScans } from '../../../hardware/scanner/hid-pos-scanner.ts';
import type { Scan } from '../../../hardware/scanner/scan.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { HONEYWELL_FORMAT, posDescriptor, posReports } from '../../support/pos-format.ts';

const LAYOUT = posLayoutOf(parseReportDescriptor(posDescriptor(HONEYWELL_FORMAT))) as PosLayout;
const LONG = 'V'.repeat(174);

function setUp() {
  const clock = new ManualClock();
  const link = new FakeLink();
  const stop = new AbortController();
  const refused: string[] = [];
  const settings = { device: 'door', clock, onRefused: (why: string, lengthBytes: number) => refused.push(`${why} ${lengthBytes}`) };
  const scans = readPosScans(link, LAYOUT, settings, stop.signal);
  const send = (text: string, from = 0, to = Number.POSITIVE_INFINITY) => {
    for (const report of posReports(HONEYWELL_FORMAT, text).slice(from, to)) link.feed(report);
  };
  return { clock, link, stop, refused, scans, send };
}

const next = async (scans: AsyncGenerator<Scan, void>): Promise<Scan | undefined> => (await scans.next()).value ?? undefined;

t.test('HID POS scanner: a scan is given at its last report, and dated by it', async (t) => {
  const { clock, scans, send } = setUp();
  const scan = next(scans);
  send(LONG, 0, 3);
  await clock.advance(40);
  send(LONG, 3);
  const scannedAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
  t.strictSame(await scan, { text: LONG, device: 'door', scannedAt });
  t.equal(clock.pending, 0);
  await scans.return();
});

t.test('HID POS scanner: a code whose next report does not come is given up, and the next one is whole', async (t) => {
  const { clock, refused, scans, send } = setUp();
  const scan = next(scans);
  send(LONG, 0, 2);
  await clock.advance(STALE_MS - 1);
  t.strictSame(refused, []);
  await clock.advance(1);
  t.strictSame(refused, ['cut 112']);
  send('VCNEXT');
  t.equal((await scan)?.text, 'VCNEXT');
  await scans.return();
});

t.test('HID POS scanner: reports that come while this process stands still are no broken code', async (t) => {
  const { clock, refused, scans, send } = setUp();
  const scan = next(scans);
  send(LONG, 0, 2);
  await clock.advance(0);
  await clock.leap(5 * STALE_MS);
  send(LONG, 2);
  t.equal((await scan)?.text, LONG);
  t.strictSame(refused, []);
  await scans.return();
});

t.test('HID POS scanner: half a code at the unplugging is cut; what was whole before it is given', async (t) => {
  const { clock, link, refused, scans, send } = setUp();
  send('VCWHOLE');
  send(LONG, 0, 1);
  link.unplug();
  t.equal((await next(scans))?.text, 'VCWHOLE');
  await t.rejects(next(scans), { code: 'device.gone' });
  t.strictSame(refused, ['cut 56']);
  t.equal(clock.pending, 0);
});

t.test('HID POS scanner: on abort it ends at once and leaves no timer', async (t) => {
  const { clock, stop, scans, send } = setUp();
  const scan = next(scans);
  send(LONG, 0, 2);
  await clock.advance(10);
  stop.abort();
  t.equal(await scan, undefined);
  t.equal(clock.pending, 0);
});
