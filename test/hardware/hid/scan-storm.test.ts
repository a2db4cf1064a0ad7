import t from 'tap';
import { runScanStorm, type StormKind } from '../../support/scan-storm.ts';
import { suiteSize } from '../../support/suite-size.ts';

const { seed } = suiteSize();
const KINDS: readonly StormKind[] = ['hid-pos', 'hid-pos-newland', 'keyboard', 'keyboard-without-enter'];

for (const kind of KINDS) {
  t.test(`scan storm: every code of a scanner of kind ${kind} arrives once, and no part of one, whatever the plug does`, async (t) => {
    const { sent, got, unplugged, openings } = await runScanStorm({ kind, scans: 300, seed, dir: t.testdir() });
    t.strictSame(got, sent, `seed ${seed}`);
    t.equal(openings, unplugged + 1);
    t.comment(`${got.length} codes, unplugged ${unplugged} times`);
  });
}
