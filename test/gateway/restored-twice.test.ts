/** Two restores of one backup, the first of which was started. */
import { chmodSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { markRestored } from '../../gateway/backup/mark-restored.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { ManualClock } from '../support/manual-clock.ts';

const HOUR_MS = 3_600_000;

t.test('restore: the second of one backup gives out no position that the first may have given a sink elsewhere', async (t) => {
  const dir = t.testdir();
  const { storeKey } = await openIdentity(join(dir, 'first'));
  cpSync(join(dir, 'first'), join(dir, 'second'), { recursive: true });
  for (const own of ['second', 'second/keys']) chmodSync(join(dir, own), 0o700);
  const clock = new ManualClock();
  const backupAtMs = clock.wall();
  const skippedTo = async (name: string): Promise<number> => {
    await markRestored(join(dir, name), { backupAtMs, revocations: undefined, clock });
    const registry = new Registry(gatewayPaths(join(dir, name)).registry, storeKey);
    t.teardown(() => registry.close());
    return registry.restoreBook.newest()?.skipTo ?? 0;
  };
  const first = await skippedTo('first');
  await clock.advance(HOUR_MS);
  // As many batches as no gateway takes in the hour between: 69,444 a second.
  t.ok((await skippedTo('second')) - first > (HOUR_MS / 1_000) * 69_444);
});
