/**
 * Has batches opened by a thread once there are many, and answers in the order of asking, so that a kiosk's PUBACKs keep the order of its
 * batches (MQTT 3.1.1, [MQTT-4.6.0-2]). What is wrong with a batch is not told from one thread to the other: each that the thread did not open
 * plainly is opened here, by the same code, and so is everything while there is no thread.
 */

import { Thread } from '../../disk/thread.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Holder } from '../../protocol/key-record.ts';
import { type Log, placeOf } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Opener, Signer, UnreadBatch } from '../open-batch.ts';
import { decodeAnswer, type OpenAnswer, type OpenRequest, PUBLIC_KEY_BYTES } from './opened-bytes.ts';

export interface OpenDeskOptions {
  /** Opens here. */
  readonly here: Opener;
  /** Of the opener on the thread, which gets a copy of the private keys. */
  readonly deployment: string;
  readonly holders: readonly Holder[];
  readonly clock: Clock;
  readonly log: Log;
  /** Told that the thread failed, and `undefined` when one answers. */
  readonly onFault?: (code: ErrorCode | undefined) => void;
  /** The thread's program; of tests. */
  readonly program?: URL;
}

interface Job {
  readonly message: Uint8Array;
  readonly topic: string;
  readonly kiosk: Signer;
  readonly resolve: (opened: UnreadBatch) => void;
  readonly reject: (error: unknown) => void;
}

const LOOK_EVERY_MS = 1_000;
/** So many in a second are worth a thread: fewer take this one less than a tenth of its time. */
const BUSY_BATCHES = 100;
/** In one request: more take less to hand over, and the first of them waits for the last. */
const MOST_TOGETHER = 16;
/** One at work, one that waits for it. */
const MOST_REQUESTS = 2;
/** Before a thread that failed is begun anew. */
const ANEW_AFTER_MS = 60_000;

export class OpenDesk implements Opener {
  readonly #options: OpenDeskOptions;
  #thread: Thread<OpenRequest, OpenAnswer> | undefined;
  #mayBeginAtMs = 0;
  #asked = 0;
  /** Bounded by what kiosks may have unanswered. */
  #waiting: Job[] = [];
  readonly #underWay: Job[][] = [];
  #isFlushing = false;
  /** Settled when all that was asked before is answered. */
  #told: Promise<void> = Promise.resolve();

  constructor(options: OpenDeskOptions) {
    this.#options = options;
  }

  open(message: Uint8Array, topic: string, kiosk: Signer): Promise<UnreadBatch> {
    this.#asked += 1;
    return new Promise((resolve, reject) => {
      const job = { message, topic, kiosk, resolve, reject };
      if (this.#thread === undefined) {
        this.#openHere(job);
        return;
      }
      this.#waiting.push(job);
      if (this.#isFlushing) return;
      this.#isFlushing = true;
      // All that one turn of the event loop brings goes together.
      setImmediate(() => this.#flush());
    });
  }

  /** Begins a thread when there is much to open. Runs until abort; no thread is left when it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      const isBusy = this.#asked >= BUSY_BATCHES;
      this.#asked = 0;
      if (isBusy && clock.monotonic() >= this.#mayBeginAtMs && !signal.aborted) this.#thread ??= this.#begin();
    }
    await this.#thread?.end();
    this.#thread = undefined;
    this.#openAllHere();
  }

  #flush(): void {
    this.#isFlushing = false;
    while (this.#thread !== undefined && this.#waiting.length > 0 && this.#underWay.length < MOST_REQUESTS) {
      const jobs = this.#waiting.splice(0, MOST_TOGETHER);
      this.#underWay.push(jobs);
      const request = requestOf(jobs);
      this.#thread.ask(request, [request.bytes.buffer]);
    }
  }

  #answer(answer: OpenAnswer): void {
    this.#options.onFault?.(undefined);
    const jobs = this.#underWay.shift() ?? [];
    this.#flush();
    const opened = decodeAnswer(
      answer,
      jobs.map(({ message }) => message),
    );
    for (const [index, job] of jobs.entries()) {
      const batch = opened[index];
      if (batch === undefined) this.#openHere(job);
      else this.#tell(job, Promise.resolve(batch));
    }
  }

  #openHere(job: Job): void {
    this.#tell(job, this.#options.here.open(job.message, job.topic, job.kiosk));
  }

  #tell({ resolve, reject }: Job, opened: Promise<UnreadBatch>): void {
    // It may fail before its turn to be told.
    opened.catch(() => {});
    this.#told = this.#told.then(() => opened).then(resolve, reject);
  }

  #openAllHere(): void {
    for (const job of [...this.#underWay.splice(0).flat(), ...this.#waiting.splice(0)]) this.#openHere(job);
  }

  #begin(): Thread<OpenRequest, OpenAnswer> {
    const { deployment, holders, clock, log, program = new URL('./open-worker.ts', import.meta.url) } = this.#options;
    const copies = holders.map(({ id, privateKey }) => ({ id: new Uint8Array(id), privateKey: new Uint8Array(privateKey) }));
    return new Thread({
      program,
      data: { deployment, holders: copies },
      transferred: copies.map(({ privateKey }) => privateKey.buffer),
      onAnswer: (answer) => this.#answer(answer),
      onFailed: (error) => {
        log.error('opening.thread_failed', placeOf(error));
        this.#options.onFault?.('ingest.thread_failed');
        this.#thread = undefined;
        this.#mayBeginAtMs = clock.monotonic() + ANEW_AFTER_MS;
        this.#openAllHere();
      },
    });
  }
}

function requestOf(jobs: readonly Job[]): OpenRequest {
  const bytes = new Uint8Array(jobs.reduce((sum, { message }) => sum + PUBLIC_KEY_BYTES + message.length, 0));
  let at = 0;
  for (const { message, kiosk } of jobs) {
    bytes.set(kiosk.publicKey, at);
    bytes.set(message, at + PUBLIC_KEY_BYTES);
    at += PUBLIC_KEY_BYTES + message.length;
  }
  return {
    bytes,
    lengths: jobs.map(({ message }) => message.length),
    topics: jobs.map(({ topic }) => topic),
    kiosks: jobs.map(({ kiosk }) => kiosk.kiosk),
  };
}
