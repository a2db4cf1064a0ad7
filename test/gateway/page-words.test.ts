/** Lengths as the page says them. */
import t from 'tap';

interface Words {
  lasting(ms: number): string;
}

t.test('page words: what somebody chose is shown as it is, and not rounded down', async (t) => {
  const path: string = '../../gateway/web/page/words.js';
  const { lasting } = (await import(path)) as Words;
  t.strictSame([5_400_000, 7_200_000, 1_200_000, 0].map(lasting), ['1 h 30 min', '2 h', '20 min', '0 min']);
});
