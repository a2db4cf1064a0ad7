/** Who overlapped, as an operator asks it: 50 small random towns, or 1,000 with `--full`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { compareTowns } from '../core/overlap-towns.ts';
import { Town } from '../core/town.ts';
import { memoryDirectory } from '../support/memory-directory.ts';
import { suiteSize } from '../support/suite-size.ts';

const { isFull, seed } = suiteSize();
/** Share files: each look grows slower with what lies in them. */
const TOWNS_A_STORE = 50;
const STORES = isFull ? 20 : 1;

t.test(`worlds: who overlapped is who does in a look at every pair of visits (seed ${seed})`, { timeout: 1_200_000 }, async (t) => {
  const parent = memoryDirectory(t);
  let contacts = 0;
  for (let nth = 0; nth < STORES; nth++) {
    const dir = mkdtempSync(join(parent, 'town-'));
    const town = new Town(dir);
    try {
      contacts += await compareTowns(town, { numRuns: TOWNS_A_STORE, seed: seed + nth });
    } finally {
      town.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }
  t.ok(contacts > STORES * TOWNS_A_STORE * 3, `${contacts} contacts were compared`);
});
