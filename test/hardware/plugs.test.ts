/**
 * Scanners as a shop treats them, on real ports: serialport, the kernel's terminals, the supervisor and the system's clock.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readScans } from '../../hardware/scanner/serial-scanner.ts';
import { openSerial } from '../../hardware/serial-link.ts';
import { type DeviceReport, HARDWARE_BACKOFF, supervise } from '../../hardware/supervise.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { Happenings } from '../support/happenings.ts';
import { PtyDevice } from '../support/pty.ts';

function superviseScanner(t: { testdir(): string; teardown(fn: () => Promise<void>): void }, name: string, dir = t.testdir()) {
  const device = new PtyDevice(join(dir, name));
  const scans = new Happenings<string>();
  const reports = new Happenings<DeviceReport>();
  const refused: string[] = [];
  const stop = new AbortController();
  const ended = supervise(
    {
      device: name,
      clock: systemClock,
      log: silentLog,
      onReport: reports.add,
      backoff: { ...HARDWARE_BACKOFF, firstWaitMs: 10, longestWaitMs: 10, longestUsedWaitMs: 10, random: () => 0.5 },
      open: openSerial({ path: device.path, baudRate: 9_600 }),
      use: async (link, signal) => {
        const settings = { device: name, clock: systemClock, onRefused: (why: string) => refused.push(why) };
        for await (const scan of readScans(link, settings, signal)) scans.add(scan.text);
      },
    },
    stop.signal,
  );
  t.teardown(async () => {
    stop.abort();
    await ended;
    await device.unplug();
  });
  const isUp = () => reports.until((all) => all.at(-1)?.isUp === true);
  const isDown = () => reports.until((all) => all.at(-1)?.isUp === false);
  const said = () => reports.all.map((report) => (report.isUp ? 'up' : report.why.code));
  return { device, scans, refused, stop, ended, isUp, isDown, said };
}

t.test('plugs: a scanner pulled out in the middle of a code and put back goes on scanning', async (t) => {
  const { device, scans, refused, isUp, isDown, said } = superviseScanner(t, 'scanner');
  await isDown();
  device.plug();
  await isUp();
  await device.send('VCONE\r');
  await scans.until((all) => all.length === 1);
  await device.send('VCTW');
  await device.unplug();
  await isDown();
  device.plug();
  await isUp();
  await device.send('VCTHREE\r');
  await scans.until((all) => all.length === 2);
  t.strictSame(scans.all, ['VCONE', 'VCTHREE']);
  t.ok(
    refused.every((why) => why === 'cut'),
    'half a code is no code',
  );
  t.match(said(), ['device.absent', 'up', 'device.gone']);
});

t.test('plugs: a plug that wiggles fifty times leaves nothing open, and the scanner works after', async (t) => {
  const { device, scans, isUp, isDown, stop, ended } = superviseScanner(t, 'scanner');
  const openFiles = () => readdirSync('/proc/self/fd').length;
  device.plug();
  await isUp();
  const before = openFiles();
  for (let count = 0; count < 50; count++) {
    const sending = device.send('VCFLICKER\rVCFL');
    await device.unplug();
    await sending;
    await isDown();
    device.plug();
    await isUp();
  }
  t.ok(openFiles() <= before + 1, `${openFiles()} open files, ${before} before`);
  await device.send('VCLAST\r');
  await scans.until((all) => all.at(-1) === 'VCLAST');
  t.ok(scans.all.every((text) => text === 'VCFLICKER' || text === 'VCLAST'));
  stop.abort();
  await ended;
});

t.test('plugs: two scanners scan side by side, and one unplugged does not disturb the other', async (t) => {
  const dir = t.testdir();
  const one = superviseScanner(t, 'one', dir);
  const two = superviseScanner(t, 'two', dir);
  one.device.plug();
  two.device.plug();
  await Promise.all([one.isUp(), two.isUp()]);
  await Promise.all([one.device.send('VCONE\r\n'), two.device.send('VCTWO')]);
  await Promise.all([one.scans.until((all) => all.length === 1), two.scans.until((all) => all.length === 1)]);
  await one.device.unplug();
  await two.device.send('VCTOO');
  await two.scans.until((all) => all.length === 2);
  t.strictSame([one.scans.all, two.scans.all], [['VCONE'], ['VCTWO', 'VCTOO']]);
});

t.test('plugs: ten thousand codes without a pause all arrive in order', async (t) => {
  const { device, scans, isUp } = superviseScanner(t, 'scanner');
  device.plug();
  await isUp();
  const codes = Array.from({ length: 10_000 }, (_, index) => `VC${index}`);
  await device.send(`${codes.join('\r')}\r`);
  await scans.until((all) => all.length === codes.length);
  t.strictSame(scans.all, codes);
});

t.test('plugs: megabytes of noise are thrown away, and the next code is read', async (t) => {
  const { device, scans, refused, isUp } = superviseScanner(t, 'scanner');
  device.plug();
  await isUp();
  // Every byte there is but line ends and text, of which a part could be a code where the machine stands still.
  const noise = Buffer.alloc(
    1_000_000,
    Uint8Array.from({ length: 256 }, (_, index) => index)
      .filter((byte) => byte < 0x20 || byte > 0x7e)
      .filter((byte) => ![9, 10, 13].includes(byte)),
  );
  const before = process.memoryUsage().arrayBuffers;
  await device.send(noise);
  t.ok(process.memoryUsage().arrayBuffers - before < 16_000_000);
  await device.send('\rVCGOOD\r');
  await scans.until((all) => all.length > 0);
  // A machine that stands still for a tenth of a second makes a silence of its own: what comes after it is refused anew.
  t.strictSame([scans.all, new Set(refused)], [['VCGOOD'], new Set(['unprintable'])]);
});
