import fc from 'fast-check';
import t from 'tap';
import {
  type DeviceReport,
  END_LONGEST_MS,
  HARDWARE_BACKOFF,
  OPEN_LONGEST_MS,
  type Supervised,
  supervise,
} from '../../hardware/supervise.ts';
import { DeviceError, StoreError } from '../../protocol/errors.ts';
import type { Log, LogFields } from '../../protocol/log.ts';
import { FakeLink } from '../support/fake-link.ts';
import { ManualClock } from '../support/manual-clock.ts';

const SEED = Number(process.env.SEED ?? 20261121);

class Lines implements Log {
  readonly all: { event: string; fields: LogFields }[] = [];
  error(event: string, fields: LogFields = {}) {
    this.all.push({ event, fields });
  }
  warn(event: string, fields: LogFields = {}) {
    this.all.push({ event, fields });
  }
  info(event: string, fields: LogFields = {}) {
    this.all.push({ event, fields });
  }
  debug() {}
  get events() {
    return this.all.map(({ event }) => event);
  }
}

const absent = () => Promise.reject(new DeviceError('device.absent', 'scanner: not there'));

/** Reads until the link or the signal ends it. */
const drainTo = async (seen: string[], link: FakeLink, signal: AbortSignal) => {
  for await (const chunk of link.read(signal)) seen.push(Buffer.from(chunk).toString());
};
const drain = (link: FakeLink, signal: AbortSignal) => drainTo([], link, signal);

function setUp(part: Pick<Supervised<FakeLink>, 'open' | 'use'> & { isUpOnceOpen?: boolean }, clock = new ManualClock()) {
  const log = new Lines();
  const reports: DeviceReport[] = [];
  const stop = new AbortController();
  const ended = supervise(
    {
      device: 'scanner',
      clock,
      log,
      onReport: (report) => reports.push(report),
      backoff: { ...HARDWARE_BACKOFF, random: () => 0 },
      ...part,
    },
    stop.signal,
  );
  const said = () => reports.map((report) => (report.isUp ? 'up' : report.why.code));
  return { clock, log, reports, stop, ended, said };
}

t.test('supervise: a scanner unplugged and plugged back in 2 s later goes on scanning', async (t) => {
  const links = [new FakeLink(), new FakeLink()];
  const plugged = [...links];
  let isPlugged = true;
  const seen: string[] = [];
  const { clock, stop, ended, said, log } = setUp({
    open: async () => (isPlugged ? plugged.shift() : undefined) ?? absent(),
    use: (link, signal) => drainTo(seen, link, signal),
  });
  await clock.advance(20_000);
  links[0]?.feed('one\r');
  await clock.advance(0);
  isPlugged = false;
  links[0]?.unplug();
  await clock.advance(2_000);
  isPlugged = true;
  await clock.advance(3_000);
  links[1]?.feed('two\r');
  await clock.advance(20_000);
  stop.abort();
  await ended;
  t.strictSame(seen, ['one\r', 'two\r']);
  t.strictSame(said(), ['up', 'device.gone', 'device.absent', 'up']);
  t.ok(links.every((link) => link.isClosed));
  t.strictSame(log.events, ['device.up', 'device.down', 'device.recovered']);
});

t.test('supervise: a device that is not there is looked for every 2 s, said once, again once a minute, and when it is back', async (t) => {
  let tries = 0;
  let isPlugged = false;
  const { clock, stop, ended, said, log } = setUp({
    open: async () => {
      tries += 1;
      return isPlugged ? new FakeLink() : absent();
    },
    use: drain,
  });
  await clock.advance(1_750);
  t.equal(tries, 4, 'at 0, 250, 750 and 1,750 ms');
  await clock.advance(600_000 - 1_750);
  t.equal(tries, 4 + 299);
  t.strictSame(said(), ['device.absent']);
  t.equal(log.events.filter((event) => event === 'device.down').length, 1);
  t.equal(log.events.filter((event) => event === 'device.still_down').length, 9);
  isPlugged = true;
  await clock.advance(2_000);
  t.strictSame(said(), ['device.absent', 'up']);
  t.notOk(log.events.includes('device.recovered'), 'not before it has proved healthy');
  await clock.advance(HARDWARE_BACKOFF.healthyMs);
  t.match(log.all.at(-1), { event: 'device.recovered', fields: { device: 'scanner', failures: 303 } });
  stop.abort();
  await ended;
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('supervise: waits are cut by chance, never to nothing', async (t) => {
  for (const random of [0, 0.5, 0.999999]) {
    const clock = new ManualClock();
    const stop = new AbortController();
    let tries = 0;
    const ended = supervise(
      {
        device: 'scanner',
        clock,
        log: new Lines(),
        onReport: () => {},
        backoff: { ...HARDWARE_BACKOFF, random: () => random },
        open: () => {
          tries += 1;
          return absent();
        },
        use: drain,
      },
      stop.signal,
    );
    await clock.advance(100_000);
    t.ok(tries >= 52 && tries <= 105, `${tries} tries in 100 s`);
    stop.abort();
    await ended;
  }
});

t.test('supervise: a device that opens and fails for days is tried ever less, and fills no log', async (t) => {
  let opens = 0;
  const { clock, stop, ended, log, said } = setUp({
    open: async () => {
      opens += 1;
      return new FakeLink();
    },
    use: async () => {
      throw new DeviceError('device.failed', 'scanner: answered with an error');
    },
  });
  await clock.advance(20_000);
  t.ok(opens >= 11, 'as often as a missing one at first');
  await clock.advance(3_600_000);
  t.ok(opens < 11 + 200, `${opens} opens in an hour`);
  t.ok(log.all.length <= 2 + 60, `${log.all.length} lines in an hour`);
  t.equal(said().length, 2 * opens, 'the kiosk sees it as it is');
  stop.abort();
  await ended;
});

t.test('supervise: stopping waits for the driver to end, then for the close', async (t) => {
  const clock = new ManualClock();
  const order: string[] = [];
  class Slow extends FakeLink {
    override async close() {
      await clock.sleep(100, new AbortController().signal);
      order.push('closed');
    }
  }
  const { stop, ended, said } = setUp(
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
  const { clock, stop, ended, log } = setUp({ open: async () => new Stuck(), use: () => new Promise(() => {}) });
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
  const { clock, stop, ended, said } = setUp({
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
  const { stop, ended, said } = setUp(
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
  const { clock, stop, ended } = setUp({ open: () => new Promise(() => {}), use: drain });
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

t.test('supervise: a bug in a driver is device.failed, logged without its message, and the device goes on', async (t) => {
  let uses = 0;
  const { clock, stop, ended, log, reports } = setUp({
    open: async () => new FakeLink(),
    use: async (link, signal) => {
      uses += 1;
      if (uses === 1) throw new TypeError('can not read VCSECRETCARD');
      await drain(link, signal);
    },
  });
  await clock.advance(1_000);
  t.match(reports, [{ isUp: true }, { isUp: false, why: { code: 'device.failed' } }, { isUp: true }]);
  t.match(log.all[1], {
    event: 'device.down',
    fields: { code: 'device.failed', bug: 'TypeError', at: /^supervise\.test\.ts:\d+$/ },
  });
  t.notMatch(JSON.stringify([log.all, reports]), /SECRET/);
  t.notOk(
    reports.some((report) => !report.isUp && report.why.cause !== undefined),
    'a report does not carry the bug itself',
  );
  stop.abort();
  await ended;
});

t.test('supervise: an expected error of another family keeps its code', async (t) => {
  const { clock, stop, ended, said } = setUp({
    open: async () => new FakeLink(),
    use: async () => {
      throw new StoreError('store.full', 'outbox: full');
    },
  });
  await clock.advance(0);
  t.strictSame(said(), ['up', 'store.full']);
  stop.abort();
  await ended;
});

t.test('supervise: a driver that returns unasked is a device that is gone', async (t) => {
  const { clock, stop, ended, said } = setUp({ open: async () => new FakeLink(), use: async () => {} });
  await clock.advance(0);
  t.strictSame(said(), ['up', 'device.gone']);
  stop.abort();
  await ended;
});

t.test('supervise: a device that must speak first is up when it has, and stays down while it is silent', async (t) => {
  const links: FakeLink[] = [];
  const { clock, stop, ended, said } = setUp({
    isUpOnceOpen: false,
    open: async () => {
      const link = new FakeLink();
      links.push(link);
      return link;
    },
    use: async (link, signal, markUp) => {
      for await (const chunk of link.read(signal)) {
        if (chunk[0] === 0x78) throw new DeviceError('device.timeout', 'thermometer: silent');
        markUp();
        markUp();
      }
    },
  });
  await clock.advance(0);
  t.strictSame(said(), []);
  links[0]?.feed('x');
  await clock.advance(250);
  t.strictSame(said(), ['device.timeout']);
  links[1]?.feed('x');
  await clock.advance(500);
  t.strictSame(said(), ['device.timeout'], 'not up and down with each try');
  links[2]?.feed('a');
  await clock.advance(0);
  t.strictSame(said(), ['device.timeout', 'up']);
  stop.abort();
  await ended;
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
      const { stop, ended } = setUp(
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
