/**
 * Carries the ledger to one sink, in its order: read behind the cursor, offer, and only then move the cursor. A crash between
 * the two offers the same entries again, which changes nothing there.
 */
import type { Intake } from '../core/intake.ts';
import { codeOf, type ErrorCode } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { Ledger } from './ledger.ts';
import { SteadyLog } from './steady-log.ts';

export interface Sink {
  /** Keeps its cursor under this name. */
  readonly name: string;
  readonly intake: Intake;
}

export interface SinkProgress {
  readonly behindEntries: number;
  /** Why the last offer failed; `undefined` while all is well. */
  readonly code: ErrorCode | undefined;
  /** Entries that retention ended before the sink had taken them. */
  readonly droppedEntries: number;
}

const MOST_ENTRIES = 256;
const MOST_BYTES = 1_048_576;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 60_000;

export class Forwarder {
  readonly #sink: Sink;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #trouble: SteadyLog;
  readonly #onProgress: (progress: SinkProgress) => void;
  #wake: () => void = () => {};
  #hasNews = true;
  #behindEntries = 0;
  #droppedEntries = 0;

  constructor(sink: Sink, ledger: Ledger, clock: Clock, log: Log, onProgress: (progress: SinkProgress) => void) {
    this.#sink = sink;
    this.#ledger = ledger;
    this.#clock = clock;
    this.#log = log;
    this.#trouble = new SteadyLog(log, clock, 'forward');
    this.#onProgress = onProgress;
  }

  /** There are new entries. */
  wake(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Forwards until aborted; resolves once an offer under way has ended. A bug ends it with that error. */
  async run(signal: AbortSignal): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    let hasAsked = false;
    while (!signal.aborted) {
      const code: ErrorCode | undefined = (hasAsked ? undefined : await this.#goBack()) ?? (await this.#drain(signal));
      hasAsked ||= code === undefined;
      this.#tell(code);
      if (code === undefined) {
        retryMs = FIRST_RETRY_MS;
        await this.#untilNews(signal);
      } else {
        await this.#clock.sleep(retryMs, signal);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
  }

  /** A sink that was brought back from a backup has less than was given to it. @returns why it could not say. */
  async #goBack(): Promise<ErrorCode | undefined> {
    const { name, intake } = this.#sink;
    try {
      const taken = await intake.taken();
      if (taken < this.#ledger.cursorOf(name)) this.#ledger.setCursor(name, taken);
      return undefined;
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** @returns the code of an error that time may cure. */
  #failed(error: unknown): ErrorCode {
    const code = codeOf(error);
    if (code === undefined) throw error;
    this.#trouble.failed({ sink: this.#sink.name, code });
    return code;
  }

  /** @returns why it stopped before the end; `undefined` when everything is taken. */
  async #drain(signal: AbortSignal): Promise<ErrorCode | undefined> {
    this.#hasNews = false;
    try {
      while (!signal.aborted) {
        const entries = this.#ledger.entriesAfter(this.#ledger.cursorOf(this.#sink.name), MOST_ENTRIES, MOST_BYTES);
        const last = entries.at(-1);
        if (last === undefined) break;
        await this.#sink.intake.accept(entries);
        this.#ledger.setCursor(this.#sink.name, last.position);
        this.#log.debug('entries.forwarded', () => ({ sink: this.#sink.name, entries: entries.length }));
        this.#trouble.recovered({ sink: this.#sink.name });
      }
      return undefined;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #tell(code: ErrorCode | undefined): void {
    try {
      this.#behindEntries = this.#ledger.countAfter(this.#ledger.cursorOf(this.#sink.name));
      this.#droppedEntries = this.#ledger.droppedOf(this.#sink.name);
    } catch (error) {
      // The ledger itself fails: the last count stands, and `code` says why.
      if (codeOf(error) === undefined) throw error;
    }
    this.#onProgress({ behindEntries: this.#behindEntries, code, droppedEntries: this.#droppedEntries });
  }

  #untilNews(signal: AbortSignal): Promise<void> {
    if (this.#hasNews || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const woken = () => {
        this.#wake = () => {};
        signal.removeEventListener('abort', woken);
        resolve();
      };
      this.#wake = woken;
      signal.addEventListener('abort', woken, { once: true });
    });
  }
}
