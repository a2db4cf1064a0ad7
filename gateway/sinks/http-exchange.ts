/**
 * One request and its answer over a connection that is kept for the next. Bounded in time and in what is read of the answer.
 * Source: RFC 9110, section 10.2.3 (Retry-After).
 */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { SinkError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { type Dial, sinkErrorOf } from './dial.ts';

export interface ExchangeOptions {
  readonly host: string;
  readonly port: number;
  readonly dial: Dial;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Its abort ends what is under way, with sink.lost. */
  readonly signal: AbortSignal;
}

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
  /** As asked by Retry-After, at most LONGEST_RETRY_AFTER_MS; `undefined` where it does not say. */
  readonly retryAfterMs: number | undefined;
}

const LONGEST_REPLY_BYTES = 65_536;
const MOST_HEADER_BYTES = 16_384;
export const LONGEST_RETRY_AFTER_MS = 900_000;

export class HttpExchange {
  readonly #options: ExchangeOptions;
  readonly #agent: Agent;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#agent = new DialAgent(options);
  }

  /** @throws SinkError as the dial does, sink.silent, sink.lost; SinkError `sink.unexpected` for an answer that is too long. */
  async ask(asked: Asked): Promise<Reply> {
    const { clock, timeoutMs, signal } = this.#options;
    const late = new AbortController();
    const cancel = clock.after(timeoutMs, () => late.abort());
    const either = AbortSignal.any([signal, late.signal]);
    try {
      return await this.#try(asked, either, true);
    } catch (error) {
      if (late.signal.aborted) throw new SinkError('sink.silent', `sink: no answer for ${timeoutMs} ms`, { cause: error });
      if (error instanceof SinkError) throw error;
      throw sinkErrorOf(error);
    } finally {
      cancel();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #try(asked: Asked, signal: AbortSignal, mayRetry: boolean): Promise<Reply> {
    const { host, port } = this.#options;
    const { method, path, headers, body } = asked;
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    let sent: ClientRequest | undefined;
    try {
      return await new Promise<Reply>((resolve, reject) => {
        sent = request({
          host,
          port,
          method,
          path,
          headers: { ...headers, ...length },
          agent: this.#agent,
          signal,
          maxHeaderSize: MOST_HEADER_BYTES,
        });
        sent.once('error', reject);
        // Nobody asked for another protocol. Without an ear for it Node destroys the request and tells nobody, not even that its time is over.
        sent.once('upgrade', (_reply, socket) => {
          socket.destroy();
          reject(new SinkError('sink.unexpected', 'sink: answers 101'));
        });
        sent.once('response', (reply) => this.#read(reply, signal).then(resolve, reject));
        sent.end(body);
      });
    } catch (error) {
      sent?.destroy();
      // The peer had closed an idle connection, and could not tell in time. What is sent twice changes nothing there.
      if (mayRetry && sent?.reusedSocket === true && !signal.aborted && !(error instanceof SinkError))
        return await this.#try(asked, signal, false);
      throw error;
    }
  }

  async #read(reply: IncomingMessage, signal: AbortSignal): Promise<Reply> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of reply as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LONGEST_REPLY_BYTES) {
        reply.destroy();
        throw new SinkError('sink.unexpected', `sink: an answer of more than ${LONGEST_REPLY_BYTES} bytes`);
      }
      chunks.push(chunk);
    }
    if (!reply.complete || signal.aborted) throw new SinkError('sink.lost', 'sink: connection lost within its answer');
    const retryAfterMs = retryAfterOf(reply.headers['retry-after'], this.#options.clock.wall());
    return { status: reply.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8'), retryAfterMs };
  }
}

/** Keeps one connection, which is dialled by hand: a pinned peer must be known before a byte is sent. */
class DialAgent extends Agent {
  readonly #options: ExchangeOptions;

  constructor(options: ExchangeOptions) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#options = options;
  }

  override createConnection(_options: unknown, onCreated?: (error: Error | null, stream: Duplex) => void): Duplex | null | undefined {
    const { dial, clock, timeoutMs, signal } = this.#options;
    // A request that was given up does not end the dial that was begun for it.
    const late = new AbortController();
    const cancel = clock.after(timeoutMs, () => late.abort());
    dial(AbortSignal.any([signal, late.signal]))
      .finally(cancel)
      .then(
        (socket) => onCreated?.(null, socket),
        // Node's type wants a stream beside the error, and looks at it at no time.
        (error: Error) => (onCreated as ((error: Error) => void) | undefined)?.(error),
      );
    return undefined;
  }
}

/** @param header seconds, or a date (RFC 9110, section 5.6.7). */
function retryAfterOf(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}
