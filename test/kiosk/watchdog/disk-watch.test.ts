/** A disk that froze: met before a scan waits for it, refused until it answers, and asked seldom. */
import { join } from 'node:path';
import t from 'tap';
import { Outbox } from '../../../kiosk/outbox.ts';
import { askDisk, FROZEN_MS, watchDisk } from '../../../kiosk/watchdog/disk-watch.ts';
import { silentLog } from '../../../protocol/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';
import { LIMITS, mono } from '../fixtures.ts';

function watched(t: { teardown(run: () => Promise<void>): void }) {
  const clock = new ManualClock();
  const told: boolean[] = [];
  const recorder = { appended: 0, frozen: (isFrozen: boolean) => void told.push(isFrozen) };
  const asked: (() => void)[] = [];
  const ask = () => new Promise<void>((answer) => void asked.push(answer));
  const stopping = new AbortController();
  const running = watchDisk({ dir: '/nowhere', clock, log: silentLog, ask, recorder }, stopping.signal);
  t.teardown(async () => {
    stopping.abort();
    await running;
  });
  return { clock, told, recorder, asked };
}

t.test(
  'disk watch: a disk that does not answer for ten seconds is frozen, until it answers; it is asked one thing at a time',
  async (t) => {
    const { clock, told, asked } = watched(t);
    await clock.advance(5_000);
    t.equal(asked.length, 1);
    await clock.advance(FROZEN_MS - 1);
    t.strictSame(told, [], 'a slow card is none');
    await clock.advance(1);
    t.strictSame(told, [true]);
    await clock.advance(600_000);
    t.equal(asked.length, 1, 'what does not come back holds a thread');
    asked[0]?.();
    await until(() => told.length === 2);
    t.strictSame(told, [true, false]);
    await clock.advance(5_000);
    t.equal(asked.length, 2);
  },
);

t.test('disk watch: while rows are kept nothing is asked: each is an answer', async (t) => {
  const { clock, recorder, asked } = watched(t);
  for (let visitor = 0; visitor < 20; visitor++) {
    recorder.appended += 1;
    await clock.advance(5_000);
  }
  t.equal(asked.length, 0);
  await clock.advance(5_000);
  t.equal(asked.length, 1);
});

t.test('disk watch: a disk is asked by a sync that writes nothing, and one that is gone has answered', async (t) => {
  await askDisk(t.testdir());
  await askDisk(join(t.testdir(), 'gone'));
  t.pass('neither rejects');
});

t.test('outbox: on a frozen disk nothing is begun, and nothing is lost by that', async (t) => {
  const outbox = new Outbox(join(t.testdir(), 'outbox.db'), LIMITS, mono(0));
  t.teardown(() => outbox.close());
  const key = outbox.keepKey(new Uint8Array(8) as never, new Uint8Array(4));
  const append = () => outbox.append(key, () => new Uint8Array(4), { wallMs: undefined, monotonicMs: mono(1) });
  const first = append();
  outbox.freeze(true);
  t.throws(append, { code: 'store.hung' });
  t.throws(() => outbox.settle([first], mono(2)), { code: 'store.hung' });
  t.equal(outbox.queued, 1);
  t.equal(outbox.unsentAfter(0, 10).length, 1, 'what was read before is read still');
  outbox.freeze(false);
  t.equal(append(), first + 1, 'no number is left out');
  outbox.settle([first], mono(3));
  t.equal(outbox.queued, 1);
});
