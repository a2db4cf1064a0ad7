import t from 'tap';
import { encodeTemperature } from '../../hardware/thermometer/mlx90614-codec.ts';
import { parseConfig } from '../../kiosk/config.ts';
import { runI2cThermometer } from '../../kiosk/run-i2c-thermometer.ts';
import { DeviceError, ExpectedError } from '../../protocol/errors.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import { errno, FakeNative } from '../support/fake-native.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';

const PATH = '/dev/i2c-1';
const AMBIENT = 2_401 as CentiCelsius;

const thermometerOf = (more: object = {}) => {
  const { thermometers } = parseConfig({
    dataDir: '.',
    trustPath: '.',
    thermometers: [{ kind: 'mlx90614-i2c', name: 'forehead', ...more }],
  });
  const [thermometer] = thermometers;
  if (thermometer?.kind !== 'mlx90614-i2c') throw new Error('another kind');
  return thermometer;
};

t.test('I2C thermometer: a Pi’s bus and a sensor as sold are what is meant when nothing is said', async (t) => {
  t.match(thermometerOf(), { path: PATH, address: 0x5a, isPecRequired: true });
  for (const wrong of [{ path: '/dev/sda' }, { path: '/dev/i2c-1/../sda' }, { address: 0x78 }, { address: 0 }, { baudRate: 9_600 }])
    t.throws(() => thermometerOf(wrong), { code: 'config.invalid' });
});

t.test(
  'I2C thermometer: up with the first good sample, down when its wire breaks, up again by itself, and no value in any line of the log',
  async (t) => {
    const native = new FakeNative();
    const clock = new ManualClock();
    const log = new LogRecorder();
    const stop = new AbortController();
    const story: string[] = [];
    let object = AMBIENT;
    let isBroken = true;
    native.placeSensor(PATH, (command) => {
      if (isBroken) throw errno('EREMOTEIO');
      return command === 0x07 ? encodeTemperature('object', object) : encodeTemperature('ambient', AMBIENT);
    });
    const running = runI2cThermometer(
      {
        clock,
        log,
        random: () => 0,
        onReading: ({ objectRaw }) => story.push(`read ${objectRaw}`),
        onReport: (report) => story.push(report.isUp ? 'up' : report.why.code),
        loadNative: () => native,
      },
      thermometerOf(),
      stop.signal,
    );
    await clock.advance(8_000);
    isBroken = false;
    await clock.advance(8_000);
    object = 3_651 as CentiCelsius;
    await clock.advance(1_000);
    isBroken = true;
    await clock.advance(8_000);
    isBroken = false;
    await clock.advance(8_000);
    stop.abort();
    await clock.advance(0);
    await running;
    t.strictSame(
      story,
      ['device.absent', 'up', 'read 3651', 'device.absent', 'up', 'read 3651'],
      'whoever still stands there is read anew',
    );
    t.equal(native.open, 0);
    t.notMatch(JSON.stringify(log), /3651|2401|36\.51|24\.01/);
  },
);

t.test('I2C thermometer: without the addon it is down and says so, and once the addon is there it works', async (t) => {
  const native = new FakeNative();
  const clock = new ManualClock();
  const stop = new AbortController();
  const reports: string[] = [];
  let isInstalled = false;
  native.placeSensor(PATH, (command) => encodeTemperature(command === 0x07 ? 'object' : 'ambient', AMBIENT));
  const running = runI2cThermometer(
    {
      clock,
      log: new LogRecorder(),
      random: () => 0,
      onReading: () => {},
      onReport: (report) => reports.push(report.isUp ? 'up' : report.why instanceof ExpectedError ? report.why.code : 'bug'),
      loadNative: () => {
        if (!isInstalled) throw new DeviceError('device.no_driver', 'native addon: not here');
        return native;
      },
    },
    thermometerOf(),
    stop.signal,
  );
  await clock.advance(5_000);
  isInstalled = true;
  await clock.advance(5_000);
  stop.abort();
  await clock.advance(0);
  await running;
  t.strictSame(reports, ['device.no_driver', 'up']);
});
