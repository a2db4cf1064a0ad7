import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import {
  decodeSample,
  encodeSample,
  FRAME_BYTES,
  type Sample,
  SampleFramer,
  SEND_CONTINUOUSLY,
} from '../../../hardware/thermometer/gy-mcu90614-codec.ts';
import { codeOf, DecodeError } from '../../../protocol/errors.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';

const SEED = Number(process.env.SEED ?? 20261121);

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly value?: Sample;
  readonly error?: string;
}
const path = new URL('../../vectors/thermometer-gy-mcu90614.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { vectors: readonly Vector[] };

const outcome = (bytes: Uint8Array): Sample | string | undefined => {
  try {
    return decodeSample(bytes);
  } catch (error) {
    return codeOf(error);
  }
};

for (const { name, hex, value, error } of vectors) {
  t.test(`thermometer frame: ${name}`, async (t) => {
    const bytes = Buffer.from(hex, 'hex');
    t.strictSame(outcome(bytes), value ?? error);
    if (value === undefined) return;
    t.equal(Buffer.from(encodeSample(value)).toString('hex'), hex);
    for (let length = 0; length < FRAME_BYTES; length++) t.equal(outcome(bytes.subarray(0, length)), 'decode.truncated');
    t.strictSame(outcome(Buffer.concat([bytes, bytes])), value, 'what follows is not read');
  });
}

t.test('thermometer frame: no single byte of it can change unnoticed', async (t) => {
  const frame = encodeSample({ objectRaw: 3_428 as CentiCelsius, ambientRaw: 2_406 as CentiCelsius });
  for (let index = 0; index < FRAME_BYTES; index++) {
    for (let flip = 1; flip < 256; flip++) {
      const damaged = frame.slice();
      damaged[index] = (damaged[index] ?? 0) ^ flip;
      t.type(outcome(damaged), 'string', 'an eight-bit sum finds every change of one byte');
    }
  }
});

t.test('thermometer command: send continuously, as the sheet prints it', async (t) => {
  t.equal(Buffer.from(SEND_CONTINUOUSLY).toString('hex'), 'a545ea');
  t.equal(SEND_CONTINUOUSLY[2], ((SEND_CONTINUOUSLY[0] ?? 0) + (SEND_CONTINUOUSLY[1] ?? 0)) & 0xff);
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

t.test('thermometer framer: every sample comes out once and in order, however the stream is cut', async (t) => {
  fc.assert(
    fc.property(fc.array(sample), fc.array(fc.nat()), (samples, places) => {
      const framer = new SampleFramer();
      const stream = Buffer.concat(samples.map(encodeSample));
      t.strictSame(
        cut(stream, places).flatMap((chunk) => framer.push(chunk)),
        samples,
      );
    }),
    { seed: SEED, numRuns: 300 },
  );
});

t.test('thermometer framer: noise between frames, of any bytes but a header, costs no frame', async (t) => {
  const noise = fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.filter((byte) => byte !== 0x5a));
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

t.test('thermometer framer: after any bytes at all it is in step again with the second frame', async (t) => {
  const likely = fc.constantFrom(0x5a, 0x45, 0x04, 0x00, 0xff);
  const noise = fc.array(fc.oneof(likely, fc.integer({ min: 0, max: 255 })), { maxLength: 60 }).map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(noise, sample, sample, (before, one, two) => {
      const framer = new SampleFramer();
      framer.push(before);
      const found = [encodeSample(one), encodeSample(two)].flatMap((frame) => framer.push(frame));
      t.strictSame(shown(found).at(-1), two);
    }),
    { seed: SEED, numRuns: 1_000 },
  );
});

t.test('thermometer framer: any bytes give the same findings one by one as in one piece', async (t) => {
  const byte = fc.oneof(fc.constantFrom(0x5a, 0x45, 0x04), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 200 }), (bytes) => {
      const whole = new SampleFramer().push(Uint8Array.from(bytes));
      const single = new SampleFramer();
      t.strictSame(shown(bytes.flatMap((one) => single.push(Uint8Array.of(one)))), shown(whole));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

t.test('thermometer framer: a frame that is refused is told by its code, and one that begins inside it is found', async (t) => {
  const good = encodeSample({ objectRaw: 3_428 as CentiCelsius, ambientRaw: 2_406 as CentiCelsius });
  const cutShort = good.subarray(0, 6);
  t.strictSame(shown(new SampleFramer().push(Buffer.concat([cutShort, good, good]))), [
    'decode.checksum',
    decodeSample(good),
    decodeSample(good),
  ]);
});
