import t from 'tap';
import { ADVERTISEMENT_KINDS, MOST_TOKEN_INPUT_BYTES } from '../../../hardware/ble/advertisement.ts';
import {
  decodeAnswer,
  decodeOrder,
  encodeAnswer,
  encodeOrder,
  FrameReader,
  MOST_FRAME_BYTES,
  mostSightings,
  RADIO_FAULTS,
  type RadioAnswer,
  type RadioOrder,
} from '../../../hardware/ble/radio-frames.ts';
import { DecodeError } from '../../../protocol/errors.ts';
import fc from '../../support/properties.ts';

const adapter = fc.option(fc.integer({ min: 0, max: 15 }), { nil: undefined });
const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });

const order: fc.Arbitrary<RadioOrder> = fc.oneof(
  fc.record({ type: fc.constant('sniff' as const), adapter }),
  fc.record({ type: fc.constant('rescan' as const) }),
  fc.record({ type: fc.constant('thermometer' as const), address: bytes(6, 6), isRandomAddress: fc.boolean(), adapter }),
);

const sighting = fc.record({
  kind: fc.constantFrom(...ADVERTISEMENT_KINDS),
  tokenInput: bytes(0, MOST_TOKEN_INPUT_BYTES),
  rssiDbm: fc.option(fc.integer({ min: -128, max: 126 }), { nil: undefined }),
});

const count = fc.integer({ min: 0, max: 0xffffffff });
const answer: fc.Arbitrary<RadioAnswer> = fc.oneof(
  fc.record({ type: fc.constant('up' as const) }),
  fc.record({
    type: fc.constant('fault' as const),
    fault: fc.constantFrom(...RADIO_FAULTS),
    bugAt: fc.constantFrom(undefined, 'noble-sniffer.ts:98', 'unknown:0'),
  }),
  fc.record({ type: fc.constant('measurement' as const), value: bytes(0, 512) }),
  fc.record({
    type: fc.constant('heard' as const),
    reports: count,
    refused: count,
    isDisturbed: fc.boolean(),
    sightings: fc.array(sighting, { maxLength: 40 }),
  }),
);

/** Fields in the order of their names, bytes as hexadecimal digits. */
const told = (value: object): string =>
  JSON.stringify(
    Object.entries(value).sort(([a], [b]) => a.localeCompare(b)),
    (_key, part) => (part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part),
  );

/** Without its two bytes of length, as FrameReader gives it. */
const bodyOf = (frame: Uint8Array): Uint8Array => frame.subarray(2);

t.test('radio frames: an order comes back as it was given', async (t) => {
  fc.assert(fc.property(order, (given) => told(decodeOrder(bodyOf(encodeOrder(given)))) === told(given)));
  t.pass();
});

t.test('radio frames: an answer comes back as it was given', async (t) => {
  fc.assert(fc.property(answer, (given) => told(decodeAnswer(bodyOf(encodeAnswer(given)))) === told(given)));
  t.pass();
});

t.test('radio frames: as many sightings as there may be fit one answer, and one more is a bug', async (t) => {
  const longest = { kind: 'ibeacon', tokenInput: new Uint8Array(MOST_TOKEN_INPUT_BYTES), rssiDbm: -1 } as const;
  const heard = (length: number) =>
    encodeAnswer({ type: 'heard', reports: 0, refused: 0, isDisturbed: false, sightings: Array.from({ length }, () => longest) });
  t.ok(bodyOf(heard(mostSightings)).length <= MOST_FRAME_BYTES);
  t.throws(() => heard(mostSightings + 1), RangeError);
});

t.test('radio frames: any bytes are an answer or an order, or refused by a code', async (t) => {
  const accepts = (decode: (frame: Uint8Array) => unknown, frame: Uint8Array) => {
    try {
      decode(frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  };
  fc.assert(
    fc.property(fc.constantFrom(0x01, 0x02, 0x03, 0x81, 0x82, 0x83, 0x84, 0x00), bytes(0, 600), (type, rest) => {
      const frame = Uint8Array.of(type, ...rest);
      accepts(decodeAnswer, frame);
      accepts(decodeOrder, frame);
    }),
    { numRuns: 1_000 },
  );
  t.pass();
});

t.test('radio frames: every prefix of an answer with sightings is another answer or refused', async (t) => {
  const frame = bodyOf(
    encodeAnswer({
      type: 'heard',
      reports: 2,
      refused: 0,
      isDisturbed: false,
      sightings: [{ kind: 'plain', tokenInput: new Uint8Array(6), rssiDbm: -50 }],
    }),
  );
  for (let lengthBytes = 1; lengthBytes < frame.length; lengthBytes++) {
    if (lengthBytes === 10) continue;
    t.throws(() => decodeAnswer(frame.subarray(0, lengthBytes)), { code: 'decode.truncated' });
  }
});

t.test('radio frames: nothing but a place in a program comes through as the place of a bug', async (t) => {
  for (const text of ['4c:01:02:03:04:05', 'Marie’s phone', 'x.ts:1\n', 'x'.repeat(80)]) {
    const frame = bodyOf(encodeAnswer({ type: 'fault', fault: 'device.failed', bugAt: text }));
    t.throws(() => decodeAnswer(frame), { code: 'decode.malformed' });
  }
});

t.test('FrameReader: the same frames however the stream is cut', async (t) => {
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (answers, cuts) => {
      const stream = Buffer.concat(answers.map(encodeAnswer));
      const reader = new FrameReader();
      const found: Uint8Array[] = [];
      for (let offset = 0, cut = 0; offset < stream.length; cut++) {
        const lengthBytes = cuts[cut % cuts.length] ?? 1;
        found.push(...reader.push(stream.subarray(offset, offset + lengthBytes)));
        offset += lengthBytes;
      }
      t.strictSame(
        found.map((frame) => Buffer.from(frame).toString('hex')),
        answers.map((given) => Buffer.from(bodyOf(encodeAnswer(given))).toString('hex')),
      );
    }),
    { numRuns: 50 },
  );
});

t.test('FrameReader: an empty frame and one above the bound are refused', async (t) => {
  t.throws(() => new FrameReader().push(Uint8Array.of(0, 0, 1)), { code: 'decode.truncated' });
  const tooLong = MOST_FRAME_BYTES + 1;
  t.throws(() => new FrameReader().push(Uint8Array.of(tooLong & 0xff, tooLong >> 8, 1)), { code: 'decode.overlong' });
});
