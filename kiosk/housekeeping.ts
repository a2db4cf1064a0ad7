/** What has to be done now and then, beside the door: look at the clock, forget what is past its time, write down the time. */
import { StoreError } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { ClockWatch } from './clock-state.ts';
import { eraseSetAside } from './open-outbox.ts';
import type { Outbox } from './outbox.ts';

export interface HousekeepingOptions {
  readonly dir: string;
  readonly retentionMs: number;
  readonly clock: Clock;
  readonly watch: ClockWatch;
  readonly log: Log;
  readonly outbox: () => Outbox | undefined;
  readonly onStep: (byMs: number) => void;
  readonly onStoreFailed: (error: StoreError) => void;
}

const LOOK_EVERY_MS = 10_000;
const PRUNE_EVERY_MS = 60_000;
const REMEMBER_EVERY_MS = 3_600_000;
/** Calls of prune in one go, each of some hundred rows, a turn of the event loop between them. */
const MOST_PRUNES = 40;

export async function keepHouse(options: HousekeepingOptions, signal: AbortSignal): Promise<void> {
  const { clock, watch, onStep } = options;
  let prunedMs = clock.monotonic();
  let rememberedMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    await clock.sleep(LOOK_EVERY_MS, signal);
    if (signal.aborted) return;
    const nowMs = clock.monotonic();
    const byMs = watch.look();
    if (byMs !== 0) {
      guarded(options, (outbox) => outbox.undate());
      onStep(byMs);
    }
    if (nowMs - prunedMs >= PRUNE_EVERY_MS) {
      prunedMs = nowMs;
      await prune(options);
    }
    if (watch.state === 'synced' && nowMs - rememberedMs >= REMEMBER_EVERY_MS) {
      rememberedMs = nowMs;
      guarded(options, (outbox) => outbox.remember(clock.wall()));
    }
  }
}

async function prune(options: HousekeepingOptions): Promise<void> {
  const { clock, watch, log, dir, retentionMs } = options;
  let droppedUnsent = 0;
  for (let calls = 0; calls < MOST_PRUNES; calls++) {
    const pruned = guarded(options, (outbox) => outbox.prune(clock.monotonic(), watch.steadyWallMs));
    if (pruned === undefined || pruned.settled + pruned.droppedUnsent === 0) break;
    droppedUnsent += pruned.droppedUnsent;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  if (droppedUnsent > 0) log.error('outbox.dropped_unsent', { rows: droppedUnsent });
  const wallMs = watch.steadyWallMs;
  const erased = wallMs === undefined ? 0 : eraseSetAside(dir, retentionMs, wallMs);
  if (erased > 0) log.warn('outbox.set_aside_erased', { files: erased });
}

/** @returns `undefined` where there is no outbox, or it failed, which is told. */
function guarded<T>({ outbox, onStoreFailed }: HousekeepingOptions, work: (outbox: Outbox) => T): T | undefined {
  const present = outbox();
  if (present === undefined) return undefined;
  try {
    return work(present);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    onStoreFailed(error);
    return undefined;
  }
}
