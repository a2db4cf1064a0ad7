import { spawn } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { lockDataDir } from '../../kiosk/data-lock.ts';

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
