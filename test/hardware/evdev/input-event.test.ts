import t from 'tap';
import { codesOf, encodeInputEvents, INPUT_EVENT_BYTES, type InputEvent, InputEventFramer } from '../../../hardware/evdev/input-event.ts';
import fc from '../../support/properties.ts';

const SEED = Number(process.env.SEED ?? 20261122);

/** What Linux 6.1 gave for QEMU's USB keyboard, its A pressed and released; read by the addon in an emulated machine. */
const SEEN = [
  '1c4e026b000000009e380b00000000000400040004000700',
  '1c4e026b000000009e380b000000000001001e0001000000',
  '1c4e026b000000009e380b00000000000000000000000000',
  '1c4e026b0000000054570b00000000000400040004000700',
  '1c4e026b0000000054570b000000000001001e0000000000',
  '1c4e026b0000000054570b00000000000000000000000000',
].join('');

t.test('input events: what a kernel gave for one key', async (t) => {
  t.strictSame(new InputEventFramer().push(Buffer.from(SEEN, 'hex')), [
    { type: 4, code: 4, value: 0x70004 },
    { type: 1, code: 30, value: 1 },
    { type: 0, code: 0, value: 0 },
    { type: 4, code: 4, value: 0x70004 },
    { type: 1, code: 30, value: 0 },
    { type: 0, code: 0, value: 0 },
  ]);
});

const event: fc.Arbitrary<InputEvent> = fc.record(
  {
    type: fc.integer({ min: 0, max: 0xffff }),
    code: fc.integer({ min: 0, max: 0xffff }),
    value: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
  },
  { noNullPrototype: true },
);

t.test('input events: every one comes out once and in order, however the bytes are cut', async (t) => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 30 }), (events, places) => {
      const bytes = encodeInputEvents(events);
      const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const framer = new InputEventFramer();
      t.strictSame(
        cuts.slice(1).flatMap((end, at) => framer.push(bytes.subarray(cuts[at], end))),
        events,
      );
    }),
    { seed: SEED, numRuns: 300 },
  );
});

t.test('input events: less than a whole one gives nothing', async (t) => {
  const bytes = encodeInputEvents([{ type: 1, code: 30, value: 1 }]);
  for (let length = 0; length < INPUT_EVENT_BYTES; length++) t.strictSame(new InputEventFramer().push(bytes.subarray(0, length)), []);
});

t.test('input events: what was handed in may change afterwards', async (t) => {
  const bytes = Buffer.from(encodeInputEvents([{ type: 1, code: 30, value: 1 }]));
  const framer = new InputEventFramer();
  framer.push(bytes.subarray(0, 20));
  const rest = Buffer.from(bytes.subarray(20));
  bytes.fill(0xff);
  t.strictSame(framer.push(rest), [{ type: 1, code: 30, value: 1 }]);
});

t.test('input events: a bitmap’s codes', async (t) => {
  const bits = new Uint8Array(96);
  bits[0] = 0b1000_0010;
  bits[5] = 0b0000_0100;
  t.strictSame(codesOf(bits), [1, 7, 42]);
  t.strictSame(codesOf(new Uint8Array(96)), []);
});
