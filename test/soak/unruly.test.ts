/** Devices as a shop has them, through the whole kiosk: plugged in in any order, two of one kind, one that floods, sends garbage or says nothing. */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { encodeSample } from '../../hardware/thermometer/gy-mcu90614-codec.ts';
import { askKiosk } from '../../kiosk/ask-kiosk.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import { PtyDevice } from '../support/pty.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { distribution, SoakedKiosk } from './soaked-kiosk.ts';

const { isFull, seed } = suiteSize();
const ORDERS = isFull ? 40 : 6;
const SCANS = isFull ? 1_000 : 60;

const scannerAt = (device: PtyDevice, name: string) => ({ kind: 'serial', name, path: device.path });

t.test('unruly: two scanners of one kind, plugged in and out in any order, are each known by their own name', async (t) => {
  const dir = t.testdir();
  const random = seededRandom(seed);
  const names = ['left', 'right'] as const;
  const devices = new Map(names.map((name) => [name, new PtyDevice(join(dir, name))]));
  const kiosk = await SoakedKiosk.start(dir, { scanners: names.map((name) => scannerAt(devices.get(name) as PtyDevice, name)) });
  const watching = new AbortController();
  const seen: string[] = [];
  const watched = (async () => {
    for await (const answer of askKiosk(kiosk.dataDir, 'watch', watching.signal)) if ('sight' in answer) seen.push(answer.sight.device);
  })();
  const expected: string[] = [];
  for (let order = 0; order < ORDERS; order++) {
    const inOrder = random() < 0.5 ? names : names.toReversed();
    for (const name of inOrder) {
      devices.get(name)?.plug();
      if (random() < 0.5) await kiosk.until(() => kiosk.status.includes(`${name} ready`));
    }
    for (const name of names) await kiosk.until(() => kiosk.status.includes(`${name} ready`));
    for (const name of random() < 0.5 ? names : names.toReversed()) {
      const due = kiosk.kept + 1;
      await devices.get(name)?.send(`${kiosk.code(order * 2 + (name === 'left' ? 0 : 1))}\r`);
      await kiosk.untilKept(due);
      expected.push(name);
    }
    for (const name of inOrder.toReversed()) await devices.get(name)?.unplug();
    for (const name of names) await kiosk.untilAbsent(name);
  }
  await kiosk.until(() => seen.length === expected.length);
  t.strictSame(seen, expected, `seed ${seed}`);
  watching.abort();
  await watched;
  await kiosk.stop();
});

for (const [name, fill] of [
  ['floods', (bytes: Buffer) => bytes.fill('F')],
  ['sends garbage', (bytes: Buffer) => randomFillSync(bytes)],
] as const) {
  t.test(`unruly: while one scanner ${name} without end, every scan of the other is answered, and memory is bounded`, async (t) => {
    const dir = t.testdir();
    const [mad, good] = [new PtyDevice(join(dir, 'mad')), new PtyDevice(join(dir, 'good'))];
    mad.plug();
    good.plug();
    const kiosk = await SoakedKiosk.start(dir, { scanners: [scannerAt(mad, 'mad'), scannerAt(good, 'good')] });
    await kiosk.until(() => kiosk.status.includes('mad ready') && kiosk.status.includes('good ready'));
    let isOver = false;
    let floodedBytes = 0;
    const flooding = (async () => {
      const bytes = Buffer.alloc(4_096);
      while (!isOver) {
        fill(bytes);
        await mad.send(bytes);
        floodedBytes += bytes.length;
      }
    })();
    const beforeBytes = process.memoryUsage().rss;
    const waitsMs: number[] = [];
    for (let card = 0; card < SCANS; card++) {
      const due = kiosk.kept + 1;
      await good.send(`${kiosk.code(card)}\r`);
      const sentAtMs = performance.now();
      await kiosk.untilKept(due);
      waitsMs.push(performance.now() - sentAtMs);
    }
    const grewBytes = process.memoryUsage().rss - beforeBytes;
    isOver = true;
    await mad.unplug();
    await flooding;
    await kiosk.stop();
    t.strictSame(
      await kiosk.checkIns(SCANS),
      Array.from({ length: SCANS }, (_, card) => card),
    );
    t.ok(floodedBytes > 0);
    t.ok(grewBytes < 200 * 1024 * 1024, `grew by ${Math.round(grewBytes / 1_048_576)} MB`);
    t.comment(`while ${Math.round(floodedBytes / 1_024)} kB came from the other: ${distribution(waitsMs)}`);
    await good.unplug();
  });
}

t.test('unruly: a thermometer that is open and says nothing is timed out, opened again, and read once it speaks', async (t) => {
  const dir = t.testdir();
  const thermometer = new PtyDevice(join(dir, 'thermometer'));
  thermometer.plug();
  const kiosk = await SoakedKiosk.start(dir, {
    scanners: [],
    thermometers: [{ kind: 'serial', model: 'gy-mcu90614', name: 'forehead', path: thermometer.path }],
  });
  await kiosk.untilAbsent('forehead', 'device.timeout');
  const sample = encodeSample({ objectRaw: 3_412 as CentiCelsius, ambientRaw: 2_210 as CentiCelsius });
  while (!kiosk.status.includes('forehead ready')) {
    await thermometer.send(sample);
    const sentAtMs = performance.now();
    await kiosk.until(() => performance.now() - sentAtMs > 70 || kiosk.status.includes('forehead ready'));
  }
  t.match(kiosk.status, /forehead ready/);
  await kiosk.stop();
  await thermometer.unplug();
});
