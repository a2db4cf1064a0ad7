/** What the gateway does by the clock: judges pending flags, shuts out the revoked, publishes its state, forgets what is past its time. */
import { codeOf } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { Pruned } from './prune.ts';
import { SteadyLog } from './steady-log.ts';

/** Also how late a pending flag, a revocation or a change of state may be noticed. */
const TICK_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Between two steps of pruning, kiosks are served. */
const PRUNE_PAUSE_MS = 20;

type Tick = () => void | Promise<void>;

/** Runs `tick` every second until aborted. @param subject names it in the log. One that fails with a StoreError is tried again; a bug ends the loop with that error. */
export const everySecond = (tick: Tick, clock: Clock, log: Log, signal: AbortSignal, subject = 'upkeep'): Promise<void> =>
  repeat(tick, TICK_MS, clock, log, signal, subject);

/** As everySecond, at once and every minute. */
export const everyMinute = (tick: Tick, clock: Clock, log: Log, signal: AbortSignal, subject: string): Promise<void> =>
  repeat(tick, MINUTE_MS, clock, log, signal, subject);

/** As everySecond, at once and every hour. */
export const everyHour = (tick: Tick, clock: Clock, log: Log, signal: AbortSignal, subject: string): Promise<void> =>
  repeat(tick, HOUR_MS, clock, log, signal, subject);

async function repeat(tick: Tick, everyMs: number, clock: Clock, log: Log, signal: AbortSignal, subject: string): Promise<void> {
  const trouble = new SteadyLog(log, clock, subject);
  while (!signal.aborted) {
    try {
      await tick();
      trouble.recovered();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      trouble.failed({ code });
    }
    await clock.sleep(everyMs, signal);
  }
}

/**
 * Prunes at the start and every hour until aborted. @param step one bounded step; repeated until it finds nothing.
 * @param emptyLog takes what was pruned out of the write-ahead log: in a quiet place nothing would write it over.
 */
export async function pruneHourly(
  step: () => Pruned,
  emptyLog: () => Promise<void>,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const trouble = new SteadyLog(log, clock, 'prune');
  while (!signal.aborted) {
    try {
      for (let pruned = step(); hasPruned(pruned); pruned = step()) {
        const { entries, quarantined } = pruned;
        if (entries + quarantined > 0) log.info('ledger.pruned', { entries, quarantined });
        if (pruned.untaken > 0) log.error('ledger.dropped_untaken', { entries: pruned.untaken });
        await clock.sleep(PRUNE_PAUSE_MS, signal);
        if (signal.aborted) return;
      }
      await emptyLog();
      trouble.recovered();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      trouble.failed({ code });
    }
    await clock.sleep(HOUR_MS, signal);
  }
}

const hasPruned = ({ entries, quarantined, forgotten }: Pruned): boolean => entries + quarantined + forgotten > 0;
