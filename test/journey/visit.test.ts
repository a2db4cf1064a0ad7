import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { encodeSample } from '../../hardware/thermometer/gy-mcu90614-codec.ts';
import { encodeCode } from '../../protocol/code.ts';
import { toCentiCelsius } from '../../protocol/units.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { PtyDevice } from '../support/pty.ts';
import { until } from '../support/until.ts';
import { cardOf, hexOf, promisedBy, Road } from './road.ts';

const MINUTE_MS = 60_000;
const ROOM = { objectRaw: toCentiCelsius(22.1), ambientRaw: toCentiCelsius(21.9) };
/** High once the kiosk's default offset is added. */
const HIGH = { ...ROOM, objectRaw: toCentiCelsius(36.4) };
const repeated = (sample: typeof ROOM, times: number) => Array.from({ length: times }, () => sample);

t.test('journey: in, again, out, taken back, and who was there together', async (t) => {
  const road = await Road.open(t);
  await road.admit('kiosk');
  const secret = new Uint8Array(randomBytes(16));
  const staffCodes = [createHash('sha256').update(secret).digest('hex')];
  const kiosk = await road.startKiosk('kiosk', { direction: 'both', staffCodes });
  const scan = (card: number) => kiosk.scan(road.textOf(cardOf(card)));
  const undo = () => kiosk.scan(encodeCode({ kind: 'staff', secret, command: 'undo' }));

  t.equal(await scan(1), 'welcome');
  t.equal(await scan(1), 'already-in', 'the same card again is the same passage');
  road.clock.pass(20 * MINUTE_MS);
  t.equal(await scan(2), 'welcome');
  road.clock.pass(5 * MINUTE_MS);
  t.equal(await scan(3), 'welcome');
  road.clock.pass(MINUTE_MS);
  t.equal(await undo(), 'undone', 'the third was never there');
  t.equal(await undo(), 'nothing-to-undo');
  road.clock.pass(24 * MINUTE_MS);
  t.equal(await scan(1), 'goodbye');
  road.clock.pass(2 * MINUTE_MS);
  t.equal(await scan(4), 'welcome', 'the fourth comes when the first has gone');
  road.clock.pass(30 * MINUTE_MS);
  t.equal(await scan(2), 'goodbye');
  await road.delivered('kiosk');
  await road.state();

  const overlaps = async (card: number) =>
    (await road.core.overlapsWith(cardOf(card))).map(({ venue, overlapMs }) => ({ venue, minutes: overlapMs / MINUTE_MS }));
  const [withSecond, ...rest] = await overlaps(1);
  t.strictSame(rest, [], 'the first met the second alone');
  t.equal(withSecond?.venue, road.venue);
  t.ok(Math.abs((withSecond?.minutes ?? 0) - 30) < 1, 'for half an hour');
  t.equal((await overlaps(2)).length, 2, 'the second met the first and the fourth');
  t.strictSame(await overlaps(3), [], 'who was taken back met nobody');
  const { rows, scans } = await road.audit();
  const kinds = (type: string) => rows.filter(({ event }) => event.type === type).length;
  t.strictSame([kinds('check-in'), kinds('check-out'), kinds('undo'), scans.length], [4, 2, 1, 6]);
  const names = rows.map(({ name }) => name);
  t.ok(promisedBy(kiosk).every((name) => names.includes(name)));
});

t.test('journey: a high temperature, high again, raises a flag that the core knows; one of another card raises none', async (t) => {
  const road = await Road.open(t);
  await road.admit('kiosk');
  const thermometer = new PtyDevice(join(road.dirOf('dev'), 'thermometer'));
  thermometer.plug();
  t.teardown(() => thermometer.unplug());
  const log = new LogRecorder();
  const thermometers = [{ kind: 'serial', model: 'gy-mcu90614', name: 'thermometer', path: thermometer.path }];
  const kiosk = await road.startKiosk('kiosk', { thermometers }, { log });
  const send = (samples: readonly (typeof ROOM)[]) => thermometer.send(Buffer.concat(samples.map(encodeSample)));
  const measure = async (sample: typeof ROOM) => {
    const before = kiosk.feedback.length;
    await send([...repeated(sample, 5), ...repeated(ROOM, 3)]);
    await until(() => kiosk.feedback.length > before);
    return kiosk.feedback[before]?.kind;
  };
  await until(() => thermometer.received.length > 0);
  await send(repeated(ROOM, 3));
  // As a module does: one that is silent for three seconds, on a busy machine while a card is scanned, counts as broken and is opened anew.
  const sending = setInterval(() => void send([ROOM]), 500);
  t.teardown(() => clearInterval(sending));

  t.equal(await kiosk.scan(road.textOf(cardOf(1))), 'welcome');
  t.equal(await measure(HIGH), 'please-measure-again');
  t.equal(await measure(HIGH), 'please-see-staff');
  t.equal(await kiosk.scan(road.textOf(cardOf(2))), 'welcome');
  t.equal(await measure({ ...ROOM, objectRaw: toCentiCelsius(34.2) }), 'thank-you');
  t.equal(await kiosk.scan(road.textOf(cardOf(3))), 'welcome');
  t.equal(await measure(HIGH), 'please-measure-again');
  t.equal(await measure({ ...ROOM, objectRaw: toCentiCelsius(34.6) }), 'thank-you');
  await road.delivered('kiosk');
  await road.state();
  await until(() => road.core.flagsOf(cardOf(1)).length > 0);
  t.match(road.core.flagsOf(cardOf(1)), [{ state: 'confirmed' }]);
  t.strictSame(road.core.flagsOf(cardOf(2)), []);
  t.strictSame(road.core.flagsOf(cardOf(3)), [], 'high, then normal, is no flag');
  const told = log.text;
  for (const card of [1, 2, 3]) t.notOk(told.includes(hexOf(cardOf(card))), 'no card is in the log');
  const { rows, flags, coreFlags, readings } = await road.audit();
  t.strictSame([flags.length, coreFlags.length], [1, 1]);
  t.equal(rows.filter(({ event }) => event.type === 'temperature').length, 5);
  t.equal(readings.length, 5);
});
