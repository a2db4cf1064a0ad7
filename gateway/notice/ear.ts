/** Hears one kind of news from one core until stopped, and keeps in RAM what stands: whole once all was told. */
import { codeOf, type ErrorCode } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import { NEWS_WAIT_MS, type News } from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { SteadyLog } from '../steady-log.ts';

interface Told {
  readonly digest: Uint8Array;
}

export interface EarOptions<Item extends Told> {
  /** Of its sink. */
  readonly name: string;
  /** In logs: `notices`, `stickers`. */
  readonly subject: string;
  readonly ask: (after: string | undefined, waitMs: number, signal: AbortSignal) => Promise<News<Item>>;
  /** @returns what is kept of it. */
  readonly keep: (item: Item) => Item;
  /** Whether kiosks have to be told that it is withdrawn: one whose time has come they know of themselves. */
  readonly stands: (item: Item) => boolean;
  /** Told when there is news, once all of it is here. */
  readonly onNews: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;
/** Asked for what is new a core answers when there is some, or in vain after NEWS_WAIT_MS; a proxy in its place may answer at once, each time. */
const SHORTEST_ROUND_MS = 500;

export class Ear<Item extends Told> {
  /** By digest, as text. */
  readonly held = new Map<string, Item>();
  readonly #options: EarOptions<Item>;
  #version: string | undefined;
  #isWhole = false;
  /** Whether kiosks have to be told of what came since they were. */
  #isNews = false;
  #code: ErrorCode | undefined;
  #failedAtMs: EpochMillis | undefined;

  constructor(options: EarOptions<Item>) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Since when there is a code. */
  get failedAtMs(): EpochMillis | undefined {
    return this.#failedAtMs;
  }

  /** Why it hears nothing; `undefined` while it does. */
  get code(): ErrorCode | undefined {
    return this.#code;
  }

  /** A bug ends it with that error. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, subject, ask, onNews, clock, log } = this.#options;
    const trouble = new SteadyLog(log, clock, subject);
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        const askedMs = clock.monotonic();
        const after = this.#version;
        const news = await ask(after, NEWS_WAIT_MS, signal);
        if (signal.aborted) return;
        this.#code = undefined;
        this.#failedAtMs = undefined;
        retryMs = FIRST_RETRY_MS;
        trouble.recovered({ sink: name });
        if (this.#take(news)) onNews();
        const isGoingOn = news.hasMore && news.noticed.length + news.withdrawn.length > 0;
        const restMs = askedMs + SHORTEST_ROUND_MS - clock.monotonic();
        if (after !== undefined && !isGoingOn && restMs > 0) await clock.sleep(restMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        const code = codeOf(error);
        if (code === undefined) throw error;
        this.#code = code;
        this.#failedAtMs ??= clock.wall();
        trouble.failed({ sink: name, code });
        await clock.sleep(retryMs, signal);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
  }

  #take({ version, isAnew, hasMore, noticed, withdrawn }: News<Item>): boolean {
    const { keep, stands } = this.#options;
    if (isAnew) this.held.clear();
    if (isAnew || noticed.length > 0) this.#isNews = true;
    for (const item of noticed) this.held.set(nameOf(item.digest), keep(item));
    for (const digest of withdrawn) {
      const name = nameOf(digest);
      const before = this.held.get(name);
      if (before !== undefined && stands(before)) this.#isNews = true;
      this.held.delete(name);
    }
    this.#version = version;
    this.#isWhole = !hasMore;
    if (hasMore || !this.#isNews) return false;
    this.#isNews = false;
    return true;
  }
}

const nameOf = (digest: Uint8Array): string => Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1');
