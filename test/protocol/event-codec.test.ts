import t from 'tap';
import { codeOf } from '../../protocol/errors.ts';
import type { VestibuleEvent } from '../../protocol/event.ts';
import { decodeEvent, encodeEvent, LONGEST_EVENT_BYTES } from '../../protocol/event-codec.ts';
import fc from '../support/properties.ts';
import { anyEvent, bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors, withoutUndefined } from '../support/wire.ts';

const { events, refused } = readWireVectors('event.json');

for (const { name, hex, event } of events) {
  t.test(`event: ${name} is written and read as the vector says, and refused when cut`, (t) => {
    t.equal(hexOf(encodeEvent(event)), hex);
    t.strictSame(withoutUndefined(decodeEvent(bytesOf(hex))), event);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => decodeEvent(prefix)) !== 'decode.truncated') t.fail(`taken or refused otherwise: ${prefix.length} bytes`);
    t.end();
  });
}

for (const { name, hex, error } of refused) {
  t.test(`event: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => decodeEvent(bytesOf(hex))),
      error,
    );
    t.end();
  });
}

t.test('event: the vectors hold every type', (t) => {
  const types = new Set(events.map(({ event }: { event: VestibuleEvent }) => event.type));
  t.equal(types.size, 10);
  t.end();
});

t.test('event: what is out of bounds is not written', (t) => {
  const [{ event }] = events;
  for (const wrong of [
    { groupSize: 0 },
    { groupSize: 1.5 },
    { groupSize: Number.NaN },
    { card: new Uint8Array(15) },
    { stamp: { ...event.stamp, clock: 'right' } },
    { stamp: { ...event.stamp, wallMs: -1 } },
  ])
    t.match(
      outcomeOf(() => encodeEvent({ ...event, ...wrong })),
      /^decode\./,
      Object.keys(wrong).join(),
    );
  t.end();
});

t.test('event: a refusal names the field and never its value', (t) => {
  const feverish = events.find(({ event }: { event: VestibuleEvent }) => event.type === 'temperature').event;
  try {
    encodeEvent({ ...feverish, estimate: 61_234 });
    t.fail('taken');
  } catch (error) {
    t.equal(codeOf(error), 'decode.out_of_range');
    t.notMatch(String(error), /61.?234/);
    t.match(String(error), /estimate/);
  }
  t.end();
});

t.test('event: every event comes back, is written one way, and is bounded', (t) => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const bytes = encodeEvent(event);
      t.strictSame(withoutUndefined(decodeEvent(bytes)), withoutUndefined(event));
      return bytes.length <= LONGEST_EVENT_BYTES / 2;
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('event: of arbitrary bytes, what is read is written again as it came, and the rest is refused by code', (t) => {
  const nearly = fc.tuple(anyEvent, fc.nat(), fc.nat(255)).map(([event, at, byte]) => {
    const bytes = encodeEvent(event);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), nearly), (bytes) => {
      const outcome = outcomeOf(() => {
        if (Buffer.compare(encodeEvent(decodeEvent(bytes)), bytes) !== 0) throw new Error('written otherwise');
      });
      return outcome === 'nothing thrown' || outcome.startsWith('decode.');
    }),
    { numRuns: 10_000 },
  );
  t.end();
});

t.test('event: any flipped bit gives another event or a refusal by code, never the same event', (t) => {
  for (const { hex } of events)
    for (const { flipped } of bitFlipsOf(bytesOf(hex))) {
      const outcome = outcomeOf(() => {
        if (hexOf(encodeEvent(decodeEvent(flipped))) === hex) throw new Error('the same event');
      });
      if (outcome !== 'nothing thrown' && !outcome.startsWith('decode.')) t.fail(outcome);
    }
  t.end();
});
