/**
 * The clock, and the only file that names Date.now, process.hrtime, setTimeout or setInterval.
 * Everything else is handed a Clock, so that a test moves time by hand.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import type { EpochMillis, MonotonicMillis } from './units.ts';

export interface Clock {
  /** For records. May step, forwards or back; never subtract two of these to measure a wait. */
  wall(): EpochMillis;
  /** For waiting and for ordering within one boot. */
  monotonic(): MonotonicMillis;
  /**
   * Resolves after `waitMs` of monotonic time.
   * @param signal on abort the promise *resolves* at once (a loop then looks at `signal.aborted`), it never rejects.
   */
  sleep(waitMs: number, signal: AbortSignal): Promise<void>;
  /** Calls `fire` once after `waitMs`. @returns cancels it; cancelling twice, or after it fired, changes nothing. */
  after(waitMs: number, fire: () => void): () => void;
}

/** Less than this between the two clocks below is the coarseness of /proc/uptime, hundredths of a second, and the time between two looks. */
const SHORTEST_SUSPENSION_MS = 1_000;

/** Of running time, while the wall clock goes along. */
const ASK_EVERY_MS = 1_000;

/**
 * Counts the time that a laptop was suspended, too. CLOCK_MONOTONIC stands still meanwhile: a scan from before would be placed as if it had been
 * just now, and retention would count waking hours only.
 * @param runningMs of CLOCK_MONOTONIC. @param uptimeMs of CLOCK_BOOTTIME; less than `runningMs` where a container has its own: then it is not asked.
 * @param wallMs when it goes along with the running clock, uptime need not be asked; without it, uptime is asked each time.
 * @returns reads the clock; what it gives never steps back.
 */
export function bootClock(runningMs: () => number, uptimeMs: () => number, wallMs = (): number => Number.NaN): () => MonotonicMillis {
  let suspendedMs = 0;
  let asked: { readonly runningMs: number; readonly wallMs: number } | undefined;
  return () => {
    const nowMs = runningMs();
    const nowWallMs = wallMs();
    // The kernel moves both by what the machine slept. Uptime is read from a file of /proc, which takes forty times as long as the two clocks.
    if (asked !== undefined && nowMs - asked.runningMs < ASK_EVERY_MS && isTogether(nowWallMs - asked.wallMs, nowMs - asked.runningMs))
      return (nowMs + suspendedMs) as MonotonicMillis;
    asked = { runningMs: nowMs, wallMs: nowWallMs };
    const missingMs = Math.round(uptimeMs()) - nowMs;
    if (missingMs - suspendedMs >= SHORTEST_SUSPENSION_MS) suspendedMs = missingMs;
    return (nowMs + suspendedMs) as MonotonicMillis;
  };
}

const isTogether = (wallPassedMs: number, runningPassedMs: number): boolean =>
  Math.abs(wallPassedMs - runningPassedMs) < SHORTEST_SUSPENSION_MS / 2;

/** The machine's own clock. `process.hrtime` counts from boot on Linux; `performance.now` counts from the process's start. */
export const systemClock: Clock = {
  wall: () => Date.now() as EpochMillis,
  monotonic: bootClock(
    () => Number(process.hrtime.bigint() / 1_000_000n),
    () => uptime() * 1_000,
    Date.now,
  ),
  sleep(waitMs, signal) {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      signal.addEventListener('abort', done, { once: true });
    });
  },
  after(waitMs, fire) {
    const timer = setTimeout(fire, waitMs);
    return () => clearTimeout(timer);
  },
};

/**
 * Names the present boot of this machine, so that monotonic times of one boot are never compared with those of another.
 * @returns 16 bytes, from the kernel's boot id (Linux, Documentation/admin-guide/sysctl/kernel.rst, "random"); `undefined` where there is none.
 */
export function readBootId(path = '/proc/sys/kernel/random/boot_id'): Uint8Array | undefined {
  try {
    const hex = readFileSync(path, 'ascii').trim().replaceAll('-', '');
    return /^[0-9a-f]{32}$/.test(hex) ? new Uint8Array(Buffer.from(hex, 'hex')) : undefined;
  } catch {
    return undefined;
  }
}
