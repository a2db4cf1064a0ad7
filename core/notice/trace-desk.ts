/**
 * Traces what is open, one at a time: a case within a second of its confirmation, and again when later rows came into its window. What it finds
 * is written in one transaction together with that it was found, so that one that is cut off is done again, with the same result, and nothing
 * is there twice. The rows that come all the time make a case be traced again once in a while, and not all the time.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import { type Db, inStore } from '../sqlite.ts';
import type { Exposure, TracePolicy } from '../trace/trace.ts';
import { LONGEST_LINGERING_MS, LONGEST_STAY_MS } from '../visit.ts';
import type { NoticeBook, VenueNotice } from './notice-book.ts';
import type { Traceable, TraceBook } from './trace-book.ts';

export interface TraceDeskParts {
  /** core.db. */
  readonly db: Db;
  readonly traces: TraceBook;
  readonly notices: NoticeBook;
  readonly policy: TracePolicy;
  /** What is open: confirmed and suspected cases, and flags. */
  readonly open: () => readonly Traceable[];
  /** Whether what was open, and is no more, was wrong: else its notices stay until they age off. */
  readonly isDismissed: (source: string) => boolean;
  readonly trace: (
    of: Traceable,
    signal: AbortSignal,
  ) => Promise<{ readonly exposures: readonly Exposure[]; readonly venues: readonly VenueNotice[] }>;
  /** Told after each commit that may have changed for whom there are notices. */
  readonly onFound: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two traces of one case that nothing but later rows asks for. */
export const AGAIN_AFTER_MS = 60_000;
/** Of each time that it traces again for later rows, so many times as long not. */
const REST = 20;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

export class TraceDesk {
  readonly #parts: TraceDeskParts;
  readonly #stopping = new AbortController();
  #wake = () => {};
  #hasNews = true;
  #restUntilMs = 0;
  /** When those that could not be traced are tried again. */
  readonly #failedUntilMs = new Map<string, number>();

  constructor(parts: TraceDeskParts) {
    this.#parts = parts;
  }

  /** How many wait for what can not be read now, as a day whose file is lost: their notices stay as they are. */
  get waiting(): number {
    return this.#failedUntilMs.size;
  }

  /** Something was opened, confirmed, dismissed or flagged, or rows came: call behind the commit. */
  wake(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Nothing is begun any more, and what is under way writes nothing. */
  stop(): void {
    this.#stopping.abort();
    this.#wake();
  }

  /** Until stopped. A bug ends it with that error. */
  async run(): Promise<void> {
    const { signal } = this.#stopping;
    const { log } = this.#parts;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      let waitMs: number;
      try {
        this.#hasNews = false;
        this.#reconcile();
        waitMs = await this.#traceDue(signal);
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        if (signal.aborted) return;
        const code = codeOf(error);
        if (code === undefined) throw error;
        log.error('trace.failed', { code });
        waitMs = retryMs;
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
      await this.#untilNews(waitMs, signal);
    }
  }

  /** Writes down what is to be traced, and takes back what is no more. */
  #reconcile(): void {
    const { db, traces, notices, policy, open, isDismissed, onFound } = this.#parts;
    let isWithdrawn = false;
    inStore('core.db', () =>
      db.transaction(() => {
        const wanted = open();
        for (const one of wanted) traces.want(one, policy.version, reachOf(one, policy));
        const named = new Set(wanted.map(({ source }) => source));
        for (const source of traces.sources()) {
          if (named.has(source)) continue;
          traces.forget(source);
          this.#failedUntilMs.delete(source);
          if (isDismissed(source)) isWithdrawn = notices.withdraw(source) || isWithdrawn;
        }
      })(),
    );
    if (isWithdrawn) onFound();
  }

  /** @returns how long until the next may be traced again, ms. */
  async #traceDue(signal: AbortSignal): Promise<number> {
    const { clock, traces, open } = this.#parts;
    for (;;) {
      const nowMs = clock.wall();
      const due = traces.due();
      const next = due.find(
        ({ source, tracedAtMs }) => !this.#hasFailed(source) && (tracedAtMs === undefined || this.#mayAgain(tracedAtMs, nowMs)),
      );
      if (next === undefined) return due.length === 0 ? AGAIN_AFTER_MS : 1_000;
      const of = open().find(({ source }) => source === next.source);
      if (of === undefined) return 1_000;
      const sinceMs = clock.monotonic();
      await this.#tryTrace(of, next.wanted, signal);
      const tookMs = clock.monotonic() - sinceMs;
      if (next.tracedAtMs !== undefined) this.#restUntilMs = clock.monotonic() + tookMs * REST;
      if (this.#hasNews) return 0;
    }
  }

  /** One that can not be traced now, as where a day can not be read, holds up itself alone; it is told of once. */
  async #tryTrace(of: Traceable, wanted: number, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    try {
      await this.#trace(of, wanted, signal);
      this.#failedUntilMs.delete(of.source);
    } catch (error) {
      const code = codeOf(error);
      if (signal.aborted || code === undefined) throw error;
      if (!this.#failedUntilMs.has(of.source)) log.error('trace.waits', { source: of.source, code });
      this.#failedUntilMs.set(of.source, clock.monotonic() + AGAIN_AFTER_MS);
    }
  }

  #hasFailed(source: string): boolean {
    return this.#parts.clock.monotonic() < (this.#failedUntilMs.get(source) ?? 0);
  }

  #mayAgain(tracedAtMs: number, nowMs: number): boolean {
    // A wall clock that went back is no reason to wait for it.
    const agoMs = nowMs - tracedAtMs;
    return (agoMs >= AGAIN_AFTER_MS || agoMs < 0) && this.#parts.clock.monotonic() >= this.#restUntilMs;
  }

  async #trace(of: Traceable, wanted: number, signal: AbortSignal): Promise<void> {
    const { db, traces, notices, policy, trace, onFound, clock, log } = this.#parts;
    const { source, isRaised, endsAtMs, flag } = of;
    const { exposures, venues } = await trace(of, signal);
    signal.throwIfAborted();
    inStore('core.db', () =>
      db.transaction(() => {
        const nowMs = clock.wall();
        const finding = {
          source,
          policyVersion: policy.version,
          isRaised,
          endsAtMs,
          exposures,
          venues: isRaised && flag === undefined ? venues : [],
        };
        notices.put({ ...finding, ...(flag && { level: 'flag', venueRuleVersion: flag.ruleVersion }) }, nowMs);
        traces.done(source, wanted, nowMs);
      })(),
    );
    log.info('trace.done', { source, exposures: exposures.length, isRaised });
    onFound();
  }

  #untilNews(waitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#hasNews || signal.aborted || waitMs === 0) return new Promise((resolve) => setImmediate(resolve));
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    return this.#parts.clock.sleep(waitMs, woken.signal).finally(() => {
      this.#wake = () => {};
    });
  }
}

/** A visit that meets the windows may have begun, and be closed, a whole stay outside them. */
const reachOf = ({ anchorMs }: Traceable, { farWindowMs }: TracePolicy): { readonly fromMs: number; readonly toMs: number } => ({
  fromMs: anchorMs - farWindowMs - LONGEST_STAY_MS - LONGEST_LINGERING_MS,
  toMs: anchorMs + LONGEST_STAY_MS,
});
