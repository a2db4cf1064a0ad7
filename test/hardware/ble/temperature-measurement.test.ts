import { readFileSync } from 'node:fs';
import t from 'tap';
import { decodeTemperatureMeasurement } from '../../../hardware/ble/temperature-measurement.ts';
import { DecodeError } from '../../../protocol/errors.ts';
import fc from '../../support/properties.ts';

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly temperature?: number;
  readonly type?: string;
  readonly timeStamp?: string;
  readonly error?: string;
}

const { vectors } = JSON.parse(readFileSync('test/vectors/ble-temperature.json', 'utf8')) as { vectors: Vector[] };

for (const { name, hex, error, temperature, type, timeStamp } of vectors) {
  t.test(`decodeTemperatureMeasurement: ${name}`, async (t) => {
    const value = new Uint8Array(Buffer.from(hex, 'hex'));
    if (error !== undefined) t.throws(() => decodeTemperatureMeasurement(value), { name: 'DecodeError', code: error });
    else t.strictSame(decodeTemperatureMeasurement(value), { temperature, type, timeStamp });
  });
}

t.test('decodeTemperatureMeasurement: every prefix of a good one is truncated', async (t) => {
  const whole = new Uint8Array(Buffer.from('076c0300ffea070b150000000200', 'hex')).subarray(0, 13);
  decodeTemperatureMeasurement(whole);
  for (let lengthBytes = 1; lengthBytes < whole.length; lengthBytes++) {
    t.throws(() => decodeTemperatureMeasurement(whole.subarray(0, lengthBytes)), { code: 'decode.truncated' });
  }
});

const measured = (flags: number, mantissa: number, exponent: number): Uint8Array => {
  const value = new Uint8Array(5);
  const view = new DataView(value.buffer);
  view.setUint8(0, flags);
  view.setInt32(1, (mantissa & 0xffffff) | (exponent << 24), true);
  return value;
};

t.test('decodeTemperatureMeasurement: hundredths come out as they went in, whatever the exponent', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: -9_000, max: 20_000 }), fc.integer({ min: -4, max: -2 }), (centi, exponent) => {
      const { temperature } = decodeTemperatureMeasurement(measured(0, centi * 10 ** (-2 - exponent), exponent));
      return temperature === centi;
    }),
  );
  t.pass();
});

t.test('decodeTemperatureMeasurement: degrees Fahrenheit are within half a hundredth of a degree Celsius', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 600, max: 1_200 }), (tenths) => {
      const { temperature } = decodeTemperatureMeasurement(measured(1, tenths, -1));
      return Math.abs(temperature - ((tenths / 10 - 32) * 500) / 9) <= 0.5;
    }),
  );
  t.pass();
});

t.test('decodeTemperatureMeasurement: any bytes are a temperature in range, or refused by a code', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (value) => {
      try {
        const { temperature } = decodeTemperatureMeasurement(value);
        return Number.isInteger(temperature) && temperature >= -10_000 && temperature <= 30_000;
      } catch (error) {
        return error instanceof DecodeError;
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});
