import t from 'tap';
import {
  decodeLayout,
  decodeVersion,
  FirmataFramer,
  type Frame,
  LONGEST_FRAME_BYTES,
  MOST_PINS,
} from '../../../hardware/board/firmata-frames.ts';
import { codeOf, DecodeError } from '../../../protocol/errors.ts';
import fc from '../../support/properties.ts';
import { firmwareReport, UNO_CAPABILITIES, UNO_MAPPING } from './fake-board.ts';

const SEED = Number(process.env.SEED ?? 20261121);

const hexOf = (found: readonly (Frame | DecodeError)[]): string[] =>
  found.map((one) => (one instanceof DecodeError ? one.code : `${one.kind} ${Buffer.from(one.bytes).toString('hex')}`));
const framesIn = (hex: string): string[] => hexOf(new FirmataFramer().push(Buffer.from(hex.replaceAll(' ', ''), 'hex')));

/** Source: Firmata protocol.md and i2c.md, the message tables, filled in. */
const VECTORS: readonly (readonly [name: string, hex: string, found: readonly string[]])[] = [
  ['protocol version 2.5', 'f9 02 05', ['version f90205']],
  ['analog channel 0 reads 1023', 'e0 7f 07', ['analog e07f07']],
  ['digital port 1, pins 8 to 15', '91 21 01', ['digital 912101']],
  ['firmware "A" 2.5', 'f0 79 02 05 41 00 f7', ['firmware f07902054100f7']],
  ['I2C reply of three bytes', 'f0 77 5a 00 07 00 17 01 3a 00 30 00 f7', ['i2c-reply f0775a00070017013a003000f7']],
  ['I2C reply of none', 'f0 77 5a 00 07 00 f7', ['i2c-reply f0775a000700f7']],
  ['a text', 'f0 71 49 00 f7', ['text f0714900f7']],
  ['bytes between messages', '00 17 f9 02 05 55 e0 00 00', ['version f90205', 'analog e00000']],
  ['a message broken off by the next', 'f0 79 02 f9 02 05', ['decode.truncated', 'version f90205']],
  ['a short one broken off', 'e0 01 91 00 00', ['decode.truncated', 'digital 910000']],
  ['a sysex that nothing here needs', 'f0 62 00 f7 f9 02 05', ['decode.unsupported', 'version f90205']],
  ['an empty sysex', 'f0 f7', ['decode.unsupported']],
  ['a firmware report without a version', 'f0 79 f7', ['decode.malformed']],
  ['half a byte at the end', 'f0 77 5a 00 07 00 17 f7', ['decode.malformed']],
  ['a pin list that ends inside a pin', 'f0 6c 00 01 f7', ['decode.malformed']],
  ['a mode without its bits', 'f0 6c 00 7f f7', ['decode.malformed']],
  ['a pin list of no pins', 'f0 6c f7', ['decode.malformed']],
];

for (const [name, hex, found] of VECTORS) {
  t.test(`board message: ${name}`, async (t) => t.strictSame(framesIn(hex), found));
}

t.test('board message: every prefix of one gives nothing yet, and nothing wrong', async (t) => {
  for (const message of [firmwareReport(2, 5), UNO_CAPABILITIES, UNO_MAPPING, Buffer.from('f90205', 'hex')]) {
    for (let length = 0; length < message.length; length++) t.strictSame(new FirmataFramer().push(message.subarray(0, length)), []);
    t.equal(new FirmataFramer().push(message).length, 1);
  }
});

const seven = fc.integer({ min: 0, max: 127 });
const pair = fc.tuple(seven, fc.constantFrom(0, 1));
const message: fc.Arbitrary<Buffer> = fc.oneof(
  fc.tuple(fc.constantFrom(0xf9, 0xe0, 0xe5, 0x90, 0x92), seven, seven).map((bytes) => Buffer.from(bytes)),
  fc.array(pair, { minLength: 2, maxLength: 40 }).map((pairs) => Buffer.from([0xf0, 0x77, ...pairs.flat(), 0xf7])),
  fc.array(pair, { minLength: 1, maxLength: 40 }).map((pairs) => Buffer.from([0xf0, 0x79, ...pairs.flat(), 0xf7])),
  fc.constantFrom(UNO_CAPABILITIES, UNO_MAPPING),
);
const cut = (bytes: Uint8Array, at: readonly number[]): Uint8Array[] => {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
};
const bytesOf = (found: readonly (Frame | DecodeError)[]): string[] =>
  found.map((one) => (one instanceof DecodeError ? one.code : Buffer.from(one.bytes).toString('hex')));

t.test('board framer: every message comes out once and in order, however the stream is cut and with 7-bit noise between', async (t) => {
  const noise = fc.uint8Array({ max: 127, maxLength: 9 });
  fc.assert(
    fc.property(fc.array(fc.tuple(noise, message)), fc.array(fc.nat()), (parts, places) => {
      const framer = new FirmataFramer();
      const stream = Buffer.concat(parts.flat());
      t.strictSame(
        bytesOf(cut(stream, places).flatMap((chunk) => framer.push(chunk))),
        parts.map(([, one]) => one.toString('hex')),
      );
    }),
    { seed: SEED, numRuns: 300 },
  );
});

t.test('board framer: after any bytes at all it is in step again with the second message', async (t) => {
  const likely = fc.constantFrom(0xf0, 0xf7, 0x79, 0x6c, 0x77, 0x7f, 0xe0, 0x90, 0xf9);
  const garbage = fc.array(fc.oneof(likely, fc.integer({ min: 0, max: 255 })), { maxLength: 80 }).map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(garbage, message, message, (before, one, two) => {
      const framer = new FirmataFramer();
      framer.push(before);
      t.equal(bytesOf([one, two].flatMap((bytes) => framer.push(bytes))).at(-1), two.toString('hex'));
    }),
    { seed: SEED, numRuns: 1_000 },
  );
});

t.test('board framer: any bytes give the same findings one by one as in one piece', async (t) => {
  const byte = fc.oneof(fc.constantFrom(0xf0, 0xf7, 0x79, 0x6c, 0x7f, 0xe0), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 200 }), (bytes) => {
      const single = new FirmataFramer();
      t.strictSame(hexOf(bytes.flatMap((one) => single.push(Uint8Array.of(one)))), hexOf(new FirmataFramer().push(Uint8Array.from(bytes))));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

t.test('board framer: a message without an end is refused at the bound, each time anew, and the next is read', async (t) => {
  const framer = new FirmataFramer();
  const start = Buffer.from([0xf0, 0x71]);
  for (let round = 0; round < 3; round++) {
    const found = [...framer.push(start), ...framer.push(Buffer.alloc(10 * LONGEST_FRAME_BYTES, 0x11))];
    t.strictSame(hexOf(found), ['decode.overlong']);
  }
  t.strictSame(hexOf(framer.push(Buffer.from([0xf9, 2, 5]))), ['version f90205']);
});

const frameOf = (bytes: Uint8Array): Frame => {
  const [found] = new FirmataFramer().push(bytes);
  if (found === undefined || found instanceof DecodeError) throw new Error('no frame');
  return found;
};

t.test('board layout: an Uno’s pins, and what contradicts itself', async (t) => {
  const layout = decodeLayout(frameOf(UNO_CAPABILITIES), frameOf(UNO_MAPPING));
  t.equal(layout.length, 20);
  t.strictSame(layout[0], { modes: [], analogChannel: undefined });
  t.strictSame(layout[9], { modes: [0, 1, 3, 4, 11], analogChannel: undefined });
  t.strictSame(layout[18], { modes: [0, 1, 2, 6, 11], analogChannel: 4 });
  const twoPins = frameOf(Buffer.from([0xf0, 0x6a, 0, 1, 0xf7]));
  try {
    decodeLayout(frameOf(UNO_CAPABILITIES), twoPins);
    t.fail('two mappings for twenty pins');
  } catch (error) {
    t.equal(codeOf(error), 'decode.malformed');
  }
  const tooMany = Buffer.from([0xf0, 0x6c, ...Array.from({ length: MOST_PINS + 1 }, () => 0x7f), 0xf7]);
  t.strictSame(hexOf(new FirmataFramer().push(tooMany)), ['decode.malformed']);
});

t.test('board version: of the protocol, and of the firmware', async (t) => {
  t.strictSame(decodeVersion(frameOf(Buffer.from([0xf9, 2, 6]))), { major: 2, minor: 6 });
  t.strictSame(decodeVersion(frameOf(firmwareReport(2, 4))), { major: 2, minor: 4 });
});
