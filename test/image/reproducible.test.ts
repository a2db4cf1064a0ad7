/** The same sources and lockfiles give the same bytes, whoever builds. `npm run test:image`. */
import { readFileSync, rmSync } from 'node:fs';
import t from 'tap';
import { guestDirectory } from '../support/guest/guest.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { suiteSize } from '../support/suite-size.ts';
import { needBench, sharedImage, usableLock } from './built.ts';
import { buildElsewhere } from './elsewhere.ts';

t.setTimeout(1_800_000);

// A second build takes as long as all the rest.
const skip = suiteSize().isFull ? false : 'of the full size: npm run test:image -- --full';

t.test('image: built at another place, by another user, in another language and time zone, it has the same bytes', { skip }, async (t) => {
  await needBench();
  const lock = await usableLock((words) => t.comment(words));
  const directory = guestDirectory();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const [here, there] = await Promise.all([
    sharedImage((words) => t.comment(words)),
    buildElsewhere(directory, lock, (words) => t.comment(words)),
  ]);
  for (const [one, other] of [
    [here.parts.root, there.parts.root],
    [here.parts.boot, there.parts.boot],
    [here.card, there.card],
  ] as const)
    await t.resolves(runCommand('cmp', [one, other]), one);
  t.equal(readFileSync(there.sbom, 'utf8'), readFileSync(here.sbom, 'utf8'), 'what it is made of');
});
