import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  ADVERTISEMENT_KINDS,
  decodeStructures,
  MOST_ADVERTISING_BYTES,
  MOST_TOKEN_INPUT_BYTES,
  type Sighting,
  sightingOf,
} from '../../../hardware/ble/advertisement.ts';
import { DecodeError } from '../../../protocol/errors.ts';
import fc from '../../support/properties.ts';

interface Vector {
  readonly name: string;
  readonly address: string;
  readonly isRandom: boolean;
  readonly hex: string;
  readonly kind?: string;
  readonly token?: string;
  readonly error?: string;
}

const { vectors } = JSON.parse(readFileSync('test/vectors/ble-advertisements.json', 'utf8')) as { vectors: Vector[] };
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const reportOf = ({ address, isRandom, hex }: Vector) => ({
  address: bytesOf(address),
  isRandomAddress: isRandom,
  rssi: -70,
  bytes: bytesOf(hex),
});

for (const vector of vectors) {
  t.test(`sightingOf: ${vector.name}`, async (t) => {
    if (vector.error !== undefined) {
      t.throws(() => sightingOf(reportOf(vector)), { name: 'DecodeError', code: vector.error });
      return;
    }
    const { kind, tokenInput, rssiDbm } = sightingOf(reportOf(vector));
    t.strictSame([kind, Buffer.from(tokenInput).toString('hex'), rssiDbm], [vector.kind, vector.token, -70]);
  });
}

/** @returns `undefined` where it is refused. @throws whatever is no DecodeError. */
const sighted = (address: Uint8Array, bytes: Uint8Array): Sighting | undefined => {
  try {
    return sightingOf({ address, isRandomAddress: true, rssi: -70, bytes });
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
};

t.test('sightingOf: every prefix of a good advertisement is an advertisement or refused by a code', async (t) => {
  for (const vector of vectors.filter(({ error }) => error === undefined)) {
    const { address, bytes } = reportOf(vector);
    for (let lengthBytes = 0; lengthBytes < bytes.length; lengthBytes++) sighted(address, bytes.subarray(0, lengthBytes));
  }
  t.pass();
});

const address = fc.uint8Array({ minLength: 6, maxLength: 6 });

t.test('sightingOf: whatever the bytes, what is passed on is bounded and a copy', async (t) => {
  fc.assert(
    fc.property(address, fc.uint8Array({ maxLength: 300 }), (address, bytes) => {
      const before = sighted(address, bytes);
      if (before === undefined) return true;
      const token = Buffer.from(before.tokenInput).toString('hex');
      address.fill(0);
      bytes.fill(0);
      const isSame = Buffer.from(before.tokenInput).toString('hex') === token;
      return isSame && ADVERTISEMENT_KINDS.includes(before.kind) && before.tokenInput.length <= MOST_TOKEN_INPUT_BYTES;
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

t.test('sightingOf: a beacon is told by what it says, its address does not matter', async (t) => {
  const beacons = vectors.filter(({ kind, error }) => error === undefined && /ibeacon|uid|eid|exposure/.test(kind ?? ''));
  fc.assert(
    fc.property(fc.constantFrom(...beacons), address, (vector, address) => {
      const { kind, tokenInput } = sightingOf({ ...reportOf(vector), address });
      return kind === vector.kind && Buffer.from(tokenInput).toString('hex') === vector.token;
    }),
  );
  t.pass();
});

t.test('sightingOf: other structures before or after a beacon do not hide it', async (t) => {
  const structure = fc
    .tuple(
      fc.integer({ min: 1, max: 0xfe }).filter((type) => type !== 0x16),
      fc.uint8Array({ maxLength: 20 }),
    )
    .map(([type, value]) => Buffer.concat([Buffer.of(value.length + 1, type), value]));
  fc.assert(
    fc.property(fc.array(structure, { maxLength: 4 }), fc.array(structure, { maxLength: 4 }), (before, after) => {
      const beacon = bytesOf('0d16aafe30eb0102030405060708');
      const bytes = Buffer.concat([...before, beacon, ...after]);
      return sighted(bytesOf('4a1122334455'), bytes)?.kind === 'eddystone-eid';
    }),
  );
  t.pass();
});

t.test('decodeStructures: what was written comes back', async (t) => {
  const structures = fc.array(fc.record({ type: fc.integer({ min: 0, max: 255 }), value: fc.uint8Array({ maxLength: 254 }) }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(structures, (written) => {
      const bytes = Buffer.concat(written.map(({ type, value }) => Buffer.concat([Buffer.of(value.length + 1, type), value])));
      t.strictSame(
        decodeStructures(bytes).map(({ type, value }) => ({ type, value: [...value] })),
        written.map(({ type, value }) => ({ type, value: [...value] })),
      );
    }),
    { numRuns: 50 },
  );
});

t.test('decodeStructures: more than Bluetooth lets a device say is refused', async (t) => {
  t.strictSame(decodeStructures(new Uint8Array(MOST_ADVERTISING_BYTES)), []);
  t.throws(() => decodeStructures(new Uint8Array(MOST_ADVERTISING_BYTES + 1)), { code: 'decode.overlong' });
});

t.test('sightingOf: a controller that does not know the strength', async (t) => {
  t.equal(sightingOf({ address: bytesOf('4a1122334455'), isRandomAddress: true, rssi: 127, bytes: bytesOf('') }).rssiDbm, undefined);
});
