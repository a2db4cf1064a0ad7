import t from 'tap';
import { HARDWARE_BACKOFF, supervise } from '../../hardware/supervise.ts';
import { DeviceError, StoreError } from '../../protocol/errors.ts';
import { FakeLink } from '../support/fake-link.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { absent, drain, drainTo, Lines, superviseOne } from './supervised.ts';

t.test('supervise: a scanner unplugged and plugged back in 2 s later goes on scanning', async (t) => {
  const links = [new FakeLink(), new FakeLink()];
  const plugged = [...links];
  let isPlugged = true;
  const seen: string[] = [];
  const { clock, stop, ended, said, log } = superviseOne({
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

t.test(
  'supervise: a device that is not there is looked for every 0.15 s, said once, again once a minute, and when it is back',
  async (t) => {
    let tries = 0;
    let isPlugged = false;
    const { clock, stop, ended, said, log } = superviseOne({
      open: async () => {
        tries += 1;
        return isPlugged ? new FakeLink() : absent();
      },
      use: drain,
    });
    await clock.advance(400);
    t.equal(tries, 4, 'at 0, 100, 250 and 400 ms');
    await clock.advance(600_000 - 400);
    t.equal(tries, 4 + 3_997);
    t.strictSame(said(), ['device.absent']);
    t.equal(log.events.filter((event) => event === 'device.down').length, 1);
    t.equal(log.events.filter((event) => event === 'device.still_down').length, 9);
    isPlugged = true;
    await clock.advance(2_000);
    t.strictSame(said(), ['device.absent', 'up']);
    t.notOk(log.events.includes('device.recovered'), 'not before it has proved healthy');
    await clock.advance(HARDWARE_BACKOFF.healthyMs);
    t.match(log.all.at(-1), { event: 'device.recovered', fields: { device: 'scanner', failures: 4_001 } });
    stop.abort();
    await ended;
    t.equal(clock.pending, 0, 'no timer is left');
  },
);

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
    t.ok(tries >= 665 && tries <= 1_340, `${tries} tries in 100 s`);
    stop.abort();
    await ended;
  }
});

t.test('supervise: a device that opens and fails for days is tried ever less, and fills no log', async (t) => {
  let opens = 0;
  const { clock, stop, ended, log, said } = superviseOne({
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

t.test(
  'supervise: a device that a person replugs is read again within a second, a hundred times; a loose plug is tried ever less',
  async (t) => {
    let opens = 0;
    let isPlugged = true;
    let unplug = () => {};
    const { clock, stop, ended } = superviseOne({
      open: async () => {
        if (!isPlugged) return absent();
        opens += 1;
        return new FakeLink();
      },
      use: (_link, signal) =>
        new Promise((resolve, reject) => {
          unplug = () => reject(new DeviceError('device.gone', 'scanner: unplugged'));
          signal.addEventListener('abort', () => resolve(), { once: true });
        }),
    });
    await clock.advance(0);
    for (let times = 1; times <= 100; times++) {
      isPlugged = false;
      unplug();
      await clock.advance((times * 37) % 5_000);
      isPlugged = true;
      await clock.advance(1_000);
      t.equal(opens, 1 + times);
    }
    await clock.advance(HARDWARE_BACKOFF.healthyMs);
    const before = opens;
    for (let times = 0; times < 36_000; times++) {
      unplug();
      await clock.advance(100);
    }
    t.ok(opens - before < HARDWARE_BACKOFF.quickReplugs + 250, `${opens - before} opens in an hour`);
    stop.abort();
    await ended;
  },
);

t.test('supervise: a bug in a driver is device.failed, logged without its message, and the device goes on', async (t) => {
  let uses = 0;
  const { clock, stop, ended, log, reports } = superviseOne({
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
  const { clock, stop, ended, said } = superviseOne({
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
  const { clock, stop, ended, said } = superviseOne({ open: async () => new FakeLink(), use: async () => {} });
  await clock.advance(0);
  t.strictSame(said(), ['up', 'device.gone']);
  stop.abort();
  await ended;
});

t.test('supervise: a device that must speak first is up when it has, and stays down while it is silent', async (t) => {
  const links: FakeLink[] = [];
  const { clock, stop, ended, said } = superviseOne({
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
