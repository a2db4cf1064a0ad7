/** Asks the checkpoint thread for its work, now and then: one request at a time, and none while nothing was written. */
import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { pagesOf } from './sqlite.ts';

/** `end`: closes its door, and so ends. A thread that is terminated while it loads SQLite's addon takes the whole process with it (napi_fatal_error). */
export type CheckpointRequest = 'checkpoint' | 'end';

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
  /** The thread has not answered for a minute, or has again: a disk that hangs. */
  readonly onHung?: ((isHung: boolean) => void) | undefined;
  /** Of the thread; its own file when left out. */
  readonly worker?: URL;
}

const LOOK_EVERY_MS = 5_000;
/** About 1.3 MiB of log at one page a row, and now and then a second. */
const ROWS_BETWEEN = 300;
/** A log with anything in it is checkpointed after this at the latest. */
const LONGEST_MS = 600_000;
/** A card that is slow takes seconds. */
export const HUNG_MS = 60_000;

/** Runs until abort; the thread has ended when the promise resolves. An error of the thread that is no StoreError rejects: a bug. */
export async function runCheckpoints(options: CheckpointOptions, signal: AbortSignal): Promise<void> {
  const { path, clock, log } = options;
  const worker = new Worker(options.worker ?? new URL('./outbox-checkpoint-worker.ts', import.meta.url), {
    workerData: { path, maxPages: pagesOf(options.maxBytes) * 2 },
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const ask = (request: CheckpointRequest) => worker.postMessage(request);
  const ending = new AbortController();
  let failure: { readonly error: unknown } | undefined;
  let answered: (answer: CheckpointAnswer | undefined) => void = () => {};
  const stop = () => {
    ending.abort();
    answered(undefined);
  };
  worker.on('message', (answer: CheckpointAnswer) => answered(answer));
  worker.once('error', (error) => {
    failure = { error };
    stop();
  });
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let doneRows = 0;
  let doneMs = clock.monotonic();
  // At the start, too: a process that was killed left its log, and one that is killed often would never come to another time.
  let isDue = true;
  try {
    while (!ending.signal.aborted) {
      const rows = options.appended() - doneRows;
      isDue ||= rows >= ROWS_BETWEEN || (rows > 0 && clock.monotonic() - doneMs >= LONGEST_MS);
      if (!isDue) {
        await clock.sleep(LOOK_EVERY_MS, ending.signal);
        continue;
      }
      isDue = false;
      let isHung = false;
      const cancelHung = clock.after(HUNG_MS, () => {
        isHung = true;
        log.error('outbox.checkpoint_hung');
        options.onHung?.(true);
      });
      const answer = await new Promise<CheckpointAnswer | undefined>((resolve) => {
        answered = resolve;
        ask('checkpoint');
      });
      cancelHung();
      if (isHung) options.onHung?.(false);
      if (answer === undefined) break;
      doneRows += rows;
      doneMs = clock.monotonic();
      if (answer.code === undefined) log.debug('outbox.checkpointed', () => ({ frames: answer.frames }));
      else log.warn('outbox.checkpoint_failed', { code: answer.code });
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    signal.removeEventListener('abort', stop);
    ask('end');
    await exited;
  }
}
