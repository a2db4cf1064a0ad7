/** What holds of the frames of every module that sends samples by itself, whatever their layout. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Sample } from '../../../hardware/thermometer/reading.ts';
import { codeOf, DecodeError } from '../../../protocol/errors.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import fc from '../../support/properties.ts';

export interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly value?: Sample;
  readonly error?: string;
  /** Of a GY-614V. */
  readonly emissivity?: number;
  readonly body?: number;
}

export interface ModuleFrames {
  /** How the tests call it. */
  readonly module: string;
  /** In test/vectors. */
  readonly vectorFile: string;
  readonly frameBytes: number;
  readonly decodeSample: (frame: Uint8Array) => Sample;
  readonly encodeSample: (sample: Sample, vector?: Vector) => Uint8Array;
  readonly newFramer: () => { push(bytes: Uint8Array): (Sample | DecodeError)[] };
  /** With which a frame begins. */
  readonly first: number;
  /** Bytes that make noise look like frames. */
  readonly likely: readonly number[];
}

const SEED = Number(process.env.SEED ?? 20261121);

const anySample: fc.Arbitrary<Sample> = fc.record(
  {
    objectRaw: fc.integer({ min: -7_000, max: 32_767 }).map((value) => value as CentiCelsius),
    ambientRaw: fc.integer({ min: -4_000, max: 12_500 }).map((value) => value as CentiCelsius),
  },
  { noNullPrototype: true },
);

/** Findings as they can be compared: samples, and codes of what was refused. */
export const shown = (found: readonly (Sample | DecodeError)[]): (Sample | string)[] =>
  found.map((one) => (one instanceof DecodeError ? one.code : one));

const cut = (bytes: Uint8Array, at: readonly number[]): Uint8Array[] => {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
};

/** Makes the tests of one module's codec and framer. */
export function testModuleFrames({ module, vectorFile, frameBytes, first, likely, ...codec }: ModuleFrames): void {
  const { decodeSample, encodeSample, newFramer } = codec;
  const path = new URL(`../../vectors/${vectorFile}`, import.meta.url);
  const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { vectors: readonly Vector[] };
  const noisy = fc.oneof(fc.constantFrom(...likely), fc.integer({ min: 0, max: 255 }));

  const outcome = (bytes: Uint8Array): Sample | string | undefined => {
    try {
      return decodeSample(bytes);
    } catch (error) {
      return codeOf(error);
    }
  };

  for (const vector of vectors) {
    const { name, hex, value, error } = vector;
    t.test(`${module} frame: ${name}`, async (t) => {
      const bytes = Buffer.from(hex, 'hex');
      t.strictSame(outcome(bytes), value ?? error);
      if (value === undefined) return;
      t.equal(Buffer.from(encodeSample(value, vector)).toString('hex'), hex);
      for (let length = 0; length < frameBytes; length++) t.equal(outcome(bytes.subarray(0, length)), 'decode.truncated');
      t.strictSame(outcome(Buffer.concat([bytes, bytes])), value, 'what follows is not read');
    });
  }

  t.test(`${module} frame: no single byte of it can change unnoticed`, async (t) => {
    const frame = encodeSample({ objectRaw: 3_428 as CentiCelsius, ambientRaw: 2_406 as CentiCelsius });
    for (let index = 0; index < frameBytes; index++) {
      for (let flip = 1; flip < 256; flip++) {
        const damaged = frame.slice();
        damaged[index] = (damaged[index] ?? 0) ^ flip;
        t.type(outcome(damaged), 'string', 'an eight-bit sum finds every change of one byte');
      }
    }
  });

  t.test(`${module} framer: every sample comes out once and in order, however the stream is cut, with noise between`, async (t) => {
    const noise = fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.filter((byte) => byte !== first));
    fc.assert(
      fc.property(fc.array(fc.tuple(noise, anySample)), fc.array(fc.nat()), (parts, places) => {
        const framer = newFramer();
        const stream = Buffer.concat(parts.flatMap(([before, one]) => [before, encodeSample(one)]));
        t.strictSame(
          cut(stream, places).flatMap((chunk) => framer.push(chunk)),
          parts.map(([, one]) => one),
        );
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  t.test(`${module} framer: after any bytes at all it is in step again with the second frame`, async (t) => {
    fc.assert(
      fc.property(fc.array(noisy, { maxLength: 60 }), anySample, anySample, (before, one, two) => {
        const framer = newFramer();
        framer.push(Uint8Array.from(before));
        t.strictSame(shown([one, two].flatMap((value) => framer.push(encodeSample(value)))).at(-1), two);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  t.test(`${module} framer: any bytes give the same findings one by one as in one piece`, async (t) => {
    fc.assert(
      fc.property(fc.array(noisy, { maxLength: 200 }), (bytes) => {
        const single = newFramer();
        t.strictSame(shown(bytes.flatMap((one) => single.push(Uint8Array.of(one)))), shown(newFramer().push(Uint8Array.from(bytes))));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
}
