/**
 * What clinics' desks are told of stickers, as far as the core knows: which are linked, done or void. Told behind the commit that made it so; the
 * latest MOST_STICKERS, and none past retention.
 */

import type { StickerNews as News } from '../../protocol/notice-news.ts';
import { MOST_STICKERS, STICKER_END_STEP_MS, stickerDigestOf, stickerEnd, type ToldSticker } from '../../protocol/sticker-mark.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { NoticeFeed } from '../notice/notice-feed.ts';
import type { StickerNames } from './sticker-name.ts';
import type { Stickers, Verdict } from './stickers.ts';

export interface StickerNewsParts {
  readonly stickers: Stickers;
  readonly names: StickerNames;
  /** How long after its link a result counts. */
  readonly lifeMs: number;
  readonly clock: Clock;
}

export class StickerNews {
  readonly #parts: StickerNewsParts;
  readonly #feed: NoticeFeed<ToldSticker>;
  /** Names, as text, of which anything was said since the last commit. */
  readonly #changed = new Map<string, Uint8Array>();

  /** @throws StoreError. */
  constructor(parts: StickerNewsParts) {
    this.#parts = parts;
    this.#feed = new NoticeFeed(parts.clock, (one, other) => one.standing === other.standing && one.endsAtMs === other.endsAtMs);
    this.#tell(parts.stickers.latest(MOST_STICKERS));
  }

  /** How many are told of. */
  get count(): number {
    return this.#feed.count;
  }

  /** Within a transaction: something was said of this one, or it was forgotten. */
  note(name: Uint8Array): void {
    this.#changed.set(Buffer.from(name).toString('latin1'), name);
  }

  /** Behind the commit. */
  told(): void {
    if (this.#changed.size === 0) return;
    const names = [...this.#changed.values()];
    this.#changed.clear();
    this.#tell(names);
  }

  /** What was noted and not committed is no news. */
  forgetChanges(): void {
    this.#changed.clear();
  }

  news(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<News> {
    return this.#feed.news(after, waitMs, signal);
  }

  #tell(names: readonly Uint8Array[]): void {
    const { stickers, lifeMs } = this.#parts;
    const told: ToldSticker[] = [];
    const gone: Uint8Array[] = [];
    for (const name of names) {
      const digest = stickerDigestOf(this.#parts.names.stickerOf(name));
      const mark = markOf(stickers.judge(name, lifeMs), lifeMs);
      if (mark === undefined) gone.push(digest);
      else told.push({ digest, ...mark });
    }
    this.#feed.change(told, gone);
    this.#feed.change([], this.#feed.beyond(MOST_STICKERS));
  }
}

const NEVER = 0 as EpochMillis;

/** @returns `undefined` for one that nothing is known against. */
function markOf({ state, link }: Verdict, lifeMs: number): Omit<ToldSticker, 'digest'> | undefined {
  switch (state) {
    case 'unused':
      return undefined;
    case 'void':
      return { standing: 'void', endsAtMs: NEVER };
    case 'positive':
    case 'negative':
      return { standing: 'done', endsAtMs: NEVER };
    case 'linked':
      return { standing: 'linked', endsAtMs: stickerEnd((link?.atMs ?? 0) + lifeMs) };
    case 'expired':
      // A result came too late: from the first moment on it is over, by whatever clock.
      return { standing: 'linked', endsAtMs: STICKER_END_STEP_MS as EpochMillis };
  }
}
