import { PassThrough } from 'node:stream';
import t from 'tap';
import { readTextScans, runTextScanner } from '../../../hardware/scanner/text-scanner.ts';
import type { DeviceReport } from '../../../hardware/supervise.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { typed, typingOf } from '../../support/typing-of.ts';

const clock = new ManualClock();
const never = new AbortController().signal;

t.test('text scanner: each line is a scan, however it arrives; the last needs no end', async (t) => {
  const refused: string[] = [];
  const texts: string[] = [];
  const input = typed('VC', Buffer.from('ONE\nVCTWO\r\n\n'), 'caf\u00e9\n', ']Q1\n]Q1VCTHREE\n', 'VCFOUR');
  const settings = { device: 'stdin', clock, onRefused: (why: string, lengthBytes: number) => refused.push(`${why} ${lengthBytes}`) };
  const readAll = async () => {
    for await (const scan of readTextScans(input, settings)) texts.push(scan.text);
  };
  await t.rejects(readAll(), { code: 'device.gone' });
  t.strictSame(texts, ['VCONE', 'VCTWO', 'VCTHREE', 'VCFOUR']);
  t.strictSame(refused, ['unprintable 4', 'empty 3']);
});

t.test('text scanner: is up while there is input, and down when it ends', async (t) => {
  const reports: DeviceReport[] = [];
  const texts: string[] = [];
  const onScan = (scan: { text: string }) => {
    texts.push(scan.text);
  };
  await runTextScanner(
    { device: 'stdin', clock, input: typingOf(typed('VCONE\n')), onScan, onReport: (report) => reports.push(report) },
    never,
  );
  t.strictSame(texts, ['VCONE']);
  t.match(reports, [{ isUp: true }, { isUp: false, why: { code: 'device.gone' } }]);
});

t.test('text scanner: input that fails is a device that failed, not the end of the kiosk', async (t) => {
  const reports: DeviceReport[] = [];
  const input = new PassThrough();
  const ended = runTextScanner(
    { device: 'stdin', clock, input: typingOf(input), onScan: () => {}, onReport: (report) => reports.push(report) },
    never,
  );
  input.destroy(new Error('EIO'));
  await ended;
  t.match(reports, [{ isUp: true }, { isUp: false, why: { code: 'device.failed' } }]);
});

t.test('text scanner: stops at once when told to, with the input still open', async (t) => {
  const stop = new AbortController();
  const reports: DeviceReport[] = [];
  const input = new PassThrough();
  const ended = runTextScanner(
    { device: 'stdin', clock, input: typingOf(input), onScan: () => {}, onReport: (report) => reports.push(report) },
    stop.signal,
  );
  await clock.advance(0);
  stop.abort();
  await ended;
  t.strictSame(reports, [{ device: 'stdin', isUp: true }]);
  input.destroy();
});

t.test('text scanner: an error of the one who takes the scans is theirs', async (t) => {
  const onScan = () => {
    throw new RangeError('not ours');
  };
  await t.rejects(runTextScanner({ device: 'stdin', clock, input: typingOf(typed('VC\n')), onScan, onReport: () => {} }, never), {
    name: 'RangeError',
  });
});
