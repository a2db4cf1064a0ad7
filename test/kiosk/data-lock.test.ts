import { spawn } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { lockDataDir, waitForDataDir } from '../../kiosk/data-lock.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

t.test('lockDataDir: a second kiosk on the same directory is refused until the first lets go', async (t) => {
  const dir = t.testdir();
  const unlock = lockDataDir(dir);
  t.throws(() => lockDataDir(dir), { code: 'config.locked' });
  unlock();
  lockDataDir(dir)();
});

t.test('lockDataDir: a killed process holds nothing back', async (t) => {
  const dir = t.testdir();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hold-lock.ts'), dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  t.throws(() => lockDataDir(dir), { code: 'config.locked' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  lockDataDir(dir)();
});

t.test('lockDataDir: a service waits for a directory that is held, and a person is told at once', async (t) => {
  const dir = t.testdir();
  const clock = new ManualClock();
  const release = lockDataDir(dir);
  const { signal } = new AbortController();
  await t.rejects(waitForDataDir(dir, { clock, log: silentLog }, signal), { code: 'config.locked' });
  let isHeld = false;
  const waiting = waitForDataDir(dir, { clock, log: silentLog, notify: { socket: '/run/notify', watchdogUs: undefined } }, signal);
  const held = waiting.then((unlock) => {
    isHeld = true;
    return unlock;
  });
  await clock.advance(60_000);
  t.notOk(isHeld);
  release();
  await clock.advance(1_000);
  (await held)();
  t.ok(isHeld);
});
