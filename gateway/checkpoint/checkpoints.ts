/**
 * Has the write-ahead logs of the ledger's index and of the day's entries moved into their files by a thread. Where the thread fails or falls
 * behind, SQLite does it within a commit once a log is longer than MOST_LOG_PAGES: kiosks then wait for it, and the state says so.
 *
 * A checkpoint of the index keeps the ledger's order (docs/decisions/0020-ingest-at-speed.md): it takes whole commits only, an index commit is
 * made once its entries are synced, and the log is synced before the file is written.
 */
import { existsSync } from 'node:fs';
import { Thread } from '../../disk/thread.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { type Log, placeOf } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { LogState } from '../database.ts';
import type { Ledger } from '../ledger.ts';
import { SteadyLog } from '../steady-log.ts';

export interface CheckpointRequest {
  readonly path: string;
}

/** What the thread answers: how the log is now, or why it could not. */
export interface CheckpointAnswer extends LogState {
  readonly code: ErrorCode | undefined;
}

export interface CheckpointOptions {
  /** The index's file. */
  readonly index: string;
  readonly ledger: Pick<Ledger, 'lastPosition' | 'boundLogs'> & { readonly segments: Pick<Ledger['segments'], 'newestPath'> };
  /** 32 bytes, of which the thread gets a copy. */
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly log: Log;
  /** Told after each round; `undefined` while all is well. */
  readonly onFault: (code: ErrorCode | undefined) => void;
  /** The thread's program; of tests. */
  readonly program?: URL;
}

const LOOK_EVERY_MS = 1_000;
/** At 64 rows an entry some 2.5 MiB of entries; a second's worth at full load is four times that. */
const ENTRIES_BETWEEN = 250;
/** A log with any entry in it is moved after this at the latest. */
const LONGEST_MS = 600_000;
/** 32 MiB: moved within a commit, that takes a fifth of a second. */
const MOST_LOG_PAGES = 8_000;
/** A thread that finds this much comes too seldom, or somebody reads for so long that nothing can be moved. */
const BEHIND_PAGES = (MOST_LOG_PAGES * 3) / 4;
/**
 * A log that is whole in its file is begun anew by the next commit, but not by one that had begun before: one that is still this long then
 * is seen to again soon.
 */
const LONG_PAGES = 2_000;
const SOON_MS = 100;
/** Before a log that could not be moved is tried again, by another thread if the thread failed. */
const AGAIN_AFTER_MS = 10_000;

export class Checkpoints {
  readonly #options: CheckpointOptions;
  readonly #trouble: SteadyLog;
  /** Begun when there is something to move: a gateway of a few kiosks needs it six times an hour. */
  #thread: Thread<CheckpointRequest, CheckpointAnswer> | undefined;
  #answered: (answer: CheckpointAnswer) => void = () => {};
  #atRest: Promise<void> = Promise.resolve();
  #doneEntries: number;
  #doneMs: number;
  #isLong = false;
  #hasFailed = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#trouble = new SteadyLog(options.log, options.clock, 'checkpoint');
    this.#doneEntries = options.ledger.lastPosition;
    this.#doneMs = options.clock.monotonic();
  }

  /** Resolves when no log is being moved, and none is until the event loop has had its turn. */
  readonly whenAtRest = (): Promise<void> => this.#atRest;

  /** Runs until abort; no thread is left when it resolves. @throws StoreError. */
  async run(signal: AbortSignal): Promise<void> {
    const { ledger, clock } = this.#options;
    ledger.boundLogs(MOST_LOG_PAGES);
    while (!signal.aborted) {
      if (this.#isDue()) {
        this.#atRest = this.#round();
        await this.#atRest;
      }
      await clock.sleep(this.#isLong ? SOON_MS : LOOK_EVERY_MS, signal);
    }
    await this.#thread?.end();
  }

  #isDue(): boolean {
    const { ledger, clock } = this.#options;
    const forMs = clock.monotonic() - this.#doneMs;
    if (this.#hasFailed) return forMs >= AGAIN_AFTER_MS;
    const entries = ledger.lastPosition - this.#doneEntries;
    return entries >= ENTRIES_BETWEEN || (entries > 0 && (this.#isLong || forMs >= LONGEST_MS));
  }

  async #round(): Promise<void> {
    const { index, ledger, clock, log, onFault } = this.#options;
    const entries = ledger.lastPosition;
    const { newestPath } = ledger.segments;
    let fault: ErrorCode | undefined;
    this.#isLong = false;
    for (const path of newestPath === undefined ? [index] : [index, newestPath]) {
      const { frames, isWhole, code } = await this.#move(path);
      // Retention took it away just now.
      if (code !== undefined && !existsSync(path)) continue;
      const found = code ?? (frames >= BEHIND_PAGES ? 'store.log_long' : undefined);
      if (found === undefined) log.debug('ledger.checkpointed', () => ({ frames, isWhole }));
      fault ??= found;
      this.#isLong ||= isWhole && frames >= LONG_PAGES;
    }
    if (fault === undefined) this.#trouble.recovered();
    else this.#trouble.failed({ code: fault });
    onFault(fault);
    this.#hasFailed = fault !== undefined;
    this.#doneEntries = entries;
    this.#doneMs = clock.monotonic();
  }

  #move(path: string): Promise<CheckpointAnswer> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#thread ??= this.#begin();
      this.#thread.ask({ path });
    });
  }

  #begin(): Thread<CheckpointRequest, CheckpointAnswer> {
    const { key, log, program = new URL('./checkpoint-worker.ts', import.meta.url) } = this.#options;
    const copy = new Uint8Array(key);
    return new Thread({
      program,
      data: { key: copy },
      transferred: [copy.buffer],
      onAnswer: (answer) => this.#answered(answer),
      onFailed: (error) => {
        log.error('checkpoint.thread_failed', placeOf(error));
        this.#thread = undefined;
        this.#answered({ frames: 0, isWhole: false, code: 'store.log_long' });
      },
    });
  }
}
