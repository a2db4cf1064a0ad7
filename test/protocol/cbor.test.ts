import * as cborg from 'cborg';
import t from 'tap';
import { type CborValue, decodeCbor, encodeCbor } from '../../protocol/cbor.ts';
import fc from '../support/properties.ts';
import { bytesOf, hexOf, outcomeOf, prefixesOf } from '../support/wire.ts';

/** RFC 8949, appendix A: those of its examples whose types the wire has. */
const EXAMPLES: readonly [CborValue, string][] = [
  [0, '00'],
  [1, '01'],
  [10, '0a'],
  [23, '17'],
  [24, '1818'],
  [25, '1819'],
  [100, '1864'],
  [1000, '1903e8'],
  [1_000_000, '1a000f4240'],
  [1_000_000_000_000, '1b000000e8d4a51000'],
  [-1, '20'],
  [-10, '29'],
  [-100, '3863'],
  [-1000, '3903e7'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  [new Uint8Array(), '40'],
  [new Uint8Array([1, 2, 3, 4]), '4401020304'],
  ['', '60'],
  ['a', '6161'],
  ['IETF', '6449455446'],
  ['"\\', '62225c'],
  ['\u00fc', '62c3bc'],
  ['\u6c34', '63e6b0b4'],
  ['\ud800\udd51', '64f0908591'],
  [[], '80'],
  [[1, 2, 3], '83010203'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [Array.from({ length: 25 }, (_, i) => i + 1), '98190102030405060708090a0b0c0d0e0f101112131415161718181819'],
  [new Map(), 'a0'],
  [
    new Map([
      [1, 2],
      [3, 4],
    ]),
    'a201020304',
  ],
];

/** What RFC 8949, appendix A lists and the wire refuses, and RFC 8949's rules one by one. */
const REFUSED: readonly [string, string, string][] = [
  ['2^53', '1b0020000000000000', 'decode.out_of_range'],
  ['2^64 - 1', '1bffffffffffffffff', 'decode.out_of_range'],
  ['-2^53', '3b001fffffffffffff', 'decode.out_of_range'],
  ['-2^64', '3bffffffffffffffff', 'decode.out_of_range'],
  ['a big number', 'c249010000000000000000', 'decode.unsupported'],
  ['half a float', 'f93c00', 'decode.unsupported'],
  ['a float', 'fa47c35000', 'decode.unsupported'],
  ['a double', 'fb3ff199999999999a', 'decode.unsupported'],
  ['not a number', 'f97e00', 'decode.unsupported'],
  ['undefined', 'f7', 'decode.unsupported'],
  ['simple value 16', 'f0', 'decode.unsupported'],
  ['simple value 255', 'f8ff', 'decode.unsupported'],
  ['a tagged time', 'c11a514b67b0', 'decode.unsupported'],
  ['bytes in parts', '5f42010243030405ff', 'decode.not_canonical'],
  ['text in parts', '7f657374726561646d696e67ff', 'decode.not_canonical'],
  ['an array without its length', '9fff', 'decode.not_canonical'],
  ['a map without its length', 'bfff', 'decode.not_canonical'],
  ['a break alone', 'ff', 'decode.not_canonical'],
  ['0 in two bytes', '1800', 'decode.not_canonical'],
  ['255 in three bytes', '1900ff', 'decode.not_canonical'],
  ['65,535 in five bytes', '1a0000ffff', 'decode.not_canonical'],
  ['2^32 - 1 in nine bytes', '1b00000000ffffffff', 'decode.not_canonical'],
  ['an empty text with a long length', '7800', 'decode.not_canonical'],
  ['keys in falling order', 'a203040102', 'decode.not_canonical'],
  ['a key twice', 'a201020103', 'decode.not_canonical'],
  ['a lone surrogate in UTF-8', '63eda080', 'decode.not_canonical'],
  ['bytes that are no UTF-8', '61ff', 'decode.not_canonical'],
  ['an overlong UTF-8', '62c080', 'decode.not_canonical'],
  ['a text key', 'a1616101', 'decode.unsupported'],
  ['a key below 0', 'a12000', 'decode.unsupported'],
  ['a key of bytes', 'a1410001', 'decode.unsupported'],
  ['a key that is an array', 'a18001', 'decode.unsupported'],
  ['reserved 28', '1c', 'decode.malformed'],
  ['reserved 30 in a length', '5e', 'decode.malformed'],
  ['a byte after the end', '0000', 'decode.malformed'],
  ['nothing', '', 'decode.truncated'],
  ['more bytes promised than there are', '5b000fffffffffffff00', 'decode.truncated'],
  ['more entries promised than there are', '9b000fffffffffffff00', 'decode.truncated'],
  ['more pairs promised than there are', 'bb000fffffffffffff0000', 'decode.truncated'],
];

for (const [value, hex] of EXAMPLES) {
  t.test(`cbor: ${hex} is written, read, and refused when cut`, (t) => {
    t.equal(hexOf(encodeCbor(value)), hex);
    t.strictSame(decodeCbor(bytesOf(hex), 'example', 100), value);
    for (const prefix of prefixesOf(bytesOf(hex)))
      t.equal(
        outcomeOf(() => decodeCbor(prefix, 'example', 100)),
        'decode.truncated',
      );
    t.end();
  });
}

for (const [name, hex, code] of REFUSED) {
  t.test(`cbor: ${name} is refused as ${code}`, (t) => {
    t.equal(
      outcomeOf(() => decodeCbor(bytesOf(hex), 'example', 100)),
      code,
    );
    t.end();
  });
}

t.test('cbor: the greatest and least whole numbers come back', (t) => {
  for (const value of [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]) t.equal(decodeCbor(encodeCbor(value), 'example', 9), value);
  t.end();
});

t.test('cbor: map keys are written in bytewise order, whatever order they were set in', (t) => {
  const keys = [256, 2 ** 40, 65_536, 24, 0, 255, 23];
  const ascending = '00001700181800' + '18ff00' + '19010000' + '1a0001000000' + '1b000001000000000000';
  t.equal(hexOf(encodeCbor(new Map(keys.map((key) => [key, 0])))), `a7${ascending}`);
  t.end();
});

t.test('cbor: eight deep is read and nine deep is refused, and a hundred thousand deep does not end the process', (t) => {
  const nested = (depth: number) => new Uint8Array([...Array(depth).fill(0x81), 0]);
  t.equal(
    outcomeOf(() => decodeCbor(nested(8), 'example', 100)),
    'nothing thrown',
  );
  t.equal(
    outcomeOf(() => decodeCbor(nested(9), 'example', 100)),
    'decode.malformed',
  );
  t.equal(
    outcomeOf(() => decodeCbor(nested(100_000), 'example', 1_000_000)),
    'decode.malformed',
  );
  t.end();
});

t.test('cbor: what is longer than its bound is refused unread', (t) => {
  t.equal(
    outcomeOf(() => decodeCbor(bytesOf('ffff'), 'example', 1)),
    'decode.overlong',
  );
  t.end();
});

t.test('cbor: byte strings are copies, and a Buffer is read like any bytes', (t) => {
  const source = Buffer.from('4401020304', 'hex');
  const value = decodeCbor(source, 'example', 100) as Uint8Array;
  source.fill(0);
  t.strictSame([...value], [1, 2, 3, 4]);
  t.end();
});

const { value: anyValue } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.array(fc.tuple(fc.maxSafeNat(), tie('value')), { maxLength: 30 }).map((entries) => new Map(entries)),
  ),
}));

t.test('cbor: every value comes back, and its encoding cut anywhere is refused as truncated', (t) => {
  fc.assert(
    fc.property(anyValue, fc.nat(), (value, cut) => {
      const bytes = encodeCbor(value);
      if (Buffer.compare(encodeCbor(decodeCbor(bytes, 'example', bytes.length)), bytes) !== 0) return false;
      const cutAt = cut % bytes.length;
      return outcomeOf(() => decodeCbor(bytes.subarray(0, cutAt), 'example', bytes.length)) === 'decode.truncated';
    }),
  );
  t.end();
});

t.test('cbor: of arbitrary bytes, what is read is written again as it came, and the rest is refused by code', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const outcome = outcomeOf(() => {
        const value = decodeCbor(bytes, 'example', 64);
        if (Buffer.compare(encodeCbor(value), bytes) !== 0) throw new Error('written otherwise');
      });
      return outcome === 'nothing thrown' || outcome.startsWith('decode.');
    }),
    { numRuns: 20_000 },
  );
  t.end();
});

t.test('cbor: every value is written as another library writes it', (t) => {
  fc.assert(fc.property(anyValue, (value) => Buffer.compare(encodeCbor(value), cborg.encode(value)) === 0));
  t.end();
});
