import t from 'tap';
import { GY_614V } from '../../../hardware/thermometer/gy-614v.ts';
import {
  decodeSample,
  encodeSample,
  FRAME_BYTES,
  SampleFramer,
  SEND_RAW_CONTINUOUSLY,
} from '../../../hardware/thermometer/gy-614v-codec.ts';
import { STEADY_SAMPLES } from '../../../hardware/thermometer/presentation.ts';
import { LONGEST_SILENCE_MS, readSending } from '../../../hardware/thermometer/sending-thermometer.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { testModuleFrames } from './module-frames.ts';

testModuleFrames({
  module: 'GY-614V',
  vectorFile: 'thermometer-gy-614v.json',
  frameBytes: FRAME_BYTES,
  decodeSample,
  encodeSample: (sample, vector) => encodeSample(sample, vector?.emissivity, vector?.body),
  newFramer: () => new SampleFramer(),
  first: 0xa4,
  likely: [0xa4, 0x03, 0x07, 0x06],
});

t.test('GY-614V commands: bytes, no offset of its own, ten a second, unasked; each with its sum, and none that lasts', async (t) => {
  t.equal(Buffer.from(SEND_RAW_CONTINUOUSLY).toString('hex'), 'a4060400ae' + 'a406066414' + 'a4060203af' + 'a4060300ad');
  t.notOk(Buffer.from(SEND_RAW_CONTINUOUSLY).includes(Buffer.from([0xa4, 0x06, 0x05])), 'register 05 saves');
});

t.test('GY-614V: is told how to send, a forehead is one reading, and its answers to the commands are none', async (t) => {
  const clock = new ManualClock();
  const link = new FakeLink();
  const readings = readSending(GY_614V, link, { device: 'forehead', clock }, new AbortController().signal);
  const reading = readings.next();
  link.feed(Buffer.from('a4060400aea4060300ad', 'hex'));
  for (let count = 0; count < STEADY_SAMPLES; count++) {
    link.feed(encodeSample({ objectRaw: (3_420 + count) as CentiCelsius, ambientRaw: 2_310 as CentiCelsius }));
    await clock.advance(100);
  }
  t.strictSame(link.written, Buffer.from(SEND_RAW_CONTINUOUSLY));
  t.match((await reading).value, { objectRaw: 3_422, ambientRaw: 2_310, device: 'forehead' });
  const timeout = t.rejects(readings.next(), { code: 'device.timeout' });
  await clock.advance(LONGEST_SILENCE_MS);
  await timeout;
});
