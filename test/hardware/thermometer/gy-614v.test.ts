import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { GY_614V } from '../../../hardware/thermometer/gy-614v.ts';
import {
  decodeSample,
  encodeSample,
  FRAME_BYTES,
  SampleFramer,
  SEND_RAW_CONTINUOUSLY,
} from '../../../hardware/thermometer/gy-614v-codec.ts';
import type { Sample } from '../../../hardware/thermometer/gy-mcu90614-codec.ts';
import { STEADY_SAMPLES } from '../../../hardware/thermometer/presentation.ts';
import { LONGEST_SILENCE_MS, readSending } from '../../../hardware/thermometer/sending-thermometer.ts';
import { codeOf, DecodeError } from '../../../protocol/errors.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const SEED = Number(process.env.SEED ?? 20261122);

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly value?: Sample;
  readonly emissivity?: number;
  readonly body?: number;
  readonly error?: string;
}
const path = new URL('../../vectors/thermometer-gy-614v.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { vectors: readonly Vector[] };

const outcome = (bytes: Uint8Array): Sample | string | undefined => {
  try {
    return decodeSample(bytes);
  } catch (error) {
    return codeOf(error);
  }
};

for (const { name, hex, value, emissivity, body, error } of vectors) {
  t.test(`GY-614V frame: ${name}`, async (t) => {
    const bytes = Buffer.from(hex, 'hex');
    t.strictSame(outcome(bytes), value ?? error);
    if (value === undefined) return;
    t.equal(Buffer.from(encodeSample(value, emissivity, body)).toString('hex'), hex);
    for (let length = 0; length < FRAME_BYTES; length++) t.equal(outcome(bytes.subarray(0, length)), 'decode.truncated');
    t.strictSame(outcome(Buffer.concat([bytes, bytes])), value, 'what follows is not read');
  });
}

t.test('GY-614V frame: no single byte of it can change unnoticed', async (t) => {
  const frame = encodeSample({ objectRaw: 3_428 as CentiCelsius, ambientRaw: 2_406 as CentiCelsius });
  for (let index = 0; index < FRAME_BYTES; index++) {
    for (let flip = 1; flip < 256; flip++) {
      const damaged = frame.slice();
      damaged[index] = (damaged[index] ?? 0) ^ flip;
      t.type(outcome(damaged), 'string', 'an eight-bit sum finds every change of one byte');
    }
  }
});

t.test('GY-614V commands: bytes, no offset of its own, ten a second, unasked; each with its sum, and none that lasts', async (t) => {
  t.equal(Buffer.from(SEND_RAW_CONTINUOUSLY).toString('hex'), 'a4060400ae' + 'a406066414' + 'a4060203af' + 'a4060300ad');
  t.notOk(Buffer.from(SEND_RAW_CONTINUOUSLY).includes(Buffer.from([0xa4, 0x06, 0x05])), 'register 05 saves');
});

const sample: fc.Arbitrary<Sample> = fc.record(
  {
    objectRaw: fc.integer({ min: -7_000, max: 32_767 }).map((value) => value as CentiCelsius),
    ambientRaw: fc.integer({ min: -4_000, max: 12_500 }).map((value) => value as CentiCelsius),
  },
  { noNullPrototype: true },
);
const shown = (found: readonly (Sample | DecodeError)[]): (Sample | string)[] =>
  found.map((one) => (one instanceof DecodeError ? one.code : one));
const cut = (bytes: Uint8Array, at: readonly number[]): Uint8Array[] => {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
};

t.test('GY-614V framer: every sample comes out once and in order, however the stream is cut, with noise between', async (t) => {
  const noise = fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.filter((byte) => byte !== 0xa4));
  fc.assert(
    fc.property(fc.array(fc.tuple(noise, sample)), fc.array(fc.nat()), (parts, places) => {
      const framer = new SampleFramer();
      const stream = Buffer.concat(parts.flatMap(([before, one]) => [before, encodeSample(one)]));
      t.strictSame(
        cut(stream, places).flatMap((chunk) => framer.push(chunk)),
        parts.map(([, one]) => one),
      );
    }),
    { seed: SEED, numRuns: 300 },
  );
});

t.test('GY-614V framer: after any bytes at all it is in step again with the second frame', async (t) => {
  const likely = fc.constantFrom(0xa4, 0x03, 0x07, 0x06);
  const noise = fc.array(fc.oneof(likely, fc.integer({ min: 0, max: 255 })), { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(noise, sample, sample, (before, one, two) => {
      const framer = new SampleFramer();
      framer.push(before);
      t.strictSame(shown([one, two].flatMap((value) => framer.push(encodeSample(value)))).at(-1), two);
    }),
    { seed: SEED, numRuns: 1_000 },
  );
});

t.test('GY-614V framer: any bytes give the same findings one by one as in one piece', async (t) => {
  const byte = fc.oneof(fc.constantFrom(0xa4, 0x03, 0x07), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 200 }), (bytes) => {
      const single = new SampleFramer();
      t.strictSame(shown(bytes.flatMap((one) => single.push(Uint8Array.of(one)))), shown(new SampleFramer().push(Uint8Array.from(bytes))));
    }),
    { seed: SEED, numRuns: 500 },
  );
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
