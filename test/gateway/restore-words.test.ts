/** What operators are told of a restore, and of the second place of the log of revocations. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { setSecondPlace } from '../../gateway/backup/revocation-file.ts';
import { SecondPlace } from '../../gateway/backup/second-place.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { placeTroubles, restoreTroubles } from '../../gateway/web/restore-words.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { ManualClock } from '../support/manual-clock.ts';

const words = (code: string) => ({ code, meaning: 'the disk is full.', advice: '' });
const restored = { backupAtMs: 1, restoredAtMs: 2, kiosks: 9, sentAgain: 3 };

t.test('restore: how many have sent again is told until all have', async (t) => {
  t.strictSame(restoreTroubles(undefined), []);
  t.match(restoreTroubles(restored), [{ tone: 'look', sinceMs: 2, text: /3 of 9 kiosks have/ }]);
  t.strictSame(restoreTroubles({ ...restored, sentAgain: 9 }), []);
});

t.test('second place: one that is behind is told after a minute, and needs somebody after an hour', async (t) => {
  const stale = { staleSinceMs: 0 as EpochMillis, code: 'store.disk_full' as const };
  t.strictSame(placeTroubles(undefined, words, 1e9), []);
  t.strictSame(placeTroubles({ staleSinceMs: undefined, code: undefined }, words, 1e9), []);
  t.strictSame(placeTroubles(stale, words, 59_999), []);
  t.match(placeTroubles(stale, words, 60_000), [{ tone: 'look', code: 'store.disk_full', text: /the disk is full/ }]);
  t.match(placeTroubles(stale, words, 3_600_000), [{ tone: 'act' }]);
  t.match(placeTroubles({ ...stale, code: undefined }, words, 60_000), [{ text: /does not answer/ }]);
});

t.test('second place: it is stale from the first copy that fails to the one that does not', async (t) => {
  const directory = t.testdir();
  const gateway = join(directory, 'gateway');
  const { storeKey } = await openIdentity(gateway);
  const clock = new ManualClock();
  const second = new SecondPlace(gateway, storeKey, clock);
  t.teardown(() => second.close());
  await second.look();
  t.equal(second.state, undefined, 'none was named');
  const place = join(directory, 'place');
  writeFileSync(place, 'a file is no directory');
  setSecondPlace(gateway, join(place, 'within'));
  const staleSinceMs = clock.wall();
  await t.rejects(second.look(), { code: /^store\./ });
  await clock.advance(5_000);
  await t.rejects(second.look());
  t.match(second.state, { staleSinceMs, code: /^store\./ });
  mkdirSync(join(directory, 'other'));
  setSecondPlace(gateway, join(directory, 'other'));
  await second.look();
  t.strictSame(second.state, { staleSinceMs: undefined, code: undefined });
});
