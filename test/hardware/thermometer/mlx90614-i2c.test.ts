import t from 'tap';
import { openI2c } from '../../../hardware/i2c/i2c-link.ts';
import { encodeTemperature, type Quantity } from '../../../hardware/thermometer/mlx90614-codec.ts';
import { LONGEST_SILENCE_MS, readMlx90614, SAMPLE_EVERY_MS } from '../../../hardware/thermometer/mlx90614-i2c.ts';
import { STEADY_SAMPLES } from '../../../hardware/thermometer/presentation.ts';
import type { Reading } from '../../../hardware/thermometer/reading.ts';
import { codeOf } from '../../../protocol/errors.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import { errno, FakeNative } from '../../support/fake-native.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const PATH = '/dev/i2c-1';
const never = new AbortController().signal;
const ROOM = 2_401 as CentiCelsius;
const FOREHEAD = 3_429 as CentiCelsius;

/** A sensor on a bus, and what the driver made of it. */
class Bench {
  readonly native = new FakeNative();
  readonly clock = new ManualClock();
  readonly readings: Reading[] = [];
  readonly refused: string[] = [];
  readonly stopping = new AbortController();
  object: CentiCelsius = ROOM;
  alive = 0;
  /** What happens to the next transfers: an errno, or what is done to the bytes. */
  disturb: string | ((bytes: Uint8Array) => Uint8Array) | undefined;
  ended: Promise<string | undefined> = Promise.resolve(undefined);

  constructor() {
    this.native.placeSensor(PATH, (command) => {
      if (typeof this.disturb === 'string') throw errno(this.disturb);
      const quantity: Quantity = command === 0x07 ? 'object' : 'ambient';
      const bytes = encodeTemperature(quantity, quantity === 'object' ? this.object : ROOM);
      return this.disturb === undefined ? bytes : this.disturb(bytes);
    });
  }

  async start(isPecRequired = true): Promise<void> {
    const link = await openI2c(() => this.native, { path: PATH, address: 0x5a })(never);
    const settings = {
      device: 'forehead',
      clock: this.clock,
      isPecRequired,
      onAlive: () => {
        this.alive += 1;
      },
      onRefused: (code: string) => this.refused.push(code),
    };
    const read = async () => {
      for await (const reading of readMlx90614(link, settings, this.stopping.signal)) this.readings.push(reading);
    };
    this.ended = read()
      .then(
        () => undefined,
        (error: unknown) => codeOf(error) ?? String(error),
      )
      .finally(() => link.close());
    await this.clock.advance(0);
  }

  async stop(): Promise<string | undefined> {
    this.stopping.abort();
    return await this.ended;
  }
}

t.test('MLX90614 on I2C: a forehead gives one reading, with the sensor’s own temperature and the time of its last sample', async (t) => {
  const bench = new Bench();
  await bench.start();
  await bench.clock.advance(2_000);
  bench.object = FOREHEAD;
  const fromMs = bench.clock.monotonic();
  await bench.clock.advance(3_000);
  t.equal(bench.readings.length, 1);
  t.match(bench.readings[0], { objectRaw: FOREHEAD, ambientRaw: ROOM, device: 'forehead' });
  t.equal(bench.readings[0]?.takenAt.monotonicMs, fromMs + STEADY_SAMPLES * SAMPLE_EVERY_MS);
  bench.object = ROOM;
  await bench.clock.advance(1_000);
  bench.object = 3_851 as CentiCelsius;
  await bench.clock.advance(1_000);
  t.strictSame(
    bench.readings.map(({ objectRaw }) => objectRaw),
    [FOREHEAD, 3_851],
  );
  t.equal(await bench.stop(), undefined, 'on abort it returns');
  t.equal(bench.native.open, 0);
});

t.test('MLX90614 on I2C: a disturbed sample is refused and counted, and no reading is made across it', async (t) => {
  const bench = new Bench();
  bench.object = FOREHEAD;
  await bench.start();
  await bench.clock.advance((STEADY_SAMPLES - 2) * SAMPLE_EVERY_MS);
  bench.disturb = (bytes) => bytes.map((byte, at) => (at === 0 ? byte ^ 0x10 : byte));
  await bench.clock.advance(SAMPLE_EVERY_MS);
  bench.disturb = undefined;
  await bench.clock.advance((STEADY_SAMPLES - 1) * SAMPLE_EVERY_MS);
  t.strictSame([bench.readings.length, bench.refused], [0, ['decode.checksum']]);
  await bench.clock.advance(SAMPLE_EVERY_MS);
  t.equal(bench.readings.length, 1);
  await bench.stop();
});

t.test('MLX90614 on I2C: what is wrong for three seconds is told by what the bus said last', async (t) => {
  for (const [disturb, code] of [
    ['EREMOTEIO', 'device.absent'],
    ['ETIMEDOUT', 'device.timeout'],
    ['EIO', 'device.failed'],
    [(bytes: Uint8Array) => new Uint8Array(bytes.length).fill(0xff), 'device.timeout'],
  ] as const) {
    const bench = new Bench();
    await bench.start();
    await bench.clock.advance(1_000);
    bench.disturb = disturb;
    await bench.clock.advance(LONGEST_SILENCE_MS - 2 * SAMPLE_EVERY_MS);
    bench.disturb = undefined;
    await bench.clock.advance(SAMPLE_EVERY_MS);
    bench.disturb = disturb;
    await bench.clock.advance(LONGEST_SILENCE_MS + SAMPLE_EVERY_MS);
    t.equal(await bench.ended, code);
    t.equal(bench.native.open, 0);
  }
});

t.test('MLX90614 on I2C: a sensor that is not there never counts as up', async (t) => {
  const bench = new Bench();
  bench.disturb = 'ENXIO';
  await bench.start();
  await bench.clock.advance(LONGEST_SILENCE_MS + SAMPLE_EVERY_MS);
  t.strictSame([await bench.ended, bench.alive], ['device.absent', 0]);
});

t.test(
  'MLX90614 on I2C: a controller that checks the PEC itself serves; one that can not is refused, unless that is configured',
  async (t) => {
    const unchecked = new Bench();
    unchecked.native.functions = 0x0020_0000;
    await unchecked.start();
    t.equal(await unchecked.ended, 'device.failed');
    for (const [functions, isPecRequired] of [
      [0x0020_0008, true],
      [0x0020_0000, false],
    ] as const) {
      const bench = new Bench();
      bench.native.functions = functions;
      bench.object = FOREHEAD;
      await bench.start(isPecRequired);
      await bench.clock.advance(1_000);
      t.equal(bench.readings[0]?.objectRaw, FOREHEAD);
      await bench.stop();
    }
  },
);

t.test('MLX90614 on I2C: one more sample is not begun once the kiosk stops', async (t) => {
  const bench = new Bench();
  await bench.start();
  await bench.clock.advance(SAMPLE_EVERY_MS);
  const { alive } = bench;
  await bench.stop();
  await bench.clock.advance(10 * SAMPLE_EVERY_MS);
  t.equal(bench.alive, alive);
  t.equal(bench.clock.pending, 0, 'no timer is left');
});
