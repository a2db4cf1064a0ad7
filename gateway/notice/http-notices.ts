/** A core elsewhere as a source of notices: asks over connections of its own, and is kept waiting until there is something new. */
import type { NoticeSource } from '../../core/intake.ts';
import { SinkError } from '../../protocol/errors.ts';
import {
  decodeNews,
  decodeStickerNews,
  NEWS_WAIT_MS,
  type News,
  NOTICES_PATH,
  type NoticeNews,
  STICKERS_PATH,
  type StickerNews,
} from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import { exchangeWith, type PeerExchange, refusalOf } from '../sinks/http-sink.ts';
import type { HttpSinkConfig } from '../sinks/sink-config.ts';

/** Longer than it is kept waiting. */
const ANSWER_WITHIN_MS = NEWS_WAIT_MS + 15_000;
const NOT_FOUND = 404;
const NONE: News<never> = { version: '0000000000000000-0', isAnew: true, hasMore: false, noticed: [], withdrawn: [] };

export class HttpNotices implements NoticeSource {
  /** Two, so that the one does not wait for the other's answer. */
  readonly #notices: PeerExchange;
  readonly #stickers: PeerExchange;
  readonly #clock: Clock;

  /** @throws ConfigError `config.invalid` as `exchangeWith`. @param stopping its abort closes the connections. */
  constructor(config: HttpSinkConfig, clock: Clock, stopping: AbortSignal) {
    const patient = { ...config, timeoutMs: ANSWER_WITHIN_MS };
    this.#notices = exchangeWith(patient, clock, stopping);
    this.#stickers = exchangeWith(patient, clock, stopping);
    this.#clock = clock;
  }

  async noticeNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<NoticeNews> {
    const text = await this.#ask(this.#notices, NOTICES_PATH, after, waitMs, signal);
    return text === undefined ? NONE : readAs(decodeNews, text);
  }

  async stickerNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<StickerNews> {
    const text = await this.#ask(this.#stickers, STICKERS_PATH, after, waitMs, signal);
    return text === undefined ? NONE : readAs(decodeStickerNews, text);
  }

  /** @returns `undefined` from one that takes the ledger and traces nobody, or is older. */
  async #ask(
    { exchange, base, headers }: PeerExchange,
    path: string,
    after: string | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const query = after === undefined ? '' : `?after=${after}`;
    const reply = await exchange.ask({ method: 'GET', path: `${base}${path}${query}`, headers });
    if (reply.status === NOT_FOUND) {
      if (after !== undefined) await this.#clock.sleep(waitMs, signal);
      return undefined;
    }
    if (reply.status !== 200) throw refusalOf(reply);
    return reply.text;
  }
}

function readAs<T>(decode: (text: string) => T, text: string): T {
  try {
    return decode(text);
  } catch (cause) {
    throw new SinkError('sink.unexpected', 'sink: an answer that is none of notices', { cause });
  }
}
