/** A full disk, and days on it that are past their time. Run by disks.test.ts. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FEW_AT_ONCE, pruneSome } from '../../gateway/prune.ts';
import { Reserve } from '../../gateway/reserve.ts';
import { openTestIngest } from '../support/test-ingest.ts';
import { checkIn } from '../support/test-kiosk.ts';
import { mountableRoot, SmallDisk } from './small-disk.ts';

const DAY_MS = 86_400_000;
const RETENTION_DAYS = 21;

t.test('faults: a gateway whose disk is full still drops the days that are past their time, and takes rows again', async (t) => {
  const directory = join(mountableRoot(t), 'gateway');
  const disk = new SmallDisk(t, directory);
  const at = join(directory, 'data');
  mkdirSync(at);
  const { take, kiosk, clock, db, ledger } = await openTestIngest({ testdir: () => at, teardown: (run) => t.teardown(run) });
  const reserve = new Reserve(join(at, 'reserve'));
  t.ok(reserve.hold());
  const start = await kiosk.start();
  const send = () => take(start.batch(Array.from({ length: 64 }, () => start.seal(checkIn()))));
  for (let day = 0; day < 3; day++) {
    for (let batch = 0; batch < 20; batch++) await send();
    clock.stepWall(DAY_MS);
  }
  clock.stepWall(RETENTION_DAYS * DAY_MS);
  const segments = () => readdirSync(join(at, 'ledger')).filter((name) => name.endsWith('.db'));
  t.equal(segments().length, 3);
  disk.fill();
  const prune = () => pruneSome(db, ledger, RETENTION_DAYS, clock.wall());
  t.throws(prune, { code: 'store.disk_full' }, 'alone it can not');
  const pruned = reserve.lendTo(() => prune());
  t.match(pruned, { entries: 60 });
  t.strictSame(segments(), ['00000004.db'], 'what comes next begins a day');
  t.ok(reserve.hold(), 'the reserve is made again from what it freed');
  t.equal(await send(), 'acknowledge');
  disk.fill();
  t.ok(reserve.isHeld && new Reserve(join(at, 'reserve')).hold(), 'and is there at the next time');
});

t.test('faults: what a step writes on a full disk fits the reserve, with the longest messages there are', async (t) => {
  const directory = join(mountableRoot(t), 'gateway');
  const disk = new SmallDisk(t, directory);
  const at = join(directory, 'data');
  mkdirSync(at);
  const { take, clock, db, ledger, count } = await openTestIngest({ testdir: () => at, teardown: (run) => t.teardown(run) });
  const reserve = new Reserve(join(at, 'reserve'));
  reserve.hold();
  for (let n = 0; n < 2 * FEW_AT_ONCE; n++) await take(new Uint8Array(65_000).fill(n));
  t.equal(count('quarantine'), 2 * FEW_AT_ONCE);
  clock.stepWall((RETENTION_DAYS + 1) * DAY_MS);
  disk.fill();
  const step = () => reserve.lendTo((isScant) => pruneSome(db, ledger, RETENTION_DAYS, clock.wall(), isScant ? FEW_AT_ONCE : undefined));
  t.match(step(), { quarantined: FEW_AT_ONCE });
  t.equal(count('quarantine'), FEW_AT_ONCE);
});

t.test('faults: a disk without room for the reserve is told of, and keeps nothing of it', async (t) => {
  const directory = join(mountableRoot(t), 'gateway');
  const disk = new SmallDisk(t, directory);
  disk.fill();
  const reserve = new Reserve(join(directory, 'reserve'));
  t.notOk(reserve.hold());
  t.notOk(readdirSync(directory).includes('reserve'));
  disk.empty();
  t.ok(reserve.hold());
});
