/** Notices in a core: hears what makes and ends them, has them traced, keeps them, and tells gateways and holders. */

import { codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import type { Log } from '../../protocol/log.ts';
import { endStep, type Noticed, noticeDigestOf } from '../../protocol/notice.ts';
import type { NoticeNews, StickerNews } from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { anchorOf, type Case } from '../case/case.ts';
import type { Day } from '../day.ts';
import type { FlagRule, HolderNotice, NoticeSource } from '../intake.ts';
import type { RowNumber } from '../notes.ts';
import { type CardNames, type CardPseudonym, nameText } from '../pseudonym.ts';
import type { Db } from '../sqlite.ts';
import type { ExposureRows } from '../trace/exposure-rows.ts';
import { TracePolicies } from '../trace/policy-book.ts';
import type { TracePolicy } from '../trace/trace.ts';
import type { TraceThread } from '../trace/trace-thread.ts';
import { NoticeBook, type VenueNotice } from './notice-book.ts';
import { NoticeFeed } from './notice-feed.ts';
import { type Traceable, TraceBook } from './trace-book.ts';
import { TraceDesk } from './trace-desk.ts';

export interface NoticeParts {
  /** core.db. */
  readonly db: Db;
  readonly names: CardNames;
  readonly cases: {
    open(): Case[];
    find(id: number): Case | undefined;
    onChanged(heard: () => void): () => void;
    readonly stickerNews: NoticeSource['stickerNews'];
  };
  readonly tracer: Pick<TraceThread, 'trace' | 'prepare' | 'forget' | 'fault' | 'failures'>;
  /** The oldest day within retention. */
  readonly firstDay: () => Day;
  /** In force until another is set. */
  readonly policy: TracePolicy;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NoticeCounts {
  /** Cards that there are notices for. */
  readonly noticed: number;
  /** Those beyond, of whom gateways are not told. */
  readonly leftOut: number;
  /** Cases and flags that are to be traced. */
  readonly toTrace: number;
  /** Of these, those that wait for what can not be done now, as where a day's file is lost. */
  readonly waiting: number;
  /** Why nothing is traced now; `undefined` while all is well. */
  readonly fault: ErrorCode | undefined;
  /** How often what traces has failed since the core was opened. */
  readonly failures: number;
  /** Since when the oldest of `toTrace` has waited; `undefined` where none does. */
  readonly oldestDueMs: number | undefined;
}

/** Between two times that the feed is made anew of core.db. */
const REFRESH_EVERY_MS = 250;
const DIGESTS_REMEMBERED = 100_000;
/** Made in about a millisecond. */
const DIGESTS_AT_A_TIME = 256;
/** A core that goes on running is ready for a case; one that is opened for a moment has no need of it. */
const PREPARE_AFTER_MS = 1_000;

export class Notices implements NoticeSource {
  readonly book: NoticeBook;
  readonly policies: TracePolicies;
  readonly #parts: NoticeParts;
  readonly #traces: TraceBook;
  readonly #desk: TraceDesk;
  readonly #feed: NoticeFeed;
  /** By the text of a card's name: made of it at the cost of two hashes each. */
  readonly #digests = new Map<string, Uint8Array>();
  #isOpen = false;
  #leftOut = 0;
  #hasShown = false;
  #hasRows = false;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  #cancelRefresh: (() => void) | undefined;
  #isStale = false;
  #erasures = 0;
  #endCases: () => void = () => {};
  #cancelPrepare: () => void = () => {};

  constructor(parts: NoticeParts) {
    const { db, policy, clock, log } = parts;
    this.#parts = parts;
    this.book = new NoticeBook(db);
    this.policies = new TracePolicies(db, policy);
    this.#traces = new TraceBook(db);
    this.#feed = new NoticeFeed(clock);
    this.#desk = new TraceDesk({
      db,
      traces: this.#traces,
      notices: this.book,
      policy: () => this.policy,
      open: () => this.#open(),
      isDismissed: (source) => this.#isDismissed(source),
      trace: (of, by, onRows) => this.#trace(of, by, onRows),
      firstDay: parts.firstDay,
      onFound: () => this.#refreshSoon(),
      clock,
      log,
    });
  }

  /** The one in force: what results are found by. @throws StoreError. */
  get policy(): TracePolicy {
    return this.policies.current();
  }

  /** Another was set: what is open is traced by it at once. */
  policyChanged(): void {
    this.#desk.wake();
  }

  /** Begins to trace and to tell; notices that were there before are told at once. */
  open(): void {
    this.#isOpen = true;
    for (const _ of this.#refresh());
    this.#endCases = this.#parts.cases.onChanged(() => this.#desk.wake());
    void this.#desk.run();
    this.#cancelPrepare = this.#parts.clock.after(PREPARE_AFTER_MS, () => this.#parts.tracer.prepare());
  }

  /** Twice is not an error. */
  close(): void {
    this.#isOpen = false;
    this.#endCases();
    this.#cancelPrepare();
    this.#desk.stop();
    this.#cancelRefresh?.();
  }

  /** Within the caller's transaction: scans of these times came, or were taken back. */
  rowsCame(fromMs: number, toMs: number): void {
    this.#hasRows = this.#traces.rowsCame(fromMs, toMs) || this.#hasRows;
  }

  /** Within the caller's transaction: a kiosk has shown a card's notice. */
  noteShown(card: CardPseudonym, atMs: number, uncertaintyMs: number): void {
    const nowMs = this.#parts.clock.wall();
    this.#hasShown = this.book.shown(card, Math.min(atMs, nowMs), Math.min(atMs + uncertaintyMs, nowMs)) || this.#hasShown;
  }

  /** Within the caller's transaction: a reading was high; a flag may come to stand on it. */
  noteHighReading(reading: RowNumber, card: CardPseudonym, atMs: number, rule?: FlagRule): void {
    this.book.addHighReading(reading, card, atMs, rule);
    this.#hasRows = true;
  }

  /** Within the caller's transaction: a flag was raised, confirmed or cleared. */
  noteFlag(): void {
    this.#hasRows = true;
  }

  /** Somebody is tested: a case may come. */
  caseMayCome(): void {
    this.#parts.tracer.prepare();
  }

  /** A card was taken back by its holder: nobody is told of it any more. */
  cardErased(): void {
    this.#parts.tracer.forget();
    this.#erasures += 1;
    this.#refreshSoon();
  }

  /** Behind the commit: does what follows of what was noted. */
  told(): void {
    if (this.#hasRows) this.#desk.wake();
    if (this.#hasShown) this.#refreshSoon();
    this.#hasRows = false;
    this.#hasShown = false;
  }

  noticeNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<NoticeNews> {
    return this.#feed.news(after, waitMs, signal);
  }

  stickerNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<StickerNews> {
    return this.#parts.cases.stickerNews(after, waitMs, signal);
  }

  /** Whether nothing is left to trace that can be traced now. */
  get isAtRest(): boolean {
    return this.#desk.isAtRest;
  }

  /** What a holder who proves that the card is theirs is shown. */
  ofHolder(card: VisitorUuid): HolderNotice[] {
    return this.book.ofCard(this.#parts.names.of(card), this.#parts.clock.wall());
  }

  /** Forgets what has aged off, and what was made of forgotten days. */
  sweep(firstDay: Day): void {
    this.book.sweep(this.#parts.clock.wall(), firstDay);
    this.#refreshSoon();
  }

  counts(): NoticeCounts {
    const traces = { toTrace: this.#traces.due().length, waiting: this.#desk.waiting, oldestDueMs: this.#traces.oldestDueMs() };
    const { fault, failures } = this.#parts.tracer;
    return { noticed: this.#feed.count, leftOut: this.#leftOut, ...traces, fault, failures };
  }

  #open(): Traceable[] {
    const { cases, clock } = this.#parts;
    const { policy } = this;
    const nowMs = clock.wall();
    const open = cases.open().map((one) => ({
      source: `case/${one.id}`,
      card: one.card,
      anchorMs: Math.min(anchorOf(one, policy.anchor), nowMs),
      isRaised: one.state === 'confirmed',
      endsAtMs: undefined,
    }));
    const flagged = this.book.flags(nowMs).map(({ name, card, raisedAtMs, expiresAtMs, minimumOverlapMs, ruleVersion }) => ({
      source: `flag/${name}`,
      card,
      anchorMs: raisedAtMs,
      isRaised: true,
      endsAtMs: expiresAtMs,
      flag: { minimumOverlapMs, ruleVersion },
    }));
    return [...open, ...flagged];
  }

  /** A case that is gone altogether, taken back by its holder or past retention, was none the less one: its notices age off by themselves. */
  #isDismissed(source: string): boolean {
    const id = /^case\/(\d+)$/.exec(source)?.[1];
    return id === undefined || this.#parts.cases.find(Number(id))?.state === 'dismissed';
  }

  #trace(of: Traceable, policy: TracePolicy, onRows: (rows: ExposureRows) => void): Promise<readonly VenueNotice[]> {
    const { tracer, clock } = this.#parts;
    const { card, anchorMs, flag } = of;
    // A flag is weak evidence: it reaches those alone who met the person, in the days before.
    const own = flag === undefined ? policy : flagPolicyOf(policy, flag.minimumOverlapMs);
    return tracer.trace({ card, anchorMs, nowMs: clock.wall(), policy: own, hasVenues: flag === undefined }, onRows);
  }

  #refreshSoon(): void {
    this.#isStale = true;
    if (!this.#isOpen || this.#cancelRefresh !== undefined) return;
    const { clock } = this.#parts;
    const waitMs = Math.max(0, this.#refreshedMs + REFRESH_EVERY_MS - clock.monotonic());
    this.#cancelRefresh = clock.after(waitMs, () => void this.#refreshAgain());
  }

  async #refreshAgain(): Promise<void> {
    try {
      for (const _ of this.#refresh()) await new Promise<void>((resolve) => setImmediate(resolve));
    } catch (error) {
      // A loop's top: the next round tries again, and gateways go on with what they were told.
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.#parts.log.error('notices.failed', { code });
      this.#isStale = true;
    }
    this.#cancelRefresh = undefined;
    if (this.#isStale) this.#refreshSoon();
  }

  /** In steps of about a millisecond, between which others may have their turn. */
  *#refresh(): Generator<void, void> {
    const { names, clock } = this.#parts;
    const erasures = this.#erasures;
    this.#isStale = false;
    this.#refreshedMs = clock.monotonic();
    const { cards, leftOut } = this.book.noticed(clock.wall());
    this.#leftOut = leftOut;
    if (this.#digests.size > DIGESTS_REMEMBERED) this.#digests.clear();
    const noticed: Noticed[] = [];
    let made = 0;
    for (const { card, endsAtMs } of cards) {
      const name = nameText(card);
      let digest = this.#digests.get(name);
      if (digest === undefined) {
        digest = noticeDigestOf(names.cardOf(card));
        this.#digests.set(name, digest);
        made += 1;
        if (made % DIGESTS_AT_A_TIME === 0) yield;
        // What was read names a card that was erased since: the next round reads anew.
        if (!this.#isOpen || this.#erasures !== erasures) return;
      }
      noticed.push({ digest, endsAtMs: endStep(endsAtMs) as EpochMillis });
    }
    this.#feed.set(noticed);
  }
}

const flagPolicyOf = (policy: TracePolicy, minimumOverlapMs = policy.minimumOverlapMs): TracePolicy => ({
  ...policy,
  minimumOverlapMs,
  farWindowMs: policy.highWindowMs,
  mediumMinimumOverlapMs: Number.MAX_SAFE_INTEGER,
});
