/** How supervision ends, and that whatever a device does it can. */

import t from 'tap';
import { END_LONGEST_MS, OPEN_LONGEST_MS } from '../../hardware/supervise.ts';
import { DeviceError } from '../../protocol/errors.ts';
import { FakeLink } from '../support/fake-link.ts';
import { ManualClock } from '../support/manual-clock.ts';
import fc from '../support/properties.ts';
import { absent, drain, superviseOne } from './supervised.ts';

const SEED = Number(process.env.SEED ?? 20261121);

t.test('supervise: stopping waits for the driver to end, then for the close', async (t) => {
  const clock = new ManualClock();
  const order: string[] = [];
  class Slow extends FakeLink {
    override async close() {
      await clock.sleep(100, new AbortController().signal);
      order.push('closed');
    }
  }
  const { stop, ended, said } = superviseOne(
    {
      open: async () => new Slow(),
      use: async (_link, signal) => {
        await clock.sleep(1e9, signal);
        await clock.sleep(500, new AbortController().signal);
        order.push('ended');
      },
    },
    clock,
  );
  await clock.advance(1_000);
  stop.abort();
  void ended.then(() => order.push('resolved'));
  await clock.advance(599);
  t.strictSame(order, ['ended']);
  await clock.advance(1);
  t.strictSame(order, ['ended', 'closed', 'resolved']);
  t.strictSame(said(), ['up'], 'a device that is no longer wanted is not down');
});

t.test('supervise: a driver or a close that never ends does not hold the kiosk up', async (t) => {
  class Stuck extends FakeLink {
    override close() {
      return new Promise<void>(() => {});
    }
  }
  const { clock, stop, ended, log } = superviseOne({ open: async () => new Stuck(), use: () => new Promise(() => {}) });
  await clock.advance(1_000);
  stop.abort();
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  await clock.advance(2 * END_LONGEST_MS - 1);
  t.notOk(isOver);
  await clock.advance(1);
  t.ok(isOver);
  t.strictSame(log.events, ['device.up', 'device.hung', 'device.close_hung']);
  t.equal(clock.pending, 0);
});

t.test('supervise: an opening that takes too long is given up, and closed if it comes after all', async (t) => {
  const late = new FakeLink();
  let come: (link: FakeLink) => void = () => {};
  let opens = 0;
  const { clock, stop, ended, said } = superviseOne({
    open: () => {
      opens += 1;
      return opens === 1
        ? new Promise((resolve) => {
            come = resolve;
          })
        : absent();
    },
    use: drain,
  });
  await clock.advance(OPEN_LONGEST_MS);
  t.strictSame(said(), ['device.timeout']);
  await clock.advance(1_000);
  t.ok(opens > 1);
  come(late);
  await clock.advance(0);
  t.ok(late.isClosed);
  stop.abort();
  await ended;
});

t.test('supervise: stopped while opening, it ends when the link that still came is closed', async (t) => {
  const clock = new ManualClock();
  const late = new FakeLink();
  let used = 0;
  const { stop, ended, said } = superviseOne(
    {
      open: async () => {
        await clock.sleep(700, new AbortController().signal);
        return late;
      },
      use: async () => {
        used += 1;
      },
    },
    clock,
  );
  await clock.advance(100);
  stop.abort();
  await clock.advance(600);
  await ended;
  t.ok(late.isClosed);
  t.equal(used, 0);
  t.strictSame(said(), []);
});

t.test('supervise: stopped while an opening hangs, it does not wait the whole time that opening may take', async (t) => {
  const { clock, stop, ended } = superviseOne({ open: () => new Promise(() => {}), use: drain });
  await clock.advance(1_000);
  stop.abort();
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  await clock.advance(END_LONGEST_MS - 1);
  t.notOk(isOver);
  await clock.advance(1);
  t.ok(isOver);
  t.equal(clock.pending, 0);
});

t.test('supervise: whatever a device does, its links are used one at a time, each is closed, and stopping ends it', async (t) => {
  const outcome = fc.constantFrom('absent', 'bug', 'gone', 'returns', 'works', 'slow-open', 'slow-close', 'deaf');
  await fc.assert(
    fc.asyncProperty(fc.array(outcome, { maxLength: 12 }), fc.integer({ min: 0, max: 60_000 }), async (script, stopAtMs) => {
      const never = new AbortController().signal;
      const clock = new ManualClock();
      let inUse = 0;
      let unclosed = 0;
      let tries = 0;
      const { stop, ended } = superviseOne(
        {
          open: async () => {
            const step = script[tries++] ?? 'works';
            if (step === 'absent') return absent();
            if (step === 'slow-open') await clock.sleep(1_500, never);
            unclosed += 1;
            const link = new FakeLink();
            link.feed(step);
            const close = link.close.bind(link);
            link.close = async () => {
              if (step === 'slow-close') await clock.sleep(1_500, never);
              unclosed -= 1;
              await close();
            };
            return link;
          },
          use: async (link, signal) => {
            inUse += 1;
            t.ok(inUse === 1 && unclosed === 1, 'one link at a time');
            try {
              for await (const chunk of link.read(signal)) {
                const step = Buffer.from(chunk).toString();
                if (step === 'bug') throw new RangeError('bug');
                if (step === 'gone') throw new DeviceError('device.gone', 'gone');
                if (step === 'returns') return;
                if (step === 'deaf') await clock.sleep(2_000, never);
              }
            } finally {
              inUse -= 1;
            }
          },
        },
        clock,
      );
      await clock.advance(stopAtMs);
      t.ok(tries <= 4 + stopAtMs / 1_000, 'it does not spin');
      stop.abort();
      await clock.advance(10_000);
      await ended;
      t.strictSame([inUse, unclosed, clock.pending], [0, 0, 0]);
    }),
    { seed: SEED, numRuns: 100 },
  );
});
