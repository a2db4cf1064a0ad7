/**
 * Has cases traced by a thread with a heap of its own, so that no PUBACK waits for a trace or for what it leaves to the collector. One question at
 * a time; the columns are kept as they are meanwhile. The thread only reads; what it found comes a part at a time, as it is written down. A
 * thread that fails is a state; what it was asked is to be asked again.
 */
import { isOutOfMemory, Thread } from '../../disk/thread.ts';
import { type ErrorCode, StoreError, TraceError } from '../../protocol/errors.ts';
import { type Log, placeOf } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Day } from '../day.ts';
import type { VenueNotice } from '../notice/notice-book.ts';
import { type CardPseudonym, PSEUDONYM_BYTES } from '../pseudonym.ts';
import type { ExposureRows } from './exposure-rows.ts';
import type { BackwardCluster, TracedCase, TracePolicy } from './trace.ts';

export interface TraceAsked extends TracedCase {
  readonly nowMs: number;
  /** The oldest day within retention. */
  readonly firstDay: Day;
  readonly policy: TracePolicy;
}

export type TraceRequest =
  | ({ readonly kind: 'trace'; readonly hasVenues: boolean } & TraceAsked)
  | { readonly kind: 'more' }
  | ({ readonly kind: 'backward'; readonly cases: Uint8Array } & TraceAsked)
  /** Lets go of every file and of what was read of them. Has no answer. */
  | { readonly kind: 'forget' };

export type TraceAnswer =
  | {
      readonly kind: 'found';
      readonly venues: readonly VenueNotice[];
      readonly rows: ExposureRows;
      /** How many are not handed over yet. */
      readonly left: number;
    }
  | { readonly kind: 'clusters'; readonly clusters: readonly BackwardCluster[] }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

export interface TraceThreadParts {
  /** Of the core. */
  readonly dir: string;
  /** 32 bytes, of which the thread gets a copy: it opens core.db, where the days' keys lie. */
  readonly storeKey: Uint8Array;
  /** Keeps the days' columns as they are until what it gives is called. */
  readonly hold: () => Promise<() => void>;
  readonly firstDay: () => Day;
  readonly clock: Clock;
  readonly log: Log;
  /** The thread's program; of tests. */
  readonly program?: URL;
}

/** Written down in about a millisecond. */
export const ROWS_AT_A_TIME = 32;
/** Three times what the largest trace takes (`MOST_CARDS`). */
const HEAP_MIB = 1_024;
/** Before a thread that failed is begun anew: doubled each time that it fails again. */
const FIRST_REST_MS = 1_000;
const LONGEST_REST_MS = 60_000;

interface Waiting {
  readonly resolve: (answer: TraceAnswer) => void;
  readonly reject: (error: TraceError) => void;
}

export class TraceThread {
  readonly #parts: TraceThreadParts;
  #thread: Thread<TraceRequest, TraceAnswer> | undefined;
  #waiting: Waiting | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #fault: ErrorCode | undefined;
  #failures = 0;
  #restMs = FIRST_REST_MS;
  #mayBeginAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #ended: Promise<void> | undefined;

  constructor(parts: TraceThreadParts) {
    this.#parts = parts;
  }

  /** Why nothing is traced; `undefined` while a thread answers, or none was needed yet. */
  get fault(): ErrorCode | undefined {
    return this.#fault;
  }

  /** How often a thread has failed since the core was opened. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Whom a case exposed, high before medium: each part is handed to `onRows` in a turn of its own of the event loop.
   * @param onRows what it throws ends it. @returns what venues are told, where `hasVenues`.
   * @throws StoreError of a day that can not be read; TraceError `trace.thread_failed`, `trace.too_large`.
   */
  async trace(
    asked: Omit<TraceAsked, 'firstDay'> & { readonly hasVenues: boolean },
    onRows: (rows: ExposureRows) => void,
  ): Promise<readonly VenueNotice[]> {
    return this.#alone(async (firstDay) => {
      const answer = await this.#ask({ ...asked, kind: 'trace', firstDay });
      if (answer.kind !== 'found') throw refused(answer);
      let part = answer;
      for (;;) {
        onRows(part.rows);
        if (part.left === 0) return answer.venues;
        const next = await this.#ask({ kind: 'more' });
        if (next.kind !== 'found') throw refused(next);
        part = next;
      }
    });
  }

  /** Where a case may have been infected, as `backwardClusters`. @throws as `trace`. */
  async backward(asked: Omit<TraceAsked, 'firstDay'>, cases: readonly CardPseudonym[]): Promise<readonly BackwardCluster[]> {
    const names = new Uint8Array(cases.length * PSEUDONYM_BYTES);
    for (const [index, card] of cases.entries()) names.set(card, index * PSEUDONYM_BYTES);
    return this.#alone(async (firstDay) => {
      const answer = await this.#ask({ ...asked, kind: 'backward', cases: names, firstDay });
      if (answer.kind !== 'clusters') throw refused(answer);
      return answer.clusters;
    });
  }

  /** A case may come soon: a thread takes a fifth of a second to begin. */
  prepare(): void {
    if (this.#isClosed || this.#fault !== undefined) return;
    this.#thread ??= this.#begin();
  }

  /** A day was dropped or a card erased: the thread reads nothing of what it had open, or remembers of it, in any later answer. */
  forget(): void {
    if (!this.#isClosed) this.#thread?.ask({ kind: 'forget' });
  }

  /** What is asked fails from now on. Resolves when no thread is left. Twice is not an error. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#give()?.reject(closed());
    this.#ended ??= this.#thread?.end() ?? Promise.resolve();
    return this.#ended;
  }

  #alone<T>(question: (firstDay: Day) => Promise<T>): Promise<T> {
    const asked = this.#last.then(async () => {
      const release = await this.#parts.hold();
      try {
        return await question(this.#parts.firstDay());
      } finally {
        release();
      }
    });
    this.#last = asked.catch(() => {});
    return asked;
  }

  #ask(request: TraceRequest): Promise<TraceAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw closed();
      this.#thread ??= this.#begin();
      this.#waiting = { resolve, reject };
      this.#thread.ask(request);
    });
  }

  #give(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #begin(): Thread<TraceRequest, TraceAnswer> {
    const { dir, storeKey, clock, log, program = new URL('./trace-worker.ts', import.meta.url) } = this.#parts;
    if (clock.monotonic() < this.#mayBeginAtMs)
      throw new TraceError(this.#fault ?? 'trace.thread_failed', 'trace: its thread failed a moment ago');
    const copy = new Uint8Array(storeKey);
    return new Thread({
      program,
      data: { dir, storeKey: copy },
      transferred: [copy.buffer],
      limits: { maxOldGenerationSizeMb: HEAP_MIB },
      onAnswer: (answer) => {
        if (this.#fault !== undefined) log.info('trace.thread_recovered');
        this.#fault = undefined;
        this.#restMs = FIRST_REST_MS;
        this.#give()?.resolve(answer);
      },
      onFailed: (error) => {
        const code = isOutOfMemory(error) ? 'trace.too_large' : 'trace.thread_failed';
        this.#thread = undefined;
        this.#fault = code;
        this.#failures += 1;
        this.#mayBeginAtMs = clock.monotonic() + this.#restMs;
        log.error('trace.thread_failed', { code, restMs: this.#restMs, ...placeOf(error) });
        this.#restMs = Math.min(this.#restMs * 2, LONGEST_REST_MS);
        this.#give()?.reject(new TraceError(code, 'trace: its thread failed'));
      },
    });
  }
}

const closed = (): TraceError => new TraceError('trace.thread_failed', 'trace: closed');

function refused(answer: TraceAnswer): Error {
  if (answer.kind === 'failed') return new (answer.code === 'trace.too_large' ? TraceError : StoreError)(answer.code, answer.message);
  return new TypeError(`trace: an answer of another kind: ${answer.kind}`);
}
