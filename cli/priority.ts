/**
 * Has the kernel serve a kiosk before programs that can wait, a browser that draws the screen among them: somebody stands at the door.
 * Round robin at the lowest real-time priority (sched(7)), of the main thread alone; the kernel leaves others five hundredths of each
 * second whatever it does.
 */
import { execFile } from 'node:child_process';

const LONGEST_MS = 5_000;

/**
 * Needs root, CAP_SYS_NICE or LimitRTPRIO=1, and util-linux's chrt; where there is none of it, all stays as it is.
 * @returns whether it was granted.
 */
export const raisePriority = (pid: number): Promise<boolean> =>
  new Promise((resolve) => {
    const options = ['--reset-on-fork', '--rr', '--pid', '1', String(pid)];
    execFile('chrt', options, { timeout: LONGEST_MS }, (error) => resolve(error === null));
  });
