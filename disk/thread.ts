/**
 * A thread beside the event loop, for work that others are not to wait for, with a heap of its own. It is asked to end and never terminated: one
 * that is terminated while it loads an addon takes the whole process with it (napi_fatal_error).
 */
import { parentPort, type ResourceLimits, type Transferable, Worker } from 'node:worker_threads';

const END = 'end';

export interface ThreadDoors<Answer> {
  readonly program: URL;
  /** A key in it is to be wiped by the thread's `onEnd`. */
  readonly data: object;
  /** Buffers of the data that are the thread's alone from now on. */
  readonly transferred: readonly Transferable[];
  /** Of its heap: one that needs more fails. As large as the process's when left out. */
  readonly limits?: ResourceLimits;
  onAnswer(answer: Answer): void;
  /** It ended by itself, and what it was asked last has no answer. */
  onFailed(error: unknown): void;
}

export class Thread<Request, Answer> {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #isEnding = false;

  constructor({ program, data, transferred, limits, onAnswer, onFailed }: ThreadDoors<Answer>) {
    // Nothing of what the process was begun with is the thread's: a debugger's or a test's modules would be loaded once more.
    const given = { workerData: data, transferList: [...transferred], execArgv: [] };
    this.#worker = new Worker(program, { ...given, ...(limits && { resourceLimits: limits }) });
    let why: unknown;
    this.#worker.on('message', onAnswer);
    this.#worker.once('error', (error) => {
      why = error;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        if (!this.#isEnding) onFailed(why);
        resolve();
      });
    });
  }

  /** @param transferred buffers of the request that are the thread's from now on. */
  ask(request: Request, transferred: readonly Transferable[] = []): void {
    this.#worker.postMessage(request, transferred);
  }

  /** Resolves when it has ended: it has answered all that it was asked, or let go of it where it looks at the signal. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#worker.postMessage(END);
    await this.#exited;
  }
}

/** @returns whether a thread failed for want of memory: it reached its limits. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';

/** In the thread: answers each request, one after the other. The signal is aborted once it is asked to end, while it answers. */
export function answerRequests<Request>(
  answer: (
    request: Request,
    give: (answer: object, transferred?: readonly Transferable[]) => void,
    signal: AbortSignal,
  ) => void | Promise<void>,
  onEnd: () => void,
): void {
  const port = parentPort;
  if (port === null) throw new TypeError('thread: not in one');
  const ending = new AbortController();
  let last = Promise.resolve();
  port.on('message', (request: Request | typeof END) => {
    if (request === END) ending.abort();
    last = last.then(async () => {
      if (request !== END) return answer(request, (given, transferred = []) => port.postMessage(given, transferred), ending.signal);
      onEnd();
      port.close();
    });
  });
}
