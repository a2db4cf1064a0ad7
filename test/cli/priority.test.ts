import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { raisePriority } from '../../cli/priority.ts';

/** SCHED_RR is 2 (sched(7)); the 41st field of proc_pid_stat(5). */
const isRoundRobin = (pid: number): boolean => readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[40] === '2';

t.test('priority: says whether the kernel granted it, and a process that is gone is no error', async (t) => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  t.equal(await raisePriority(pid), isRoundRobin(pid));
  const ended = once(child, 'exit');
  child.stdin.end();
  await ended;
  t.equal(await raisePriority(pid), false);
});
