import t, { type Test } from 'tap';
import { openHealthThermometer, readBodyTemperatures } from '../../../hardware/ble/health-thermometer.ts';
import type { RadioLink } from '../../../hardware/ble/open-radio.ts';
import type { Reading } from '../../../hardware/thermometer/reading.ts';
import { systemClock } from '../../../protocol/time.ts';
import { FakeRadio } from '../../support/ble/fake-radio.ts';
import { VirtualController } from '../../support/ble/virtual-controller.ts';
import { VirtualThermometer } from '../../support/ble/virtual-thermometer.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ADDRESS = Uint8Array.of(0x00, 0x11, 0x22, 0x33, 0x44, 0x55);
const never = new AbortController().signal;

const measured = (centi: number, second?: number): Uint8Array => {
  const value = Buffer.alloc(second === undefined ? 5 : 12);
  value.writeUInt8(second === undefined ? 0 : 2, 0);
  value.writeIntLE(centi, 1, 3);
  value.writeInt8(-2, 4);
  if (second !== undefined) Buffer.of(0xea, 0x07, 11, 21, 9, 30, second).copy(value, 5);
  return value;
};

/** A thermometer on noble, and its readings as they come. */
async function openOne(t: Test, prepare: (thermometer: VirtualThermometer, controller: VirtualController) => void = () => {}) {
  const controller = await VirtualController.listen();
  t.teardown(() => controller.close());
  const thermometer = new VirtualThermometer(controller, ADDRESS);
  prepare(thermometer, controller);
  const order = { address: ADDRESS, isRandomAddress: false, adapter: undefined };
  const link = await openHealthThermometer(order, { clock: systemClock, ...controller.radio })(never);
  t.teardown(() => link.close());
  const readings = readBodyTemperatures(link, { device: 'thermometer', clock: systemClock }, never);
  return { controller, thermometer, link, readings };
}

const objectOf = ({ value }: IteratorResult<Reading, void>): number | undefined => value?.objectRaw;

t.test('health thermometer: what it indicates arrives through noble, each time it wakes up', async (t) => {
  const { thermometer, readings } = await openOne(t);
  const first = readings.next();
  await thermometer.indicate(measured(3_660));
  t.equal(objectOf(await first), 3_660);
  const second = readings.next();
  thermometer.sleep();
  await thermometer.untilWaitedFor();
  thermometer.wakeUp();
  await thermometer.indicate(measured(3_710));
  t.equal(objectOf(await second), 3_710);
  t.equal(thermometer.confirmed, 2, 'each indication was confirmed');
});

t.test('health thermometer: one that sleeps is no fault', async (t) => {
  const { thermometer, controller } = await openOne(t, (thermometer) => thermometer.sleep());
  await thermometer.untilWaitedFor();
  t.equal(controller.hosts, 1);
});

t.test('health thermometer: a device that is none is told by a code', async (t) => {
  const { readings } = await openOne(t, (thermometer) => {
    thermometer.service = '180f';
  });
  await t.rejects(readings.next(), { name: 'DeviceError', code: 'device.failed' });
});

t.test('health thermometer: an adapter that is lost is told by a code', async (t) => {
  const { controller, readings } = await openOne(t, (thermometer) => thermometer.sleep());
  controller.adapters = [];
  await t.rejects(readings.next(), { name: 'DeviceError', code: 'device.gone' });
});

/** A driver on a radio in memory. */
function driverOf(radio: RadioLink) {
  const clock = new ManualClock();
  const got: number[] = [];
  const refused: string[] = [];
  const stop = new AbortController();
  const settings = { device: 'thermometer', clock, onRefused: (code: string) => refused.push(code) };
  const ended = (async () => {
    for await (const { objectRaw } of readBodyTemperatures(radio, settings, stop.signal)) got.push(objectRaw);
  })();
  return { clock, got, refused, stop, ended };
}

t.test('readBodyTemperatures: of several that come in a row the newest is the reading', async (t) => {
  const radio = new FakeRadio();
  const { clock, got, stop, ended } = driverOf(radio);
  for (const centi of [3_600, 3_650, 3_700]) radio.tell({ type: 'measurement', value: measured(centi) });
  await clock.advance(1_000);
  radio.beat();
  await clock.advance(1);
  t.strictSame(got, [3_700]);
  stop.abort();
  await ended;
});

t.test('readBodyTemperatures: what was told before is not told again, and another person’s same temperature is', async (t) => {
  const radio = new FakeRadio();
  const { clock, got, stop, ended } = driverOf(radio);
  for (const value of [measured(3_700, 1), measured(3_700, 1), measured(3_700, 2), measured(3_700), measured(3_700)]) {
    radio.tell({ type: 'measurement', value });
    await clock.advance(1_000);
    radio.beat();
    await clock.advance(1);
  }
  t.strictSame(got, [3_700, 3_700, 3_700, 3_700]);
  stop.abort();
  await ended;
});

t.test('readBodyTemperatures: what is no body, no value or no measurement is refused by a code', async (t) => {
  const radio = new FakeRadio();
  const { clock, got, refused, stop, ended } = driverOf(radio);
  for (const value of [measured(2_100), measured(4_501), Buffer.from('00ffff7f00', 'hex'), Buffer.of(0)])
    radio.tell({ type: 'measurement', value });
  await clock.advance(1_000);
  radio.beat();
  await clock.advance(1);
  t.strictSame(got, []);
  t.strictSame(refused, ['decode.out_of_range', 'decode.out_of_range', 'decode.no_value', 'decode.truncated']);
  stop.abort();
  await ended;
});
