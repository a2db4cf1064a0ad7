import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { checkMarks, isLost, lostDigestOf, MOST_LOST_CARDS, makeLostCardFilter } from '../../protocol/lost-card.ts';
import { MARK_BYTES } from '../../protocol/marks.ts';
import fc from '../support/properties.ts';
import { bytesOf, hexOf, outcomeOf, readWireVectors } from '../support/wire.ts';

const { lost, notLost, filterKey, marks } = readWireVectors('policy.json');
const newCard = () => new Uint8Array(randomBytes(16)) as VisitorUuid;
const anyCard = fc.uint8Array({ minLength: 16, maxLength: 16 }) as fc.Arbitrary<VisitorUuid>;

t.test('lost cards: the filter is made as the vector says, in whatever order the cards come', (t) => {
  const digests: Uint8Array[] = lost.map(({ card }: { card: VisitorUuid }) => lostDigestOf(card));
  t.strictSame(
    digests.map(hexOf),
    lost.map(({ digest }: { digest: string }) => digest),
  );
  for (const order of [digests, digests.toReversed(), [...digests, ...digests]]) {
    const filter = makeLostCardFilter(order, bytesOf(filterKey));
    t.equal(hexOf(filter.marks), marks);
    for (const { card } of lost) t.ok(isLost(card, filter));
    for (const card of notLost) t.notOk(isLost(card, filter));
  }
  t.end();
});

t.test('lost cards: every lost card is found, and no other', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(anyCard, { maxLength: 12, comparator: (a, b) => Buffer.compare(a, b) === 0 }),
      anyCard,
      (cards, stranger) => {
        const filter = makeLostCardFilter(cards.map(lostDigestOf), randomBytes(32));
        checkMarks(filter.marks);
        t.ok(cards.every((card) => isLost(card, filter)));
        if (!cards.some((card) => Buffer.compare(card, stranger) === 0)) t.notOk(isLost(stranger, filter));
      },
    ),
  );
  t.end();
});

t.test('lost cards: of 5,000 strange cards the longest list takes none for lost, and its marks could not take one in a million', (t) => {
  const filter = makeLostCardFilter(
    Array.from({ length: MOST_LOST_CARDS }, () => lostDigestOf(newCard())),
    randomBytes(32),
  );
  t.equal(filter.marks.length, MOST_LOST_CARDS * MARK_BYTES);
  let taken = 0;
  for (let tried = 0; tried < 5_000; tried++) if (isLost(newCard(), filter)) taken += 1;
  t.equal(taken, 0);
  t.ok(MOST_LOST_CARDS / 2 ** (8 * MARK_BYTES) <= 1e-6);
  t.end();
});

t.test('lost cards: the filters of two kiosks have nothing in common, and none of a card', (t) => {
  const cards = Array.from({ length: 500 }, newCard);
  const digests = cards.map(lostDigestOf);
  const marksOf = () => {
    const { marks } = makeLostCardFilter(digests, randomBytes(32));
    return new Set(Array.from({ length: 500 }, (_, n) => hexOf(marks.subarray(n * MARK_BYTES, (n + 1) * MARK_BYTES))));
  };
  const [one, other] = [marksOf(), marksOf()];
  t.notOk([...one].some((mark) => other.has(mark)));
  const ofCards = new Set([...cards, ...digests].map((bytes) => hexOf(bytes.subarray(0, MARK_BYTES))));
  t.notOk([...one].some((mark) => ofCards.has(mark)));
  t.end();
});

t.test('lost cards: marks that are cut, out of order or twice there are refused', (t) => {
  const mark = (n: number) => [0, 0, 0, 0, n];
  for (const wrong of [[1], [...mark(1), 0], [...mark(2), ...mark(1)], [...mark(1), ...mark(1)]])
    t.equal(
      outcomeOf(() => checkMarks(Uint8Array.from(wrong))),
      'decode.malformed',
    );
  t.equal(checkMarks(new Uint8Array(0)).length, 0);
  t.end();
});
