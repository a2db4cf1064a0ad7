/** A gateway whose machine's clock jumps, from the ledger to what operators see. */
import t from 'tap';
import { confirmClock, RetentionClock } from '../../disk/retention-clock.ts';
import { silentLog } from '../../protocol/log.ts';
import { watchState } from '../support/inbox.ts';
import { LogRecorder } from '../support/log-recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startTestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

t.test('gateway: a clock that jumps weeks ahead drops nothing and is told of; confirmed, it is gone by', async (t) => {
  const gateway = await startTestGateway(t);
  t.teardown(() => gateway.stop());
  const kiosk = gateway.admit();
  const start = await kiosk.start();
  const client = await kiosk.connect(gateway.running.tlsPort);
  await publishOrClose(client, kiosk.batchTopic, start.batch([start.seal(checkIn())]));
  client.end(true);
  const state = await watchState(gateway);

  gateway.clock.stepWall(40 * DAY_MS);
  await gateway.clock.leap(HOUR_MS);
  t.match(await state.next(({ clock }) => clock !== undefined), { state: 'degraded', clock: { kind: 'ahead', byMs: 40 * DAY_MS } });
  t.match(gateway.log.of('retention.clock_doubted'), [{ level: 'error', fields: { code: 'retention.clock_ahead' } }]);
  // As many turns as below, where it is dropped.
  for (let hour = 0; hour < 30; hour++) {
    await gateway.clock.leap(HOUR_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.strictSame(gateway.log.of('ledger.pruned'), []);

  confirmClock(gateway.directory, gateway.clock);
  await gateway.clock.leap(MINUTE_MS);
  t.match(await state.next(({ clock }) => clock === undefined), { state: 'up' });
  // The hour begins once the files have been looked at, on a thread.
  await until(() => {
    void gateway.clock.leap(HOUR_MS);
    return gateway.log.of('ledger.pruned').length > 0;
  });
});

t.test('retention clock: what is known is kept over restarts, and one that the disk lost believes the clock', async (t) => {
  const directory = t.testdir();
  const clock = new ManualClock();
  const open = (boot: string) => new RetentionClock(directory, clock, silentLog, boot);
  const before = clock.wall();
  open('a').look();
  clock.stepWall(40 * DAY_MS);
  t.equal(open('b').look(), before, 'of a start that comes 40 days later, too, nobody knows whether it is true');
  t.match(open('b').doubt, { kind: 'ahead' });
  t.equal(new RetentionClock(t.testdir({ 'retention-clock.json': '{"atMs":' }), clock, silentLog, 'b').look(), clock.wall());
});

t.test('retention clock: a word that can not be read holds nothing up, and is told of once', async (t) => {
  // A directory in its place is refused to every user, root too.
  const directory = t.testdir({ 'retention-clock.confirmed.json': {} });
  const clock = new ManualClock();
  const log = new LogRecorder();
  const retention = new RetentionClock(directory, clock, log, 'a');
  t.equal(retention.look(), clock.wall());
  t.equal(retention.look(), clock.wall());
  t.match(log.of('retention.word_unread'), [{ level: 'error', fields: { code: /^store\./ } }]);
  t.equal(log.of('retention.word_unread').length, 1);
});
