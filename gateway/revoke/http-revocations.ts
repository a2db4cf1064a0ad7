/**
 * A core elsewhere as a source of revocations: asks over one connection, kept waiting until there is something new, and reports over another, as
 * which it also hands on what holders ask at kiosks.
 */
import { z } from 'zod';
import type { HolderDoor, RevocationSource } from '../../core/intake.ts';
import { HolderError, SinkError } from '../../protocol/errors.ts';
import { NEWS_WAIT_MS } from '../../protocol/notice-news.ts';
import {
  decodeRevocationNews,
  encodeRevocationReport,
  HOLDER_ASK_AT_CORE,
  HOLDER_CHALLENGE_AT_CORE,
  REVOCATIONS_PATH,
  type RevocationNews,
  type RevocationReport,
} from '../../protocol/revocation-news.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Reply } from '../sinks/http-exchange.ts';
import { exchangeWith, type PeerExchange, refusalOf } from '../sinks/http-sink.ts';
import type { HttpSinkConfig } from '../sinks/sink-config.ts';

/** Longer than it is kept waiting. */
const ANSWER_WITHIN_MS = NEWS_WAIT_MS + 15_000;
const NOT_FOUND = 404;
const NONE: RevocationNews = { version: '0000000000000000-0', isAnew: true, hasMore: false, noticed: [], withdrawn: [] };

export class HttpRevocations implements RevocationSource, HolderDoor {
  readonly #asking: PeerExchange;
  readonly #reporting: PeerExchange;
  readonly #clock: Clock;

  /** @throws ConfigError `config.invalid` as `exchangeWith`. @param stopping its abort closes the connections. */
  constructor(config: HttpSinkConfig, clock: Clock, stopping: AbortSignal) {
    this.#asking = exchangeWith({ ...config, timeoutMs: ANSWER_WITHIN_MS }, clock, stopping);
    this.#reporting = exchangeWith(config, clock, stopping);
    this.#clock = clock;
  }

  async revocations(after: string | undefined, waitMs: number, signal: AbortSignal): Promise<RevocationNews> {
    const { exchange, base, headers } = this.#asking;
    const query = after === undefined ? '' : `?after=${after}`;
    const reply = await exchange.ask({ method: 'GET', path: `${base}${REVOCATIONS_PATH}${query}`, headers });
    // One that takes the ledger and asks no holders, or is older.
    if (reply.status === NOT_FOUND) {
      if (after !== undefined) await this.#clock.sleep(waitMs, signal);
      return NONE;
    }
    if (reply.status !== 200) throw refusalOf(reply);
    try {
      return decodeRevocationNews(reply.text);
    } catch (cause) {
      throw new SinkError('sink.unexpected', 'sink: an answer that is none of revocations', { cause });
    }
  }

  async report(report: RevocationReport): Promise<void> {
    const reply = await this.#post(REVOCATIONS_PATH, encodeRevocationReport(report));
    if (reply.status !== 204 && reply.status !== NOT_FOUND) throw refusalOf(reply);
  }

  async challenge(): Promise<string> {
    return await this.#askForHolder(HOLDER_CHALLENGE_AT_CORE, '{}');
  }

  async ask(body: string): Promise<string> {
    return await this.#askForHolder(HOLDER_ASK_AT_CORE, body);
  }

  /** @throws HolderError as the core says; `holder.not_reached`. */
  async #askForHolder(path: string, body: string): Promise<string> {
    const reply = await this.#post(path, body).catch((cause: unknown) => {
      if (!(cause instanceof SinkError)) throw cause;
      throw new HolderError('holder.not_reached', 'holder: the core can not be reached', { cause });
    });
    if (reply.status === 200) return reply.text;
    const code = REFUSALS.find((one) => one === codeIn(reply.text));
    throw new HolderError(code ?? 'holder.not_reached', `holder: the core answers ${reply.status}`);
  }

  #post(path: string, body: string): Promise<Reply> {
    const { exchange, base, headers } = this.#reporting;
    const told = { ...headers, 'content-type': 'application/json' };
    return exchange.ask({ method: 'POST', path: `${base}${path}`, headers: told, body: Buffer.from(body) });
  }
}

const problem = z.object({ code: z.string() });
const REFUSALS = ['holder.challenge', 'holder.not_proven', 'holder.too_often'] as const;

function codeIn(text: string): string | undefined {
  try {
    return problem.safeParse(JSON.parse(text)).data?.code;
  } catch {
    return undefined;
  }
}
