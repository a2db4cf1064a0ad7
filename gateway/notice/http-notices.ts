/** A core elsewhere as a source of notices: asks over a connection of its own, and is kept waiting until there is something new. */
import type { NoticeSource } from '../../core/intake.ts';
import { SinkError } from '../../protocol/errors.ts';
import { decodeNews, NEWS_WAIT_MS, NOTICES_PATH, type NoticeNews } from '../../protocol/notice-news.ts';
import type { Clock } from '../../protocol/time.ts';
import { exchangeWith, type PeerExchange, refusalOf } from '../sinks/http-sink.ts';
import type { HttpSinkConfig } from '../sinks/sink-config.ts';

/** Longer than it is kept waiting. */
const ANSWER_WITHIN_MS = NEWS_WAIT_MS + 15_000;
const NOT_FOUND = 404;
const NONE: NoticeNews = { version: '0000000000000000-0', isAnew: true, hasMore: false, noticed: [], withdrawn: [] };

export class HttpNotices implements NoticeSource {
  readonly #peer: PeerExchange;
  readonly #clock: Clock;

  /** @throws ConfigError `config.invalid` as `exchangeWith`. @param stopping its abort closes the connection. */
  constructor(config: HttpSinkConfig, clock: Clock, stopping: AbortSignal) {
    this.#peer = exchangeWith({ ...config, timeoutMs: ANSWER_WITHIN_MS }, clock, stopping);
    this.#clock = clock;
  }

  async noticeNews(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<NoticeNews> {
    const { exchange, base, headers } = this.#peer;
    const query = after === undefined ? '' : `?after=${after}`;
    const reply = await exchange.ask({ method: 'GET', path: `${base}${NOTICES_PATH}${query}`, headers });
    // One that takes the ledger and traces nobody, or a core that is older.
    if (reply.status === NOT_FOUND) {
      if (after !== undefined) await this.#clock.sleep(waitMs, signal);
      return NONE;
    }
    if (reply.status !== 200) throw refusalOf(reply);
    try {
      return decodeNews(reply.text);
    } catch (cause) {
      throw new SinkError('sink.unexpected', 'sink: an answer that is none of notices', { cause });
    }
  }
}
