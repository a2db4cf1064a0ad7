/** A share of the worlds, so that two processes can each take one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Town } from '../core/town.ts';
import { anyWorld, type Compared, compareWorld, keepWorld, place } from '../core/worlds.ts';
import { memoryDirectory } from '../support/memory-directory.ts';
import fc from '../support/properties.ts';
import { suiteSize } from '../support/suite-size.ts';

/** Share files, some of them laid into columns at odd moments. More make each look slower, fewer cost more files. */
const WORLDS_A_TOWN = 25;

/** @param nth which share, 0 or more. @param of how many there are. */
export function compareWorlds(nth: number, of: number): void {
  const { isFull, seed: givenSeed } = suiteSize();
  const seed = givenSeed + nth;
  const numRuns = (isFull ? 10_000 : 150) / of;
  t.test(
    `worlds: what the core finds is what the definitions say (share ${nth + 1} of ${of}, seed ${givenSeed})`,
    { timeout: 7_200_000 },
    async (t) => {
      const compared: Compared = { 'high 1': 0, 'medium 1': 0, 'medium 2': 0, clusters: 0 };
      const parent = memoryDirectory(t);
      let worlds = 0;
      let town: { readonly town: Town; readonly dir: string } | undefined;
      const leave = (): void => {
        town?.town.close();
        if (town !== undefined) rmSync(town.dir, { recursive: true, force: true });
        town = undefined;
      };
      t.teardown(leave);
      const began = performance.now();
      await fc.assert(
        fc.asyncProperty(anyWorld, async (world) => {
          if (worlds % WORLDS_A_TOWN === 0) leave();
          if (town === undefined) {
            const dir = mkdtempSync(join(parent, 'town-'));
            town = { dir, town: new Town(dir, { mostOpen: 64 }) };
          }
          worlds += 1;
          const placed = place(world, worlds);
          await keepWorld(town.town, world, placed);
          await compareWorld(town.town, placed, compared);
        }),
        { numRuns, seed },
      );
      t.comment(JSON.stringify({ worlds, seconds: Math.round((performance.now() - began) / 1_000), ...compared }));
      for (const [kind, count] of Object.entries(compared)) t.ok(count > numRuns / 2, `${kind}: ${count} were compared`);
    },
  );
}
