/** Each fault is injected, shown, told of in the state and to systemd, mended where it can be, and over when it is over. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Health, reportOf } from '../../../kiosk/health.ts';
import { HUNG_MS, OutboxCheckpoints } from '../../../kiosk/outbox-checkpoint.ts';
import { statusWords } from '../../../kiosk/status-words.ts';
import { Notifier } from '../../../kiosk/systemd.ts';
import type { Delivery } from '../../../kiosk/test-event.ts';
import { FAULT_WORDS, FAULTS, type Fault, MENDS, wantsRestart } from '../../../kiosk/watchdog/faults.ts';
import { PROVE_EVERY_MS, type RoadLook } from '../../../kiosk/watchdog/road-watch.ts';
import { Watchdog } from '../../../kiosk/watchdog/watchdog.ts';
import { encodeKioskState } from '../../../protocol/kiosk-state.ts';
import { silentLog } from '../../../protocol/log.ts';
import type { MonotonicMillis } from '../../../protocol/units.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

function setUp(t: Test, clock = new ManualClock()) {
  const world = {
    road: { isOnline: true, queued: 0, settled: 0, oldestMs: 0 } as Omit<RoadLook, 'atMs'>,
    isClockWrong: false,
    freeBytes: 10 ** 9,
    redials: 0,
    reopens: 0,
    proofs: 0,
    changes: 0,
    delivery: { outcome: 'delivered', tookMs: 1 } as Delivery,
  };
  const dog = new Watchdog({
    dir: '/nowhere',
    clock,
    log: silentLog,
    road: () => world.road,
    isClockWrong: () => world.isClockWrong,
    redial: () => world.redials++,
    reopenScanners: () => world.reopens++,
    deliver: async () => {
      world.proofs++;
      return world.delivery;
    },
    onChange: () => world.changes++,
    freeBytes: () => world.freeBytes,
  });
  const stopping = new AbortController();
  const running = dog.run(stopping.signal);
  t.teardown(async () => {
    stopping.abort();
    await running;
  });
  /** The kiosk's health, and what comes of it for each who looks. */
  const health = new Health(
    { queue: () => ({ queued: 0, oldestQueuedMs: undefined, droppedUnsent: 0 }), clock: () => 'synced', faults: () => dog.faults },
    () => {},
  );
  health.link(true, undefined);
  const told = () => {
    const snapshot = health.snapshot();
    return { words: statusWords(snapshot), report: reportOf(snapshot, '1.0.0'), isAlive: health.isAlive, state: snapshot.state };
  };
  return { clock, dog, world, told };
}

function isTold(t: Test, { words, report, state, isAlive }: ReturnType<ReturnType<typeof setUp>['told']>, fault: Fault): void {
  t.ok(words.includes(fault) && words.includes(FAULT_WORDS[fault].toUpperCase()), `in words: ${words}`);
  t.match(report, { state: 'degraded', faults: [fault], lastError: fault });
  t.ok(encodeKioskState(report).length > 0, 'and on the wire');
  t.equal(state, 'degraded');
  t.equal(isAlive, MENDS[fault] !== 'restart', 'systemd is told that all is well only where a restart would not help');
}

t.test('watchdog: a link that stands and acknowledges nothing is dialled anew, and said', async (t) => {
  const { clock, world, told, dog } = setUp(t);
  await clock.advance(10_000);
  t.strictSame(dog.faults, []);
  world.road = { isOnline: true, queued: 3, settled: 0, oldestMs: 60_000 };
  await clock.advance(60_000);
  t.strictSame(dog.faults, [], 'a slow gateway is none');
  world.road = { ...world.road, oldestMs: 200_000 };
  await clock.advance(70_000);
  isTold(t, told(), 'link.stuck');
  t.equal(world.redials, 1);
  await clock.advance(310_000);
  t.equal(world.redials, 2, 'again every five minutes');
  world.road = { isOnline: true, queued: 0, settled: 3, oldestMs: 0 };
  await clock.advance(2_000);
  t.strictSame(dog.faults, []);
  world.road = { isOnline: false, queued: 90, settled: 3, oldestMs: 9_000_000 };
  await clock.advance(300_000);
  t.strictSame(dog.faults, [], 'a link that is down is told of as such');
});

t.test('watchdog: an idle road is proved four times a day, and one whose proof is set aside is no road', async (t) => {
  const { clock, world, dog } = setUp(t);
  await clock.advance(PROVE_EVERY_MS + 2_000);
  t.equal(world.proofs, 1);
  t.strictSame(dog.faults, []);
  world.delivery = { outcome: 'set-aside' };
  await clock.advance(PROVE_EVERY_MS + 2_000);
  t.strictSame(dog.faults, ['link.stuck']);
});

t.test('watchdog: people who are measured and not scanned have the scanners opened anew, then somebody told', async (t) => {
  const { clock, dog, world, told } = setUp(t);
  const people = async (count: number) => {
    for (let person = 0; person < count; person++) {
      await clock.advance(20_000);
      dog.hear('witness');
      dog.hear('witness');
    }
  };
  await people(4);
  dog.hear('scan');
  await people(4);
  t.equal(world.reopens, 0, 'while now and then somebody is scanned, it lives');
  await people(1);
  t.equal(world.reopens, 1, 'opened anew first');
  t.strictSame(dog.faults, []);
  await people(5);
  t.equal(world.reopens, 2);
  isTold(t, told(), 'device.silent');
  dog.hear('scan');
  t.strictSame(dog.faults, []);
});

t.test('watchdog: idle scanners are opened anew four times a day, and no more', async (t) => {
  const { clock, world } = setUp(t);
  await clock.advance(24 * 3_600_000 + 10_000);
  t.equal(world.reopens, 4);
});

t.test('watchdog: a disk that is nearly full, and a wrong clock, are said until they are over', async (t) => {
  const { clock, dog, world, told } = setUp(t);
  world.freeBytes = 10_000_000;
  await clock.advance(60_000);
  isTold(t, told(), 'store.low');
  world.freeBytes = 10 ** 9;
  await clock.advance(60_000);
  world.isClockWrong = true;
  await clock.advance(2_000);
  isTold(t, told(), 'clock.wrong');
  world.isClockWrong = false;
  await clock.advance(2_000);
  t.strictSame(dog.faults, []);
});

/** Wakes late when it is told to: a loop that was busy. */
class StallingClock extends ManualClock {
  stallMs = 0;
  override monotonic(): MonotonicMillis {
    return (super.monotonic() + this.stallMs) as MonotonicMillis;
  }
}

t.test('watchdog: a loop that stood still for seconds says so for ten minutes', async (t) => {
  const { clock, dog, told } = setUp(t, new StallingClock());
  await clock.advance(1_000);
  (clock as StallingClock).stallMs = 7_000;
  await clock.advance(3_000);
  isTold(t, told(), 'kiosk.stalled');
  await clock.advance(610_000);
  t.strictSame(dog.faults, []);
});

t.test('watchdog: a disk whose sync never ends is said, and systemd starts the kiosk anew', async (t) => {
  const dir = t.testdir({
    // Stands for a thread in a system call that does not return: it takes the request, and is silent.
    'hung.mjs':
      "import { parentPort } from 'node:worker_threads'; parentPort.on('message', (m) => { if (m === 'end') parentPort.close(); });",
  });
  const { clock, dog, told } = setUp(t);
  const stopping = new AbortController();
  const checkpoints = new OutboxCheckpoints({
    path: join(dir, 'outbox.db'),
    maxBytes: 1_000_000,
    clock,
    log: silentLog,
    appended: () => 0,
    onHung: (isHung) => dog.hung(isHung),
    worker: new URL(`file://${dir}/hung.mjs`),
  });
  const running = checkpoints.run(stopping.signal);
  await clock.advance(HUNG_MS - 1);
  t.strictSame(dog.faults, [], 'a card that is slow is none');
  await clock.advance(1);
  isTold(t, told(), 'store.hung');
  stopping.abort();
  await running;
});

t.test('watchdog: a disk that froze is said to all; systemd starts nothing anew that would hang in it', async (t) => {
  const health = new Health(
    { queue: () => ({ queued: 0, oldestQueuedMs: undefined, droppedUnsent: 0 }), clock: () => 'synced', faults: () => ['store.hung'] },
    () => {},
  );
  health.link(true, undefined);
  health.store('store.hung');
  const snapshot = health.snapshot();
  t.match(statusWords(snapshot), /^NOT STORING \(store\.hung\)/, 'in the terminal, at the foot of the screen, in systemctl status');
  t.match(reportOf(snapshot, '1.0.0'), { state: 'down', lastError: 'store.hung' });
  t.ok(health.isAlive);
  health.store(undefined);
  t.notOk(health.isAlive, 'where the disk answers and the thread of the checkpoints does not, a new start helps');
});

t.test('watchdog: systemd hears no sign of life while the loop stands, nor while a restart would help', async (t) => {
  const dir = t.testdir();
  const program = join(dir, 'systemd-notify');
  writeFileSync(program, `#!/bin/sh\necho "$*" >> '${join(dir, 'calls')}'\n`);
  chmodSync(program, 0o755);
  const signs = () => (existsSync(join(dir, 'calls')) ? readFileSync(join(dir, 'calls'), 'utf8').trim().split('\n').length : 0);
  const { clock, dog, told } = setUp(t);
  const stopping = new AbortController();
  await clock.advance(0);
  const others = clock.pending;
  /** So many signs were given, and the next is waited for: before that a clock that is moved on is not looked at. */
  const given = (count: number) => until(() => signs() === count && clock.pending > others);
  const living = new Notifier({ socket: '/run/notify', watchdogUs: 30_000_000, program }, silentLog).keepAlive(
    () => told().isAlive,
    clock,
    stopping.signal,
  );
  await given(1);
  await clock.advance(15_000);
  await given(2);
  dog.hung(true);
  await clock.advance(60_000);
  t.equal(signs(), 2);
  dog.hung(false);
  await clock.advance(15_000);
  await given(3);
  stopping.abort();
  await living;
});

t.test('watchdog: each fault has its words, and only what a restart mends asks for one', async (t) => {
  t.strictSame(
    FAULTS.filter((fault) => wantsRestart([fault])),
    ['store.hung'],
  );
  t.equal(new Set(Object.values(FAULT_WORDS)).size, FAULTS.length);
});
