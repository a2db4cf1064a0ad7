/**
 * Small random worlds traced by the core and by the reference of docs/tracing.md: 150 of them, or 10,000 with `--full`. Each hundred shares its
 * files, some of them laid into columns at odd moments.
 */
import fc from 'fast-check';
import t from 'tap';
import { compareTowns } from '../core/overlap-towns.ts';
import { Town } from '../core/town.ts';
import { anyWorld, type Compared, compareWorld, keepWorld, place } from '../core/worlds.ts';
import { suiteSize } from '../support/suite-size.ts';

const { isFull, seed } = suiteSize();
const WORLDS_A_TOWN = 100;

t.test(`worlds: what the core finds is what the definitions say (seed ${seed})`, { timeout: 7_200_000 }, async (t) => {
  const compared: Compared = { 'high 1': 0, 'medium 1': 0, 'medium 2': 0, clusters: 0 };
  const numRuns = isFull ? 10_000 : 150;
  let nth = 0;
  let town: Town | undefined;
  t.teardown(() => town?.close());
  await fc.assert(
    fc.asyncProperty(anyWorld, async (world) => {
      if (town === undefined || nth % WORLDS_A_TOWN === 0) {
        town?.close();
        town = new Town(t.testdir(), { mostOpen: 64 });
      }
      nth += 1;
      const placed = place(world, nth);
      await keepWorld(town, world, placed);
      await compareWorld(town, placed, compared);
    }),
    { numRuns, seed },
  );
  t.comment(JSON.stringify({ worlds: nth, ...compared }));
  for (const [kind, count] of Object.entries(compared)) t.ok(count > numRuns / 2, `${kind}: ${count} were compared`);
});

t.test(`worlds: who overlapped is who does in a look at every pair of visits (seed ${seed})`, { timeout: 1_200_000 }, async (t) => {
  const numRuns = isFull ? 1_000 : 50;
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  const contacts = compareTowns(town, { numRuns, seed });
  t.ok(contacts > numRuns * 3, `${contacts} contacts were compared`);
});
