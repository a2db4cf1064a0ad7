import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Notifier } from '../../kiosk/systemd.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Stands for systemd-notify: writes down what it was called with, and where it would have sent it. */
function recorded(dir: string) {
  const program = join(dir, 'systemd-notify');
  const calls = join(dir, 'calls');
  writeFileSync(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> '${calls}'\n`);
  chmodSync(program, 0o755);
  const read = () => (existsSync(calls) ? readFileSync(calls, 'utf8').trimEnd().split('\n') : []);
  return { settings: { socket: '/run/notify', watchdogUs: 30_000_000, program }, read };
}

t.test('Notifier: tells of readiness, state and end, and the same state once', async (t) => {
  const { settings, read } = recorded(t.testdir());
  const notifier = new Notifier(settings, silentLog);
  await notifier.ready();
  await notifier.status('online');
  await notifier.status('online');
  await notifier.status('offline (link.refused) · 3 waiting');
  await notifier.stopping();
  t.strictSame(read(), [
    '/run/notify READY=1',
    '/run/notify STATUS=online',
    '/run/notify STATUS=offline (link.refused) · 3 waiting',
    '/run/notify STOPPING=1',
  ]);
});

t.test('Notifier: gives a sign of life at half of the watchdog’s time, and none while something is wrong', async (t) => {
  const { settings, read } = recorded(t.testdir());
  const clock = new ManualClock();
  const stopping = new AbortController();
  let isAlive = true;
  const running = new Notifier(settings, silentLog).keepAlive(() => isAlive, clock, stopping.signal);
  const signs = async (count: number) => {
    while (read().length < count || clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    return read().length;
  };
  t.equal(await signs(1), 1);
  await clock.advance(14_999);
  t.equal(read().length, 1);
  await clock.advance(1);
  t.equal(await signs(2), 2);
  isAlive = false;
  for (let turns = 0; turns < 4; turns++) await clock.advance(15_000);
  t.equal(read().length, 2);
  stopping.abort();
  await running;
});

t.test('Notifier: without the program it complains once, and the kiosk goes on', async (t) => {
  const complaints: string[] = [];
  const log = { ...silentLog, warn: (event: string) => complaints.push(event) };
  const notifier = new Notifier({ socket: '/run/notify', watchdogUs: undefined, program: join(t.testdir(), 'none') }, log);
  await notifier.ready();
  await notifier.status('online');
  t.strictSame(complaints, ['systemd.not_notified']);
});
