import { randomBytes } from 'node:crypto';
import t from 'tap';
import { CardNames } from '../../../gateway/doubts/card-names.ts';
import type { VisitorUuid } from '../../../protocol/ids.ts';

const card = () => new Uint8Array(randomBytes(16)) as VisitorUuid;

t.test(
  'card names: one for each card, the same whenever and beside whatever others it comes, and another in another process',
  async (t) => {
    const cards = Array.from({ length: 64 }, card);
    const names = new CardNames();
    const all = names.of(cards);
    t.strictSame(
      cards.map((one) => names.of([one])[0]),
      all,
    );
    t.equal(new Set(all.map(({ high, low }) => `${high} ${low}`)).size, cards.length);
    t.notSame(new CardNames().of(cards), all);
    t.strictSame(names.of([]), []);
  },
);
