/**
 * A thread beside the event loop, for work that kiosks are not to wait for. It is asked to end and never terminated: one that is terminated while
 * it loads an addon takes the whole process with it (napi_fatal_error).
 */
import { parentPort, type Transferable, Worker } from 'node:worker_threads';

const END = 'end';

export interface ThreadDoors<Answer> {
  readonly program: URL;
  /** A key in it is to be wiped by the thread's `onEnd`. */
  readonly data: object;
  /** Buffers of the data that are the thread's alone from now on. */
  readonly transferred: readonly Transferable[];
  onAnswer(answer: Answer): void;
  /** It ended by itself, and what it was asked last has no answer. */
  onFailed(error: unknown): void;
}

export class Thread<Request, Answer> {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #isEnding = false;

  constructor({ program, data, transferred, onAnswer, onFailed }: ThreadDoors<Answer>) {
    this.#worker = new Worker(program, { workerData: data, transferList: [...transferred] });
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

  /** Resolves when it has answered all that it was asked and has ended. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#worker.postMessage(END);
    await this.#exited;
  }
}

/** In the thread: answers each request, one after the other. */
export function answerRequests<Request>(
  answer: (request: Request, give: (answer: object, transferred?: readonly Transferable[]) => void) => void | Promise<void>,
  onEnd: () => void,
): void {
  const port = parentPort;
  if (port === null) throw new TypeError('thread: not in one');
  let last = Promise.resolve();
  port.on('message', (request: Request | typeof END) => {
    last = last.then(async () => {
      if (request !== END) return answer(request, (given, transferred = []) => port.postMessage(given, transferred));
      onEnd();
      port.close();
    });
  });
}
