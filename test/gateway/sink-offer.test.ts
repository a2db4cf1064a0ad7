import t from 'tap';
import { MOST_REFUSED_IN_A_ROW, Offerer } from '../../gateway/sinks/offer.ts';
import { SinkError } from '../../protocol/errors.ts';
import type { LedgerEntry } from '../../protocol/ledger-entry.ts';
import fc from '../support/properties.ts';
import { outcomeOfPromise } from '../support/wire.ts';

const entries = (count: number): LedgerEntry[] =>
  Array.from({ length: count }, (_, i) => ({ kind: 'doubt', position: i + 1 }) as LedgerEntry);

/** A sink that takes a batch whole or not at all. */
function opened(bad: ReadonlySet<number>, isNaming: boolean) {
  const taken: number[] = [];
  const aside: number[] = [];
  const passed: number[] = [];
  let offers = 0;
  const offerer = new Offerer({
    name: 'far',
    intake: {
      accept: (some) => {
        offers += 1;
        const wrong = some.find(({ position }) => bad.has(position));
        if (wrong === undefined) taken.push(...some.map(({ position }) => position));
        else return Promise.reject(new SinkError('sink.entry_refused', 'no', isNaming ? { position: wrong.position } : {}));
        return Promise.resolve();
      },
      taken: () => Promise.resolve(undefined),
    },
    setAside: ({ position }) => aside.push(position),
    onPassed: (position) => passed.push(position),
  });
  return { offerer, taken, aside, passed, offers: () => offers };
}

t.test('offer: whatever entries are poison, they alone are set aside, and all others are taken once and in order', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 256 }),
      fc.uniqueArray(fc.integer({ min: 1, max: 256 }), { maxLength: 15 }),
      fc.boolean(),
      async (count, some, isNaming) => {
        const bad = new Set(some.filter((position) => position <= count));
        const { offerer, taken, aside, passed, offers } = opened(bad, isNaming);
        await offerer.offer(entries(count));
        const all = entries(count).map(({ position }) => position);
        t.strictSame(
          taken,
          all.filter((position) => !bad.has(position)),
        );
        t.strictSame(
          aside,
          all.filter((position) => bad.has(position)),
        );
        t.strictSame(
          passed,
          passed.toSorted((a, b) => a - b),
          'the cursor only goes forward',
        );
        t.equal(passed.at(-1), count);
        t.ok(offers() <= 1 + bad.size * 2 * Math.ceil(Math.log2(count) + 1), `${offers()} offers for ${bad.size} of ${count}`);
      },
    ),
    { numRuns: 60 },
  );
});

t.test('offer: a sink that refuses everything is at fault itself: the cursor stays behind the last that was set aside', async (t) => {
  const bad = new Set(entries(200).map(({ position }) => position));
  const { offerer, taken, aside, passed } = opened(bad, false);
  t.equal(await outcomeOfPromise(() => offerer.offer(entries(100))), 'sink.refuses_all');
  t.equal(aside.length, MOST_REFUSED_IN_A_ROW);
  t.equal(passed.at(-1), MOST_REFUSED_IN_A_ROW);
  const rest = entries(100).slice(MOST_REFUSED_IN_A_ROW);
  t.equal(await outcomeOfPromise(() => offerer.offer(rest)), 'sink.refuses_all');
  t.equal(aside.length, MOST_REFUSED_IN_A_ROW, 'and nothing more is');
  bad.clear();
  await offerer.offer(rest);
  t.strictSame(
    taken,
    rest.map(({ position }) => position),
  );
});

t.test('offer: what a sink says of itself is passed on, and what was taken until then is passed', async (t) => {
  let left = 2;
  const passed: number[] = [];
  const offerer = new Offerer({
    name: 'far',
    intake: {
      accept: (some) => {
        if (some.length > 2) return Promise.reject(new SinkError('sink.too_large', 'less'));
        left -= 1;
        return left < 0 ? Promise.reject(new SinkError('sink.lost', 'gone')) : Promise.resolve();
      },
      taken: () => Promise.resolve(undefined),
    },
    setAside: () => t.fail('none is wrong'),
    onPassed: (position) => passed.push(position),
  });
  t.equal(await outcomeOfPromise(() => offerer.offer(entries(8))), 'sink.lost');
  t.strictSame(passed, [2, 4]);
});

t.test('offer: one that is too large by itself is set aside as that', async (t) => {
  const aside: string[] = [];
  const offerer = new Offerer({
    name: 'far',
    intake: {
      accept: (some) =>
        some.some(({ position }) => position === 2) ? Promise.reject(new SinkError('sink.too_large', 'less')) : Promise.resolve(),
      taken: () => Promise.resolve(undefined),
    },
    setAside: ({ position }, reason) => aside.push(`${position} ${reason}`),
    onPassed: () => {},
  });
  await offerer.offer(entries(3));
  t.strictSame(aside, ['2 sink.too_large']);
});
