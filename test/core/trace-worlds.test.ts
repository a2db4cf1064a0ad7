import fc from 'fast-check';
import t from 'tap';
import { Town } from './town.ts';
import { anyWorld, type Compared, compareWorld, keepWorld, place } from './worlds.ts';

t.test('traces: in any small world, what the core finds is what the definitions say', async (t) => {
  const town = new Town(t.testdir());
  t.teardown(() => town.close());
  const compared: Compared = { 'high 1': 0, 'medium 1': 0, 'medium 2': 0, clusters: 0 };
  let nth = 0;
  await fc.assert(
    fc.asyncProperty(anyWorld, async (world) => {
      nth += 1;
      const placed = place(world, nth);
      await keepWorld(town, world, placed);
      await compareWorld(town, placed, compared);
    }),
    { numRuns: 60 },
  );
  for (const [kind, count] of Object.entries(compared)) t.ok(count > 30, `${kind}: ${count} were compared`);
});
