/**
 * Asks the checkpoint thread for its work, now and then: one request at a time, and none while nothing was written. What was deleted goes out
 * of the log, too, at once for who asks for it, else within the hour.
 */
import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import { pagesOf } from './sqlite.ts';

/**
 * `empty`: a checkpoint after which nothing is left in the log. `end`: closes its door, and so ends. A thread that is terminated while it
 * loads SQLite's addon takes the whole process with it (napi_fatal_error).
 */
export type CheckpointRequest = 'checkpoint' | 'empty' | 'end';

/** What the thread answers: the frames the log held and whether none is left, or why it could not. */
export interface CheckpointAnswer {
  readonly frames: number;
  readonly isEmpty?: boolean;
  readonly code: ErrorCode | undefined;
}

export interface CheckpointOptions {
  readonly path: string;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Rows appended to the outbox so far in this process. */
  readonly appended: () => number;
  /** Rows deleted from it; none when left out. */
  readonly deleted?: () => number;
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
/** An emptied log is laid out anew, 2 MiB: a card that is written each minute for what was deleted then would wear out. */
const EMPTY_EVERY_MS = 3_600_000;
/** Another was reading it. */
const EMPTY_AGAIN_MS = 60_000;
/** A card that is slow takes seconds. */
export const HUNG_MS = 60_000;

export class OutboxCheckpoints {
  readonly #options: CheckpointOptions;
  readonly #ending = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #wake = new AbortController();
  #asking: ((isEmpty: boolean) => void)[] = [];

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /** Ends what runs. @returns once the thread has ended: nothing of it has the outbox's files open any more. */
  end(): Promise<void> {
    this.#ending.abort();
    return this.#ended.promise;
  }

  /** @returns whether nothing of what was deleted before stands in the log; not so while another reads it, or when this has ended: to be tried again. */
  emptyLog(): Promise<boolean> {
    if (this.#ending.signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      this.#wake.abort();
    });
  }

  /** Runs until abort; the thread has ended when the promise resolves. An error of the thread that is no StoreError rejects: a bug. */
  async run(signal: AbortSignal): Promise<void> {
    const { path, maxBytes, worker: file } = this.#options;
    const worker = new Worker(file ?? new URL('./outbox-checkpoint-worker.ts', import.meta.url), {
      workerData: { path, maxPages: pagesOf(maxBytes) * 2 },
      // Nothing of what the process was begun with is the thread's: a debugger's or a test's modules would be loaded once more.
      execArgv: [],
    });
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    const ask = (request: CheckpointRequest) => worker.postMessage(request);
    let failure: { readonly error: unknown } | undefined;
    let answered: (answer: CheckpointAnswer | undefined) => void = () => {};
    const stop = () => this.#ending.abort();
    const ending = () => {
      this.#wake.abort();
      answered(undefined);
    };
    this.#ending.signal.addEventListener('abort', ending, { once: true });
    if (this.#ending.signal.aborted) ending();
    worker.on('message', (answer: CheckpointAnswer) => answered(answer));
    worker.once('error', (error) => {
      failure = { error };
      stop();
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      await this.#rounds((request) => {
        return new Promise<CheckpointAnswer | undefined>((resolve) => {
          answered = resolve;
          ask(request);
        });
      });
      if (failure !== undefined) throw failure.error;
    } finally {
      signal.removeEventListener('abort', stop);
      for (const resolve of this.#asking.splice(0)) resolve(false);
      ask('end');
      await exited;
      this.#ended.resolve();
    }
  }

  async #rounds(ask: (request: CheckpointRequest) => Promise<CheckpointAnswer | undefined>): Promise<void> {
    const { clock, appended, deleted = () => 0 } = this.#options;
    let doneRows = 0;
    let doneMs = clock.monotonic();
    // At the start, too: a process that was killed left its log, with what it had deleted, and one that is killed often would never come to another time.
    let isDue = true;
    let deletedRows = -1;
    let emptyFromMs = Number.NEGATIVE_INFINITY;
    while (!this.#ending.signal.aborted) {
      const rows = appended() - doneRows;
      const gone = deleted();
      const isToEmpty = this.#asking.length > 0 || (gone > deletedRows && clock.monotonic() >= emptyFromMs);
      isDue ||= isToEmpty || rows >= ROWS_BETWEEN || (rows > 0 && clock.monotonic() - doneMs >= LONGEST_MS);
      if (!isDue) {
        await clock.sleep(LOOK_EVERY_MS, this.#wake.signal);
        if (!this.#ending.signal.aborted) this.#wake = new AbortController();
        continue;
      }
      isDue = false;
      const asking = this.#asking.splice(0);
      const answer = await this.#answerOf(ask(isToEmpty ? 'empty' : 'checkpoint'));
      const isEmpty = answer?.isEmpty === true;
      for (const resolve of asking) resolve(isEmpty);
      if (answer === undefined) return;
      doneRows += rows;
      doneMs = clock.monotonic();
      if (isEmpty) deletedRows = gone;
      if (isToEmpty) emptyFromMs = doneMs + (isEmpty ? EMPTY_EVERY_MS : EMPTY_AGAIN_MS);
    }
  }

  async #answerOf(asked: Promise<CheckpointAnswer | undefined>): Promise<CheckpointAnswer | undefined> {
    const { clock, log, onHung } = this.#options;
    let isHung = false;
    const cancelHung = clock.after(HUNG_MS, () => {
      isHung = true;
      log.error('outbox.checkpoint_hung');
      onHung?.(true);
    });
    const answer = await asked;
    cancelHung();
    if (isHung) onHung?.(false);
    if (answer === undefined) return undefined;
    if (answer.code === undefined) log.debug('outbox.checkpointed', () => ({ frames: answer.frames }));
    else log.warn('outbox.checkpoint_failed', { code: answer.code });
    return answer;
  }
}
