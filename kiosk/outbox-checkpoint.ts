/** Asks the checkpoint thread for its work, now and then: one request at a time, and none while nothing was written. */
import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { pagesOf } from './sqlite.ts';

/** What the thread answers: the frames the log held, or why it could not. */
export interface CheckpointAnswer {
  readonly frames: number;
  readonly code: ErrorCode | undefined;
}

export interface CheckpointOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Rows appended to the outbox so far in this process. */
  readonly appended: () => number;
}

const LOOK_EVERY_MS = 5_000;
/** About 4 MiB of log at 3 to 4 pages a row. */
const ROWS_BETWEEN = 300;
/** A log with anything in it is checkpointed after this at the latest. */
const LONGEST_MS = 600_000;

/** Runs until abort; the thread has ended when the promise resolves. An error of the thread that is no StoreError rejects: a bug. */
export async function runCheckpoints(options: CheckpointOptions, signal: AbortSignal): Promise<void> {
  const { path, clock, log } = options;
  const worker = new Worker(new URL('./outbox-checkpoint-worker.ts', import.meta.url), {
    workerData: { path, maxPages: pagesOf(options.maxBytes) * 2 },
  });
  const failed = new Promise<never>((_, reject) => worker.once('error', reject));
  // Looked at only in the races below.
  failed.catch(() => {});
  let doneRows = 0;
  let doneMs = clock.monotonic();
  try {
    while (!signal.aborted) {
      await Promise.race([clock.sleep(LOOK_EVERY_MS, signal), failed]);
      const rows = options.appended() - doneRows;
      const isDue = rows >= ROWS_BETWEEN || (rows > 0 && clock.monotonic() - doneMs >= LONGEST_MS);
      if (signal.aborted || !isDue) continue;
      const answer = new Promise<CheckpointAnswer>((resolve) => worker.once('message', resolve));
      worker.postMessage('checkpoint');
      const { frames, code } = await Promise.race([answer, failed]);
      doneRows += rows;
      doneMs = clock.monotonic();
      if (code === undefined) log.debug('outbox.checkpointed', () => ({ frames }));
      else log.warn('outbox.checkpoint_failed', { code });
    }
  } finally {
    await worker.terminate();
  }
}
