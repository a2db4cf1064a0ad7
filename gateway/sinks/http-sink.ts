/**
 * A core elsewhere, as an intake: CloudEvents batches over HTTP. What is sent again because an answer was lost carries the same key and
 * changes nothing there.
 * Source: docs/ledger-entries.md; CloudEvents HTTP protocol binding 1.0.2, section 3.3 (batched); RFC 9457.
 */
import { z } from 'zod';
import type { Intake, LedgerEntry, Offer, RowIdentity } from '../../core/intake.ts';
import {
  AFTER_HEADER,
  BATCH_TYPE,
  ENTRIES_PATH,
  encodeEvents,
  idempotencyKeyOf,
  REPLAY_HEADER,
  TAKEN_PATH,
} from '../../protocol/entry-event.ts';
import { ERASURE_TYPE, ERASURES_PATH, encodeErasure } from '../../protocol/erasure.ts';
import { ConfigError, SinkError } from '../../protocol/errors.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { readSecret } from '../key-files.ts';
import { dialOf } from './dial.ts';
import { HttpExchange, type Reply } from './http-exchange.ts';
import type { HttpSinkConfig } from './sink-config.ts';

const takenAnswer = z.object({ deployment: z.string(), taken: z.int().min(0) });
const problem = z.object({ code: z.string().optional(), position: z.int().min(1).optional() });
const SHORTEST_TOKEN = 16;

export class HttpSink implements Intake {
  readonly #deployment: DeploymentId;
  readonly #clock: Clock;
  readonly #exchange: HttpExchange;
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  /** What it said that it has; sent along, so that one that was brought back from a backup between two offers notices. */
  #told: number | undefined;

  /** @throws ConfigError `config.invalid` for files that can not be read, or are open to others. */
  constructor(config: HttpSinkConfig, deployment: DeploymentId, clock: Clock, signal: AbortSignal) {
    const { exchange, base, headers } = exchangeWith(config, clock, signal);
    this.#deployment = deployment;
    this.#clock = clock;
    this.#exchange = exchange;
    this.#base = base;
    this.#headers = headers;
  }

  async accept(entries: readonly LedgerEntry[], { isReplay = false }: Offer = {}): Promise<void> {
    const body = encodeEvents(this.#deployment, entries);
    const reply = await this.#exchange.ask({
      method: 'POST',
      path: `${this.#base}${ENTRIES_PATH}`,
      headers: {
        ...this.#headers,
        'content-type': BATCH_TYPE,
        'idempotency-key': idempotencyKeyOf(this.#deployment, entries, body),
        ...(isReplay ? { [REPLAY_HEADER]: '?1' } : {}),
        ...(this.#told === undefined || isReplay ? {} : { [AFTER_HEADER]: String(this.#told) }),
      },
      body,
    });
    if (reply.status !== 200) {
      this.#told = undefined;
      throw refusalOf(reply);
    }
    const taken = this.#takenIn(reply);
    if (isReplay) return;
    const last = entries.at(-1)?.position ?? 0;
    if (taken < last) throw new SinkError('sink.unexpected', `sink: was given position ${last} and says ${taken}`);
    this.#told = taken;
  }

  async erase(rows: readonly RowIdentity[]): Promise<void> {
    const reply = await this.#exchange.ask({
      method: 'POST',
      path: `${this.#base}${ERASURES_PATH}`,
      headers: { ...this.#headers, 'content-type': ERASURE_TYPE },
      body: encodeErasure(this.#deployment, rows, this.#clock.wall()),
    });
    if (reply.status !== 204) throw refusalOf(reply);
  }

  async taken(): Promise<number> {
    const reply = await this.#exchange.ask({ method: 'GET', path: `${this.#base}${TAKEN_PATH}`, headers: this.#headers });
    if (reply.status !== 200) throw refusalOf(reply);
    const taken = this.#takenIn(reply);
    this.#told = taken;
    return taken;
  }

  /** @throws SinkError. */
  #takenIn(reply: Reply): number {
    const answer = takenAnswer.safeParse(jsonOf(reply.text));
    if (!answer.success) throw new SinkError('sink.unexpected', 'sink: an answer that is none of an intake');
    if (answer.data.deployment !== this.#deployment) throw new SinkError('sink.other_ledger', "sink: keeps another gateway's ledger");
    return answer.data.taken;
  }
}

export interface PeerExchange {
  readonly exchange: HttpExchange;
  /** Before each path. */
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A connection of its own to a sink, closed on abort. @throws ConfigError `config.invalid` for files that can not be read, or are open to others. */
export function exchangeWith(config: HttpSinkConfig, clock: Clock, signal: AbortSignal): PeerExchange {
  const { url, tokenPath, timeoutMs } = config;
  const { protocol, hostname, port, pathname } = new URL(url);
  const isPlain = protocol === 'http:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const portNo = port === '' ? (isPlain ? 80 : 443) : Number(port);
  const dial = dialOf({ ...config, host, port: portNo, isPlain });
  const exchange = new HttpExchange({ host, port: portNo, dial, timeoutMs, clock, signal });
  signal.addEventListener('abort', () => exchange.close(), { once: true });
  const headers = { accept: 'application/json', ...(tokenPath === undefined ? {} : { authorization: `Bearer ${tokenIn(tokenPath)}` }) };
  return { exchange, base: pathname.replace(/\/$/, ''), headers };
}

/** What a status says, and the code that comes with it where it is one of ours. */
export function refusalOf({ status, text, retryAfterMs }: Reply): SinkError {
  const said = problem.safeParse(jsonOf(text));
  const { code, position } = said.success ? said.data : {};
  const what = `sink: answers ${status}${code !== undefined && /^[a-z_.]{1,48}$/.test(code) ? ` ${code}` : ''}`;
  if (status === 401 || (status === 403 && code !== 'sink.other_ledger')) return new SinkError('sink.not_admitted', what);
  if (status === 403) return new SinkError('sink.other_ledger', what);
  if (status === 408) return new SinkError('sink.silent', what);
  if (status === 409 && code === 'sink.gap') return new SinkError('sink.gap', what);
  if (status === 413) return new SinkError('sink.too_large', what);
  if (status === 400 || status === 422) return new SinkError('sink.entry_refused', what, { position });
  if (status === 409 || status === 425 || status === 429 || status >= 500) return new SinkError('sink.unavailable', what, { retryAfterMs });
  return new SinkError('sink.unexpected', what);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function tokenIn(path: string): string {
  const token = Buffer.from(readSecret(path)).toString('utf8').trim();
  if (token.length >= SHORTEST_TOKEN && /^[\x21-\x7e]{1,512}$/.test(token)) return token;
  throw new ConfigError('config.invalid', `${path}: no token of ${SHORTEST_TOKEN} to 512 printable characters`);
}
