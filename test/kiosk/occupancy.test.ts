import t from 'tap';
import type { Sighting } from '../../hardware/ble/advertisement.ts';
import { MOST_TOKENS, Occupancy, type OccupancyPolicy } from '../../kiosk/occupancy.ts';
import type { MonotonicMillis } from '../../protocol/units.ts';
import fc from '../support/properties.ts';

const POLICY: OccupancyPolicy = { slotMs: 900_000, leastTokens: 8, weakestDbm: -85, kinds: ['plain', 'exposure-notification'] };

const at = (ms: number) => ms as MonotonicMillis;

const sender = (number: number, rest: Partial<Sighting> = {}): Sighting => {
  const tokenInput = new Uint8Array(6);
  new DataView(tokenInput.buffer).setUint32(2, number);
  return { kind: 'plain', tokenInput, rssiDbm: -60, ...rest };
};

/** Keys that a test can tell apart. */
const keys = () => {
  let made = 0;
  return { newKey: () => new Uint8Array(32).fill(++made), made: () => made };
};

/** An occupancy that listens from 0 on. */
const listening = (policy: Partial<OccupancyPolicy> = {}) => {
  const { newKey, made } = keys();
  const occupancy = new Occupancy({ ...POLICY, ...policy }, newKey, at(0));
  occupancy.listen(at(0));
  return { occupancy, made };
};

const hear = (occupancy: Occupancy, sightings: readonly Sighting[]) => {
  for (const sighting of sightings) occupancy.hear(sighting);
};

t.test('Occupancy: a sender counts once a slot, however often and in whatever order it is heard', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 300 }), (numbers) => {
      const { occupancy } = listening({ leastTokens: 0 });
      for (const number of numbers) occupancy.hear(sender(number));
      return occupancy.end(at(900_000))?.tokens === new Set(numbers).size;
    }),
  );
  t.pass();
});

t.test('Occupancy: a count below the least is not told, the least is', async (t) => {
  const { occupancy } = listening();
  hear(
    occupancy,
    [1, 2, 3, 4, 5, 6, 7].map((number) => sender(number)),
  );
  t.strictSame(occupancy.end(at(900_000)), { slotMs: 900_000, tokens: undefined });
  hear(
    occupancy,
    [1, 2, 3, 4, 5, 6, 7, 8].map((number) => sender(number)),
  );
  t.strictSame(occupancy.end(at(1_800_000)), { slotMs: 900_000, tokens: 8 });
});

t.test('Occupancy: furniture and what is far away do not count; an unknown strength does', async (t) => {
  const { occupancy } = listening({ leastTokens: 0 });
  hear(occupancy, [
    sender(1, { kind: 'fixed' }),
    sender(2, { kind: 'ibeacon' }),
    sender(3, { rssiDbm: -86 }),
    sender(4, { rssiDbm: -85 }),
    sender(5, { rssiDbm: undefined }),
    sender(6, { kind: 'exposure-notification' }),
  ]);
  t.equal(occupancy.end(at(900_000))?.tokens, 3);
});

t.test('Occupancy: the same bytes of two kinds are two senders', async (t) => {
  const { occupancy } = listening({ leastTokens: 0 });
  hear(occupancy, [sender(1), sender(1, { kind: 'exposure-notification' })]);
  t.equal(occupancy.end(at(900_000))?.tokens, 2);
});

t.test('Occupancy: each slot has its own key', async (t) => {
  const { occupancy, made } = listening();
  t.equal(made(), 1);
  occupancy.end(at(900_000));
  occupancy.end(at(1_800_000));
  t.equal(made(), 3);
});

t.test('Occupancy: a slot is told once, when it is over, and none twice', async (t) => {
  const { occupancy } = listening();
  t.equal(occupancy.end(at(899_999)), undefined);
  t.ok(occupancy.end(at(900_000)));
  t.equal(occupancy.end(at(900_000)), undefined);
  t.equal(occupancy.endsMs, 1_800_000);
});

t.test('Occupancy: a slot is told when nine tenths of it were listened to, and not when less was', async (t) => {
  const told = (pausedMs: number) => {
    const { occupancy } = listening({ leastTokens: 0 });
    occupancy.pause(at(100_000));
    occupancy.listen(at(100_000 + pausedMs));
    return occupancy.end(at(900_000)) !== undefined;
  };
  t.ok(told(90_000));
  t.notOk(told(90_001));
});

t.test('Occupancy: what was listened to before a slot does not count for it', async (t) => {
  const { occupancy } = listening({ leastTokens: 0 });
  t.ok(occupancy.end(at(900_000)));
  occupancy.pause(at(1_000_000));
  t.equal(occupancy.end(at(1_800_000)), undefined);
  t.equal(occupancy.end(at(2_700_000)), undefined, 'nor does a slot that nobody listened to');
});

t.test('Occupancy: after a suspension the slots go on in step', async (t) => {
  const { occupancy } = listening();
  occupancy.end(at(900_000 * 3 + 5));
  t.equal(occupancy.endsMs, 900_000 * 4);
});

t.test('Occupancy: a flood of made-up senders is held to what an event can say', async (t) => {
  const { occupancy } = listening();
  for (let number = 0; number < MOST_TOKENS + 5_000; number++) occupancy.hear(sender(number));
  t.equal(occupancy.end(at(900_000))?.tokens, MOST_TOKENS);
  hear(
    occupancy,
    [1, 2, 3, 4, 5, 6, 7, 8].map((number) => sender(number)),
  );
  t.equal(occupancy.end(at(1_800_000))?.tokens, 8, 'and is forgotten with its slot');
});
