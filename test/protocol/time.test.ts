import t from 'tap';
import { bootClock, systemClock } from '../../protocol/time.ts';

t.test('bootClock: counts what a suspended machine slept, and takes no coarseness for sleep', async (t) => {
  let runningMs = 60_000;
  let uptimeMs = 60_003;
  const now = bootClock(
    () => runningMs,
    () => uptimeMs,
  );
  t.equal(now(), 60_000);
  runningMs += 1_000;
  uptimeMs += 1_009;
  t.equal(now(), 61_000);
  uptimeMs += 15 * 3_600_000;
  t.equal(now(), 61_012 + 15 * 3_600_000, 'a night with the lid closed');
  uptimeMs -= 20;
  t.equal(now(), 61_012 + 15 * 3_600_000, 'and it does not step back');
  runningMs += 500;
  uptimeMs += 520;
  t.equal(now(), 61_512 + 15 * 3_600_000);
});

t.test('bootClock: does not ask for the uptime while the wall clock goes along, and asks as soon as it does not', async (t) => {
  let runningMs = 60_000;
  let uptimeMs = 60_000;
  let wallMs = 1e12;
  let asked = 0;
  const now = bootClock(
    () => runningMs,
    () => {
      asked += 1;
      return uptimeMs;
    },
    () => wallMs,
  );
  const pass = (ms: number) => {
    runningMs += ms;
    uptimeMs += ms;
    wallMs += ms;
  };
  for (let i = 0; i < 100; i++) {
    t.equal(now(), runningMs);
    pass(9);
  }
  t.equal(asked, 1);
  uptimeMs += 3_600_000;
  wallMs += 3_600_000;
  t.equal(now(), runningMs + 3_600_000, 'at once after a sleep');
  wallMs -= 86_400_000;
  pass(1);
  t.equal(now(), runningMs + 3_600_000, 'a clock that is set is no sleep');
  pass(1_000);
  uptimeMs += 2_000;
  t.equal(now(), runningMs + 3_602_000, 'now and then in any case');
});

t.test('bootClock: where a container counts from its own start, that is not asked', async (t) => {
  const now = bootClock(
    () => 9_000_000,
    () => 5_000,
  );
  t.equal(now(), 9_000_000);
});

t.test('systemClock: monotonic time is whole milliseconds and goes on', async (t) => {
  const before = systemClock.monotonic();
  await systemClock.sleep(2, new AbortController().signal);
  const after = systemClock.monotonic();
  t.ok(Number.isSafeInteger(before) && after > before);
});
