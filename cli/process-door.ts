/** What the gateway's metrics and page want of the process: its version, its use of the machine, and the level of its log. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ProcessDoor } from '../gateway/watching.ts';
import type { LevelledLog } from './log.ts';
import { VERSION } from './version.ts';

const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;

/** @param log of the whole process. */
export function processDoor(log: LevelledLog): ProcessDoor {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  return {
    version: VERSION,
    logLevel: { get: () => log.level, set: (level) => log.setLevel(level) },
    use: () => {
      const { user, system } = process.cpuUsage();
      const loopDelayS = delay.max / NANOSECONDS;
      delay.reset();
      return { residentBytes: process.memoryUsage.rss(), cpuS: (user + system) / MICROSECONDS, loopDelayS };
    },
  };
}
