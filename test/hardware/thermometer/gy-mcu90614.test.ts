import { join } from 'node:path';
import t from 'tap';
import { openSerial } from '../../../hardware/serial-link.ts';
import { type DeviceReport, HARDWARE_BACKOFF, supervise } from '../../../hardware/supervise.ts';
import { BAUD_RATE, GY_MCU90614 } from '../../../hardware/thermometer/gy-mcu90614.ts';
import { encodeSample, SEND_CONTINUOUSLY } from '../../../hardware/thermometer/gy-mcu90614-codec.ts';
import { STEADY_SAMPLES } from '../../../hardware/thermometer/presentation.ts';
import type { Reading } from '../../../hardware/thermometer/reading.ts';
import { LONGEST_SILENCE_MS, readSending } from '../../../hardware/thermometer/sending-thermometer.ts';
import { silentLog } from '../../../protocol/log.ts';
import { systemClock } from '../../../protocol/time.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { PtyDevice } from '../../support/pty.ts';

const frame = (object: number) => encodeSample({ objectRaw: object as CentiCelsius, ambientRaw: 2_310 as CentiCelsius });

function setUp() {
  const clock = new ManualClock();
  const link = new FakeLink();
  const stop = new AbortController();
  const refused: string[] = [];
  let alive = 0;
  const readings = readSending(
    GY_MCU90614,
    link,
    {
      device: 'thermometer',
      clock,
      onAlive: () => {
        alive += 1;
      },
      onRefused: (code) => refused.push(code),
    },
    stop.signal,
  );
  return { clock, link, stop, refused, readings, aliveCount: () => alive };
}

t.test('thermometer: is told to send, and a forehead held before it is one reading', async (t) => {
  const { clock, link, readings, aliveCount } = setUp();
  const reading = readings.next();
  for (let count = 0; count < STEADY_SAMPLES; count++) {
    link.feed(frame(3_420 + count));
    await clock.advance(71);
  }
  t.strictSame(link.written, Buffer.from(SEND_CONTINUOUSLY));
  t.strictSame((await reading).value, {
    objectRaw: 3_422,
    ambientRaw: 2_310,
    device: 'thermometer',
    takenAt: { wallMs: clock.wall() - 71, monotonicMs: clock.monotonic() - 71 },
  });
  t.equal(aliveCount(), STEADY_SAMPLES);
  await readings.return();
  t.equal(clock.pending, 0);
});

t.test('thermometer: silent from the start, or after a while, it is device.timeout', async (t) => {
  const silent = setUp();
  const refused = t.rejects(silent.readings.next(), { name: 'DeviceError', code: 'device.timeout' });
  await silent.clock.advance(LONGEST_SILENCE_MS);
  await refused;
  t.equal(silent.clock.pending, 0);

  const { clock, link, readings } = setUp();
  const later = t.rejects(readings.next(), { code: 'device.timeout' });
  for (let count = 0; count < 10; count++) {
    await clock.advance(LONGEST_SILENCE_MS - 1);
    link.feed(frame(2_200));
  }
  await clock.advance(LONGEST_SILENCE_MS);
  await later;
});

t.test('thermometer: noise, wrong sums and impossible values are counted, and are silence', async (t) => {
  const { clock, link, refused, readings } = setUp();
  const timeout = t.rejects(readings.next(), { code: 'device.timeout' });
  const wrong = frame(3_420);
  wrong[8] = (wrong[8] ?? 0) ^ 1;
  for (let count = 0; count < 3; count++) {
    link.feed(Buffer.concat([Buffer.from('noise'), wrong, frame(-7_001)]));
    await clock.advance(LONGEST_SILENCE_MS / 3);
  }
  await timeout;
  t.strictSame(refused, Array.from({ length: 3 }, () => ['decode.checksum', 'decode.out_of_range']).flat());
});

t.test('thermometer: a consumer that takes long is not a silent device', async (t) => {
  const { clock, link, readings } = setUp();
  const first = readings.next();
  for (let count = 0; count < STEADY_SAMPLES; count++) link.feed(frame(3_420));
  await first;
  await clock.advance(10 * LONGEST_SILENCE_MS);
  for (let count = 0; count < 3; count++) link.feed(frame(2_200));
  for (let count = 0; count < STEADY_SAMPLES; count++) link.feed(frame(3_510));
  t.match((await readings.next()).value, { objectRaw: 3_510 });
  await readings.return();
});

t.test('thermometer: on abort it ends without an error, unplugged with device.gone', async (t) => {
  const aborted = setUp();
  const ended = aborted.readings.next();
  await aborted.clock.advance(0);
  aborted.stop.abort();
  t.strictSame(await ended, { done: true, value: undefined });
  t.equal(aborted.clock.pending, 0);

  const { link, readings } = setUp();
  const gone = t.rejects(readings.next(), { code: 'device.gone' });
  link.unplug();
  await gone;
});

t.test('thermometer: on a real port, unplugged and put back, it is told to send again and reads on', async (t) => {
  const device = new PtyDevice(join(t.testdir(), 'usb-thermometer'));
  const readings: Reading[] = [];
  const reports: DeviceReport[] = [];
  let wake = () => {};
  const until = async (isSo: () => boolean) => {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const stop = new AbortController();
  const ended = supervise(
    {
      device: 'thermometer',
      clock: systemClock,
      log: silentLog,
      isUpOnceOpen: false,
      backoff: { ...HARDWARE_BACKOFF, firstWaitMs: 10, random: () => 0 },
      onReport: (report) => {
        reports.push(report);
        wake();
      },
      open: openSerial({ path: device.path, baudRate: BAUD_RATE }),
      use: async (link, signal, markUp) => {
        for await (const reading of readSending(
          GY_MCU90614,
          link,
          { device: 'thermometer', clock: systemClock, onAlive: markUp },
          signal,
        )) {
          readings.push(reading);
          wake();
        }
      },
    },
    stop.signal,
  );
  t.teardown(async () => {
    stop.abort();
    await ended;
    await device.unplug();
  });
  for (const [turn, object] of [3_420, 3_510].entries()) {
    device.plug();
    await device.receivedAtLeast(SEND_CONTINUOUSLY.length * (turn + 1));
    await device.send(Buffer.concat(Array.from({ length: STEADY_SAMPLES }, () => frame(object))));
    await until(() => readings.length === turn + 1);
    await device.unplug();
    await until(() => reports.at(-1)?.isUp === false);
  }
  t.match(readings, [{ objectRaw: 3_420 }, { objectRaw: 3_510 }]);
  t.match(
    reports.filter((report) => report.isUp || report.why.code === 'device.gone').map(({ isUp }) => isUp),
    [true, false, true, false],
  );
});
