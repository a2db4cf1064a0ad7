/** A core whose machine's clock jumps: nothing is forgotten by it until it is believed. */
import { join } from 'node:path';
import t from 'tap';
import { coreMetrics } from '../../core/rest/metrics.ts';
import { confirmClock } from '../../disk/retention-clock.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { DAY, fixture, NOW } from './core-fixture.ts';
import { checkIn, HOUR, KioskStub, newCard } from './kiosk-stub.ts';

const TEN_MINUTES = 600_000;

t.test('core: a clock that jumps weeks ahead forgets nothing by it, over a restart, and what is due in time all the same', async (t) => {
  const log = new LogRecorder();
  const { keys, clock, open } = await fixture(t, log);
  const kiosk = new KioskStub(keys);
  const first = await open();
  await first.accept([await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW - 20 * DAY }], NOW - 20 * DAY)]);
  await first.accept([await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW - HOUR }], NOW)]);
  clock.stepWall(40 * DAY);
  t.equal(first.dropExpired(), 0);
  t.match(first.counts(), { days: 2, checkIns: 2 });
  t.match(first.retention.doubt, { kind: 'ahead', byMs: 40 * DAY });
  t.match(coreMetrics({ core: first, version: '1', nowMs: clock.wall() }), `vestibule_core_clock_doubt_seconds ${40 * 86_400}\n`);
  first.close();

  const again = await open();
  t.match(again.counts(), { days: 2, checkIns: 2 });
  await clock.advance(DAY);
  t.match(again.counts(), { days: 1, checkIns: 1 }, 'the first is 21 days old');
  await clock.advance(DAY + TEN_MINUTES);
  t.match(again.counts(), { days: 0, checkIns: 0 }, 'after 48 hours it is believed');
  t.equal(again.retention.doubt, undefined);
  t.strictSame(
    log.lines.map(({ event }) => event).filter((event) => event.startsWith('retention.')),
    ['retention.clock_doubted', 'retention.clock_doubted', 'retention.clock_believed'],
  );
});

t.test('core: a clock that is confirmed is gone by within ten minutes', async (t) => {
  const { dir, keys, clock, open } = await fixture(t);
  const core = await open();
  await core.accept([await new KioskStub(keys).batch([{ happening: checkIn(newCard()), atMs: NOW - HOUR }], NOW)]);
  clock.stepWall(40 * DAY);
  await clock.advance(TEN_MINUTES);
  t.match(core.counts(), { days: 1 });
  confirmClock(join(dir, 'core'), clock);
  await clock.advance(TEN_MINUTES);
  t.match(core.counts(), { days: 0 });
  clock.stepWall(-40 * DAY);
  await clock.advance(TEN_MINUTES);
  t.match(core.retention.doubt, { kind: 'behind' }, 'the word is heard once');
});
