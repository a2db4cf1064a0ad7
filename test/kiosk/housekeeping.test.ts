import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BUILT_AT_MS, ClockWatch } from '../../kiosk/clock-state.ts';
import { keepHouse } from '../../kiosk/housekeeping.ts';
import { Outbox } from '../../kiosk/outbox.ts';
import { StoreError } from '../../protocol/errors.ts';
import type { BootId, KeyId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { LIMITS } from './fixtures.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function keeping(dir: string, retentionMs = LIMITS.retentionMs) {
  const clock = new ManualClock();
  const watch = new ClockWatch({ clock, bootId: new Uint8Array(16) as BootId, isSynced: () => true, builtAtMs: BUILT_AT_MS });
  const outbox = new Outbox(join(dir, 'outbox.db'), { ...LIMITS, retentionMs }, clock.monotonic());
  const key = outbox.keepKey(new Uint8Array(8) as KeyId, new Uint8Array(100));
  const append = () => outbox.append(key, () => new Uint8Array(100), { wallMs: clock.wall(), monotonicMs: clock.monotonic() });
  const steps: number[] = [];
  const failures: string[] = [];
  const stopping = new AbortController();
  const running = keepHouse(
    {
      dir,
      retentionMs,
      clock,
      watch,
      log: silentLog,
      outbox: () => outbox,
      onStep: (byMs) => steps.push(byMs),
      onStoreFailed: ({ code }) => failures.push(code),
    },
    stopping.signal,
  );
  const stop = async () => {
    stopping.abort();
    await running;
    outbox.close();
  };
  return { clock, outbox, append, steps, failures, stop };
}

t.test('keepHouse: a clock that was a year behind and is set right does not age what was appended before', async (t) => {
  const { clock, outbox, append, steps, stop } = keeping(t.testdir());
  append();
  clock.stepWall(365 * DAY_MS);
  await clock.advance(10_000);
  t.strictSame(steps, [365 * DAY_MS]);
  append();
  await clock.advance(25 * HOUR_MS);
  t.equal(outbox.queued, 2);
  t.equal(outbox.droppedUnsent, 0);
  await stop();
});

t.test('keepHouse: a clock that jumps a year ahead drops nothing before it has stayed there for a day', async (t) => {
  const { clock, outbox, append, stop } = keeping(t.testdir());
  await clock.advance(25 * HOUR_MS);
  append();
  clock.stepWall(365 * DAY_MS);
  await clock.advance(HOUR_MS);
  clock.stepWall(-365 * DAY_MS);
  await clock.advance(25 * HOUR_MS);
  t.equal(outbox.queued, 1);
  await stop();
});

t.test('keepHouse: what is past retention goes, damaged files set aside among it, and the time is written down hourly', async (t) => {
  const dir = t.testdir();
  const { clock, outbox, append, stop } = keeping(dir, 30 * HOUR_MS);
  writeFileSync(join(dir, `outbox.damaged-${clock.wall() - HOUR_MS}-1.db`), 'x');
  append();
  await clock.advance(10_000);
  t.equal(outbox.knownWallMs, clock.wall());
  const first = outbox.knownWallMs;
  await clock.advance(50 * 60_000);
  t.equal(outbox.knownWallMs, first, 'at most hourly');
  await clock.advance(28 * HOUR_MS);
  t.equal(outbox.queued, 1);
  await clock.advance(2 * HOUR_MS);
  t.equal(outbox.queued, 0);
  t.equal(outbox.droppedUnsent, 1);
  t.throws(() => writeFileSync(join(dir, `outbox.damaged-${first - 10_000 - HOUR_MS}-1.db`), 'x', { flag: 'r+' }), { code: 'ENOENT' });
  await stop();
});

t.test('keepHouse: a store that fails is told of, and kept house for again', async (t) => {
  const { clock, outbox, append, failures, stop } = keeping(t.testdir(), HOUR_MS);
  const works = outbox.prune.bind(outbox);
  outbox.prune = () => {
    throw new StoreError('store.failed', 'test');
  };
  append();
  await clock.advance(60_000);
  t.strictSame(failures, ['store.failed']);
  outbox.prune = works;
  await clock.advance(2 * HOUR_MS);
  t.equal(outbox.queued, 0);
  await stop();
});
