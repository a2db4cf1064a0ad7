/**
 * Traces what is open, one at a time: a case within a second of its confirmation, and again when later rows came into its window. What it finds
 * is written a part at a time, as nothing else is done meanwhile, and with the last part that all was found: one that is cut off is done again,
 * with the same result, and nothing is there twice. The rows that come all the time make a case be traced again once in a while, and not all the time.
 */
import { codeOf } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Day } from '../day.ts';
import { type Db, inStore, moveLog, withoutSync } from '../sqlite.ts';
import type { ExposureRows } from '../trace/exposure-rows.ts';
import type { TracePolicy } from '../trace/trace.ts';
import { LONGEST_LINGERING_MS, LONGEST_STAY_MS } from '../visit.ts';
import type { NoticeBook, VenueNotice } from './notice-book.ts';
import type { Traceable, TraceBook } from './trace-book.ts';

export interface TraceDeskParts {
  /** core.db. */
  readonly db: Db;
  readonly traces: TraceBook;
  readonly notices: NoticeBook;
  /** The one in force. @throws StoreError. */
  readonly policy: () => TracePolicy;
  /** What is open: confirmed and suspected cases, and flags. */
  readonly open: () => readonly Traceable[];
  /** Whether what was open, and is no more, was wrong: else its notices stay until they age off. */
  readonly isDismissed: (source: string) => boolean;
  /** Hands over what it finds a part at a time. @returns what venues are told. */
  readonly trace: (of: Traceable, policy: TracePolicy, onRows: (rows: ExposureRows) => void) => Promise<readonly VenueNotice[]>;
  /** The oldest day within retention. */
  readonly firstDay: () => Day;
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
const WITHDRAWN_AT_A_TIME = 256;
/** Rows after which the log is moved into the file: by itself it would be moved by the four megabytes, which takes 10 to 20 ms. */
const ROWS_A_MOVE = 256;

/** One that could not be traced: when it is tried again, and how long it then rests if it can not be either. */
interface Failed {
  readonly untilMs: number;
  readonly nextRestMs: number;
}

export class TraceDesk {
  readonly #parts: TraceDeskParts;
  readonly #stopping = new AbortController();
  #wake = () => {};
  #hasNews = true;
  #isAtRest = false;
  #restUntilMs = 0;
  /** When those that could not be traced are tried again. */
  readonly #failed = new Map<string, Failed>();

  constructor(parts: TraceDeskParts) {
    this.#parts = parts;
  }

  /** How many wait for what can not be done now, as where a day's file is lost: their notices stay as they are. */
  get waiting(): number {
    return this.#failed.size;
  }

  /** Whether all that can be done now is done. */
  get isAtRest(): boolean {
    return this.#isAtRest && !this.#hasNews;
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
        await this.#withdraw(this.#reconcile(), signal);
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

  /** Writes down what is to be traced. @returns what is no more, and was wrong: it is to be withdrawn. */
  #reconcile(): string[] {
    const { db, traces, open, isDismissed } = this.#parts;
    const policy = this.#parts.policy();
    const wrong: string[] = [];
    inStore('core.db', () =>
      db.transaction(() => {
        const wanted = open();
        for (const one of wanted) traces.want(one, policy.version, reachOf(one, policy));
        const named = new Set(wanted.map(({ source }) => source));
        for (const source of traces.sources()) {
          if (named.has(source)) continue;
          if (isDismissed(source)) wrong.push(source);
          else this.#forget(source);
        }
      })(),
    );
    return wrong;
  }

  /** Takes back what was found of them, some at a time; what is cut off goes on at the next start, as it is forgotten last. */
  async #withdraw(sources: readonly string[], signal: AbortSignal): Promise<void> {
    const { db, notices, onFound } = this.#parts;
    for (const source of sources) {
      let isAny = false;
      for (let gone = WITHDRAWN_AT_A_TIME; gone >= WITHDRAWN_AT_A_TIME; ) {
        withoutSync(db, 'core.db', () => {
          gone = notices.withdraw(source, WITHDRAWN_AT_A_TIME);
        });
        isAny ||= gone > 0;
        if (gone > 0) moveLog(db, 'core.db');
        await new Promise<void>((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      }
      inStore('core.db', () => db.transaction(() => this.#forget(source))());
      if (isAny) onFound();
    }
  }

  #forget(source: string): void {
    this.#parts.traces.forget(source);
    this.#failed.delete(source);
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
      this.#failed.delete(of.source);
    } catch (error) {
      const code = codeOf(error);
      if (signal.aborted || code === undefined) throw error;
      const before = this.#failed.get(of.source);
      if (before === undefined) log.error('trace.waits', { source: of.source, code });
      const restMs = before?.nextRestMs ?? FIRST_RETRY_MS;
      this.#failed.set(of.source, { untilMs: clock.monotonic() + restMs, nextRestMs: Math.min(restMs * 2, LONGEST_RETRY_MS) });
    }
  }

  #hasFailed(source: string): boolean {
    return this.#parts.clock.monotonic() < (this.#failed.get(source)?.untilMs ?? 0);
  }

  #mayAgain(tracedAtMs: number, nowMs: number): boolean {
    // A wall clock that went back is no reason to wait for it.
    const agoMs = nowMs - tracedAtMs;
    return (agoMs >= AGAIN_AFTER_MS || agoMs < 0) && this.#parts.clock.monotonic() >= this.#restUntilMs;
  }

  async #trace(of: Traceable, wanted: number, signal: AbortSignal): Promise<void> {
    const { db, traces, notices, trace, firstDay, onFound, clock, log } = this.#parts;
    const { source, isRaised, endsAtMs, flag } = of;
    // What it is found by and what is written beside it, whatever is set meanwhile: by that it is then traced again.
    const policy = this.#parts.policy();
    const finding = { source, policyVersion: policy.version, isRaised, endsAtMs };
    const named = { ...finding, ...(flag && { level: 'flag' as const, venueRuleVersion: flag.ruleVersion }) };
    const foundAtMs = notices.foundAtMs(source, clock.wall());
    const now = () => ({ foundAtMs, nowMs: clock.wall(), firstDay: firstDay() });
    let [exposures, unmoved] = [0, 0];
    const venues = await trace(of, policy, (rows) => {
      signal.throwIfAborted();
      // Of a card that was taken back since nothing is told.
      if (notices.isErased(of.card)) return;
      exposures += rows.lineages.length;
      withoutSync(db, 'core.db', () => notices.put(named, rows, now()));
      unmoved += rows.lineages.length;
      if (unmoved < ROWS_A_MOVE) return;
      unmoved = 0;
      moveLog(db, 'core.db');
    });
    signal.throwIfAborted();
    inStore('core.db', () =>
      db.transaction(() => {
        notices.finish(source, isRaised && flag === undefined && !notices.isErased(of.card) ? venues : [], now());
        traces.done(source, wanted, clock.wall());
      })(),
    );
    log.info('trace.done', { source, exposures, isRaised });
    onFound();
  }

  #untilNews(waitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#hasNews || signal.aborted || waitMs === 0) return new Promise((resolve) => setImmediate(resolve));
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    this.#isAtRest = true;
    return this.#parts.clock.sleep(waitMs, woken.signal).finally(() => {
      this.#isAtRest = false;
      this.#wake = () => {};
    });
  }
}

/** A visit that meets the windows may have begun, and be closed, a whole stay outside them. */
const reachOf = ({ anchorMs }: Traceable, { farWindowMs }: TracePolicy): { readonly fromMs: number; readonly toMs: number } => ({
  fromMs: anchorMs - farWindowMs - LONGEST_STAY_MS - LONGEST_LINGERING_MS,
  toMs: anchorMs + LONGEST_STAY_MS,
});
