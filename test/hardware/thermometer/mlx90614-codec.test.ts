import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  ANSWER_BYTES,
  decodeTemperature,
  decodeWord,
  encodeTemperature,
  MLX90614_ADDRESS,
  pecOf,
  type Quantity,
} from '../../../hardware/thermometer/mlx90614-codec.ts';
import { codeOf } from '../../../protocol/errors.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import fc from '../../support/properties.ts';

const SEED = Number(process.env.SEED ?? 20261122);

interface Vector {
  readonly name: string;
  readonly quantity: Quantity;
  readonly address?: number;
  readonly hex: string;
  readonly value?: CentiCelsius;
  readonly error?: string;
}
const path = new URL('../../vectors/thermometer-mlx90614.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { vectors: readonly Vector[] };

const outcome = (decode: () => CentiCelsius): CentiCelsius | string | undefined => {
  try {
    return decode();
  } catch (error) {
    return codeOf(error);
  }
};

for (const { name, quantity, address, hex, value, error } of vectors) {
  t.test(`MLX90614 answer: ${name}`, async (t) => {
    const bytes = Buffer.from(hex, 'hex');
    const decoded = (answer: Uint8Array) => outcome(() => decodeTemperature(quantity, answer, address));
    t.equal(decoded(bytes), value ?? error);
    for (let length = 0; length < ANSWER_BYTES; length++) t.equal(decoded(bytes.subarray(0, length)), 'decode.truncated');
    if (value === undefined) return;
    t.equal(Buffer.from(encodeTemperature(quantity, value, address)).toString('hex'), hex);
    t.equal(decoded(Buffer.concat([bytes, bytes])), value, 'what follows is not read');
  });
}

t.test('MLX90614 PEC: the catalogue’s check value, and the one of the maker’s note on setting an address', async (t) => {
  t.equal(pecOf(Buffer.from('123456789')), 0xf4);
  t.equal(pecOf(Uint8Array.of(0x00, 0x2e, 0x00, 0x00)), 0x6f);
});

const quantities = fc.constantFrom<Quantity>('object', 'ambient');
const addresses = fc.integer({ min: 0x01, max: 0x7f });
/** Steps of 0.02 K that both quantities can have. */
const temperatures = fc.integer({ min: -2_000, max: 6_250 }).map((half) => (2 * half + 1) as CentiCelsius);

t.test('MLX90614 answer: every temperature comes back as it was, at any address', async (t) => {
  fc.assert(
    fc.property(quantities, temperatures, addresses, (quantity, value, address) => {
      t.equal(decodeTemperature(quantity, encodeTemperature(quantity, value, address), address), value);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

t.test('MLX90614 answer: every change within eight neighbouring bits is found, as is an odd number of them', async (t) => {
  const value = 3_429 as CentiCelsius;
  const good = Buffer.from(encodeTemperature('object', value)).readUIntBE(0, ANSWER_BYTES);
  let changes = 0;
  for (let burst = 1; burst < 256; burst++) {
    for (let shift = 0; shift <= 16; shift++) {
      const damaged = Buffer.alloc(ANSWER_BYTES);
      damaged.writeUIntBE(good ^ (burst << shift), 0, ANSWER_BYTES);
      if (outcome(() => decodeTemperature('object', damaged)) !== 'decode.checksum') t.fail(`burst ${burst} at ${shift} went unnoticed`);
      changes += 1;
    }
  }
  t.equal(changes, 255 * 17);
});

t.test('MLX90614 answer: any bytes at all give a value in range or a code, never another error', async (t) => {
  fc.assert(
    fc.property(quantities, fc.uint8Array({ maxLength: 6 }), addresses, (quantity, bytes, address) => {
      const found = outcome(() => decodeTemperature(quantity, bytes, address));
      if (typeof found === 'number') t.ok(found >= -7_001 && found <= 38_219);
      else t.type(found, 'string');
    }),
    { seed: SEED, numRuns: 2_000 },
  );
});

t.test('MLX90614 word: all 65,536 of them are a temperature in range, no value, or out of range', async (t) => {
  const counts = new Map<string, number>();
  for (let word = 0; word <= 0xffff; word++) {
    const found = outcome(() => decodeWord('object', word));
    const kind = typeof found === 'number' ? 'value' : String(found);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  t.strictSame(Object.fromEntries(counts), {
    'decode.out_of_range': 0x27ad,
    value: 0x8000 - 0x27ad,
    'decode.no_value': 0x8000,
  });
  t.equal(MLX90614_ADDRESS, 0x5a);
});
