/**
 * Carries the ledger to one sink, in its order: read behind the cursor, offer, and only then move the cursor. A crash between
 * the two offers the same entries again, which changes nothing there. What a sink does, or does not, holds up its own loop and no other.
 */
import type { Intake } from '../core/intake.ts';
import { codeOf, type ErrorCode, SinkError } from '../protocol/errors.ts';
import type { LedgerEntry } from '../protocol/ledger-entry.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { EpochMillis, MonotonicMillis } from '../protocol/units.ts';
import type { Ledger } from './ledger.ts';
import type { SinkErasures } from './sinks/erasures.ts';
import { Offerer } from './sinks/offer.ts';
import type { SetAside } from './sinks/set-aside.ts';
import { SteadyLog } from './steady-log.ts';

export interface Sink {
  /** Keeps its cursor under this name. */
  readonly name: string;
  readonly intake: Intake;
  /** At most, sustained; `undefined` for as fast as it takes them. */
  readonly entriesPerSecond?: number | undefined;
  /** What it is to be told of taken-back cards; absent where nobody tells it. */
  readonly erasures?: SinkErasures | undefined;
}

export interface SinkProgress {
  readonly behindEntries: number;
  /** When the oldest of them was received; `undefined` when it has everything. */
  readonly waitingSinceMs: EpochMillis | undefined;
  /** Why the last offer failed; `undefined` while all is well. */
  readonly code: ErrorCode | undefined;
  /** Entries that retention ended before the sink had taken them. */
  readonly droppedEntries: number;
  /** Entries that it refused for what they are. */
  readonly setAsideEntries: number;
  /** Rows of taken-back cards that it has not said to have erased; absent where there are none. */
  readonly unerasedRows?: number;
}

const MOST_ENTRIES = 256;
const MOST_BYTES = 1_048_576;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 60_000;

const NOTHING: SinkProgress = { behindEntries: 0, waitingSinceMs: undefined, code: undefined, droppedEntries: 0, setAsideEntries: 0 };

export class Forwarder {
  readonly #sink: Sink;
  readonly #ledger: Ledger;
  readonly #setAside: SetAside;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #trouble: SteadyLog;
  readonly #offerer: Offerer;
  readonly #onProgress: (progress: SinkProgress) => void;
  #wake: () => void = () => {};
  #hasNews = true;
  #progress = NOTHING;

  constructor(sink: Sink, ledger: Ledger, setAside: SetAside, clock: Clock, log: Log, onProgress: (progress: SinkProgress) => void) {
    this.#sink = sink;
    this.#ledger = ledger;
    this.#setAside = setAside;
    this.#clock = clock;
    this.#log = log;
    this.#trouble = new SteadyLog(log, clock, 'forward');
    this.#offerer = new Offerer({
      intake: sink.intake,
      name: sink.name,
      setAside: (entry, reason) => this.#keepAside(entry, reason),
      onPassed: (position) => ledger.setCursor(sink.name, position),
    });
    this.#onProgress = onProgress;
  }

  /** There are new entries. */
  wake(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Tells how far it is, also while an offer is under way or waits. */
  look(): void {
    this.#tell(this.#progress.code);
    if (this.#isErasureDue()) this.wake();
  }

  /** Forwards until aborted; resolves once an offer under way has ended. A bug ends it with that error. */
  async run(signal: AbortSignal): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    let hasAsked = false;
    while (!signal.aborted) {
      const error: unknown =
        (hasAsked ? undefined : await this.#trying(() => this.#goBack())) ?? (await this.#trying(() => this.#drain(signal)));
      if (signal.aborted) return;
      // Whoever failed may have been brought back from a backup since.
      hasAsked = error === undefined;
      this.#tell(codeOf(error));
      if (error === undefined) {
        retryMs = FIRST_RETRY_MS;
        await this.#untilNews(signal);
      } else {
        await this.#clock.sleep(Math.max(retryMs, error instanceof SinkError ? (error.retryAfterMs ?? 0) : 0), signal);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
  }

  /** @returns an error that time or a person may cure. */
  async #trying(step: () => Promise<void>): Promise<unknown> {
    try {
      await step();
      return undefined;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#trouble.failed({ sink: this.#sink.name, code });
      return error;
    }
  }

  /** A sink that was brought back from a backup has less than was given to it. */
  async #goBack(): Promise<void> {
    const { name, intake } = this.#sink;
    const taken = await intake.taken();
    if (taken !== undefined && taken < this.#ledger.cursorOf(name)) this.#ledger.setCursor(name, taken);
  }

  /** Until everything is taken. */
  async #drain(signal: AbortSignal): Promise<void> {
    const { name, entriesPerSecond } = this.#sink;
    const most = Math.min(MOST_ENTRIES, entriesPerSecond ?? MOST_ENTRIES);
    this.#hasNews = false;
    while (!signal.aborted) {
      // Nothing is under way now: no entry with such a row comes in behind this.
      await this.#sink.erasures?.tell(signal);
      const sinceMs = this.#clock.monotonic();
      const entries = this.#ledger.entriesAfter(this.#ledger.cursorOf(name), most, MOST_BYTES);
      const last = entries.at(-1);
      if (last === undefined) break;
      await this.#offerer.offer(this.#setAside.without(name, entries));
      this.#ledger.setCursor(name, last.position);
      this.#log.debug('entries.forwarded', () => ({ sink: name, entries: entries.length }));
      this.#trouble.recovered({ sink: name });
      this.#progress = { ...this.#progress, code: undefined };
      if (entriesPerSecond !== undefined) await this.#pace(sinceMs, (entries.length * 1_000) / entriesPerSecond, signal);
    }
  }

  async #pace(sinceMs: MonotonicMillis, takesMs: number, signal: AbortSignal): Promise<void> {
    const restMs = sinceMs + takesMs - this.#clock.monotonic();
    if (restMs >= 1) await this.#clock.sleep(restMs, signal);
  }

  #keepAside(entry: LedgerEntry, reason: ErrorCode): void {
    this.#setAside.add(this.#sink.name, entry, reason, this.#clock.wall());
    this.#log.warn('entry.set_aside', { sink: this.#sink.name, position: entry.position, reason });
  }

  #tell(code: ErrorCode | undefined): void {
    const { name } = this.#sink;
    try {
      const cursor = this.#ledger.cursorOf(name);
      const behindEntries = this.#ledger.countAfter(cursor);
      const unerasedRows = this.#sink.erasures?.rows ?? 0;
      this.#progress = {
        behindEntries,
        waitingSinceMs: behindEntries === 0 ? undefined : this.#ledger.receivedAfter(cursor),
        code,
        droppedEntries: this.#ledger.droppedOf(name),
        setAsideEntries: this.#setAside.count(name),
        ...(unerasedRows > 0 && { unerasedRows }),
      };
    } catch (error) {
      // The ledger itself fails: the last count stands, and `code` says why.
      if (codeOf(error) === undefined) throw error;
      this.#progress = { ...this.#progress, code };
    }
    this.#onProgress(this.#progress);
  }

  #isErasureDue(): boolean {
    try {
      return this.#sink.erasures?.isDue ?? false;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
    }
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
