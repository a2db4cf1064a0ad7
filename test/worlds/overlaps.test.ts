/** Who overlapped, as an operator asks it: 50 small random towns, or 1,000 with `--full`. */
import t from 'tap';
import { compareTowns } from '../core/overlap-towns.ts';
import { Town } from '../core/town.ts';
import { memoryDirectory } from '../support/memory-directory.ts';
import { suiteSize } from '../support/suite-size.ts';

const { isFull, seed } = suiteSize();

t.test(`worlds: who overlapped is who does in a look at every pair of visits (seed ${seed})`, { timeout: 1_200_000 }, async (t) => {
  const numRuns = isFull ? 1_000 : 50;
  const town = new Town(memoryDirectory(t));
  t.teardown(() => town.close());
  const contacts = compareTowns(town, { numRuns, seed });
  t.ok(contacts > numRuns * 3, `${contacts} contacts were compared`);
});
