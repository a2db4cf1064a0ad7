import t from 'tap';
import { BUILT_AT_MS, ClockWatch } from '../../kiosk/clock-state.ts';
import type { BootId } from '../../protocol/ids.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { mono, wall } from './fixtures.ts';

const bootId = new Uint8Array(16) as BootId;
const HOUR_MS = 3_600_000;

function watching(clock: ManualClock) {
  const os = { isSynced: false };
  const watch = new ClockWatch({ clock, bootId, isSynced: () => os.isSynced, builtAtMs: BUILT_AT_MS });
  return { watch, os };
}

t.test('ClockWatch: a clock before this software or before the last known time is unsynced, a later one assumed', async (t) => {
  t.equal(watching(new ManualClock(0)).watch.state, 'unsynced', 'a Pi that boots in 1970');
  const { watch } = watching(new ManualClock(BUILT_AT_MS + HOUR_MS));
  t.equal(watch.state, 'assumed');
  watch.learn(wall(BUILT_AT_MS + 2 * HOUR_MS));
  t.equal(watch.state, 'unsynced', 'it was later before');
});

t.test('ClockWatch: synced when the system says so, from the next look on', async (t) => {
  const { watch, os } = watching(new ManualClock(0));
  os.isSynced = true;
  t.equal(watch.state, 'unsynced');
  watch.look();
  t.equal(watch.state, 'synced');
});

t.test('ClockWatch: a time before this boot, as staff state it, is of no boot that is known, and keeps its wall time', async (t) => {
  const clock = new ManualClock();
  const thisBoot = new Uint8Array(16).fill(7) as BootId;
  const watch = new ClockWatch({ clock, bootId: thisBoot, isSynced: () => true, builtAtMs: BUILT_AT_MS });
  const wallMs = wall(clock.wall() - HOUR_MS);
  t.strictSame(watch.stamp({ wallMs, monotonicMs: mono(-1) }), { wallMs, monotonicMs: 0, bootId: new Uint8Array(16), clock: 'synced' });
  t.strictSame(watch.stamp({ wallMs, monotonicMs: mono(5) }), { wallMs, monotonicMs: 5, bootId: thisBoot, clock: 'synced' });
});

t.test('ClockWatch: a step of more than 2 s is seen once, either way; a slew is not', async (t) => {
  const clock = new ManualClock();
  const { watch } = watching(clock);
  await clock.advance(10_000);
  t.equal(watch.look(), 0);
  clock.stepWall(365 * 24 * HOUR_MS);
  t.equal(watch.look(), 365 * 24 * HOUR_MS);
  t.equal(watch.look(), 0);
  clock.stepWall(-3_000);
  t.equal(watch.look(), -3_000);
  for (let looks = 0; looks < 100; looks++) {
    clock.stepWall(5);
    t.equal(watch.look(), 0);
  }
});

t.test('ClockWatch: says how old something is only after a day of being synced without a step', async (t) => {
  const clock = new ManualClock();
  const { watch, os } = watching(clock);
  os.isSynced = true;
  watch.look();
  t.equal(watch.steadyWallMs, undefined);
  await clock.advance(24 * HOUR_MS);
  t.equal(watch.steadyWallMs, clock.wall());
  clock.stepWall(365 * 24 * HOUR_MS);
  watch.look();
  t.equal(watch.steadyWallMs, undefined);
  await clock.advance(24 * HOUR_MS);
  t.equal(watch.steadyWallMs, clock.wall());
});

t.test('ClockWatch: a stamp carries both times, the boot and how far to believe it', async (t) => {
  const clock = new ManualClock();
  const { watch } = watching(clock);
  const at = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
  t.strictSame(watch.stamp(at), { ...at, bootId, clock: 'assumed' });
});

t.test('ClockWatch: what the gateway told counts while the system does not know better, through steps of the wall clock', async (t) => {
  const clock = new ManualClock(0);
  const { watch, os } = watching(clock);
  const at = () => ({ wallMs: clock.wall(), monotonicMs: clock.monotonic() });
  const toldMs = wall(Date.UTC(2027, 0, 1));
  watch.tell({ wallMs: toldMs, atMs: clock.monotonic() });
  await clock.advance(HOUR_MS);
  clock.stepWall(5 * HOUR_MS);
  t.match(watch.stamp(at()), { wallMs: toldMs + HOUR_MS, clock: 'assumed' });
  t.equal(watch.clock.wall(), toldMs + HOUR_MS);
  t.equal(watch.steadyWallMs, undefined, 'it judges nothing that is lost for good');
  os.isSynced = true;
  watch.look();
  t.match(watch.stamp(at()), { wallMs: clock.wall(), clock: 'synced' });
});
