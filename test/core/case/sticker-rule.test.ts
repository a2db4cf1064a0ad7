import t from 'tap';
import { judgeSticker } from '../../../core/case/sticker-rule.ts';
import { RESULTS } from '../../../protocol/event.ts';
import fc from '../../support/properties.ts';

const LIFE = 14;
const at = fc.integer({ min: 0, max: 30 });
const links = fc.array(fc.record({ card: fc.constantFrom('a', 'b', 'c'), atMs: at }), { maxLength: 4 });
const results = fc.array(fc.record({ result: fc.constantFrom(...RESULTS), atMs: at }), { maxLength: 4 });

t.test('sticker rule: order and repetition change nothing', async () => {
  const shuffledTwice = <T>(all: readonly T[]) =>
    fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length, maxLength: 2 * all.length });
  fc.assert(
    fc.property(
      links.chain((all) => fc.tuple(fc.constant(all), shuffledTwice(all))),
      results.chain((all) => fc.tuple(fc.constant(all), shuffledTwice(all))),
      ([someLinks, otherLinks], [someResults, otherResults]) => {
        const one = judgeSticker(someLinks, someResults, LIFE);
        const other = judgeSticker(otherLinks, otherResults, LIFE);
        return JSON.stringify(one) === JSON.stringify(other);
      },
    ),
    { numRuns: 2_000 },
  );
});

t.test('sticker rule: void outweighs all, a result needs its time, and who is not first changes no link', async () => {
  fc.assert(
    fc.property(
      links,
      results,
      fc.record({ card: fc.constantFrom('a', 'b'), atMs: fc.integer({ min: 31, max: 40 }) }),
      (all, said, late) => {
        const { state, link, result } = judgeSticker(all, said, LIFE);
        const isVoid = said.some((one) => one.result === 'void');
        if (isVoid !== (state === 'void')) return false;
        if (result !== undefined && link !== undefined && result.atMs > link.atMs + LIFE) return false;
        if (link !== undefined && all.some(({ atMs }) => atMs < link.atMs)) return false;
        return all.length === 0 || judgeSticker([...all, late], said, LIFE).link?.card === link?.card;
      },
    ),
    { numRuns: 2_000 },
  );
});

t.test('sticker rule: a conflict is told, and what was first stands', async (t) => {
  const twoCards = judgeSticker(
    [
      { card: 'b', atMs: 2 },
      { card: 'a', atMs: 1 },
    ],
    [{ result: 'positive', atMs: 3 }],
    LIFE,
  );
  t.match(twoCards, { state: 'positive', link: { card: 'a' }, isConflicting: true });
  const twoWords = judgeSticker(
    [{ card: 'a', atMs: 1 }],
    [
      { result: 'negative', atMs: 3 },
      { result: 'positive', atMs: 2 },
    ],
    LIFE,
  );
  t.match(twoWords, { state: 'positive', isConflicting: true });
  t.match(judgeSticker([{ card: 'a', atMs: 1 }], [{ result: 'positive', atMs: 16 }], LIFE), { state: 'expired', isConflicting: false });
  t.match(judgeSticker([], [{ result: 'positive', atMs: 16 }], LIFE), { state: 'positive', link: undefined });
  t.match(judgeSticker([], [], LIFE), { state: 'unused' });
  t.match(
    judgeSticker(
      [
        { card: 'a', atMs: 1 },
        { card: 'a', atMs: 9 },
      ],
      [],
      LIFE,
    ),
    { state: 'linked', isConflicting: false },
  );
});
