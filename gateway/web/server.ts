/**
 * The operators' listener: dashboard, API, live stream, metrics, health. The only importer of fastify in this room. Nothing but its
 * own assets is ever loaded by its page, and nothing is answered to whom it does not know but health.
 */
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { addressOf } from '../../protocol/address.ts';
import { Buckets, type Rate } from '../../protocol/bucket.ts';
import { AdmissionError, ConfigError, codeOf, type ErrorCode, type ExpectedError } from '../../protocol/errors.ts';
import { type Log, placeOf } from '../../protocol/log.ts';
import { PAGE_HEADERS } from '../../protocol/page-headers.ts';
import type { Clock } from '../../protocol/time.ts';
import type { WebDoor } from '../../protocol/web-door.ts';
import type { Accounts } from '../accounts.ts';
import type { AuditLog, Deed } from '../audit.ts';
import type { Asset } from './assets.ts';
import { Callers, hostsOf, type Identified } from './callers.ts';
import type { Live } from './live.ts';
import { LoginGate } from './login-gate.ts';
import { METRICS_TYPE } from './metrics.ts';
import { type Caller, NotThere, type Route } from './route.ts';

export interface WebServerOptions {
  readonly binding: { readonly host: string; readonly port: number };
  /** Names at which pages may reach it, without port. */
  readonly names: readonly string[];
  /** `undefined` for plain HTTP, on the loopback only. */
  readonly tls: { readonly keyPem: string; readonly certificatePem: string } | undefined;
  readonly accounts: Accounts;
  readonly audit: AuditLog;
  readonly routes: readonly Route[];
  readonly live: Live;
  readonly assets: readonly Asset[];
  readonly metrics: () => string;
  /** Why it can not take rows now; `undefined` when it can. */
  readonly notReady: () => ErrorCode | undefined;
  readonly controlToken: string;
  readonly door: WebDoor;
  readonly clock: Clock;
  readonly log: Log;
}

const LONGEST_BODY_BYTES = 16_384;
const REQUEST_MS = 15_000;
const HANDSHAKE_MS = 10_000;
const MOST_WAITING_GUESSES = 8;
/** Of one address: twenty pages opened at once, then some looked at all the time. Each answer about the kiosks costs milliseconds that they wait. */
const REQUESTS: Rate = { perSecond: 30, burst: 300 };
const MOST_ADDRESSES = 4_096;
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'admission.too_often': 429,
  'admission.too_many_tries': 429,
  'admission.not_allowed': 403,
  'admission.wrong_account': 401,
  'ingest.quarantine_full': 409,
};

const NOT_UNDERSTOOD = 'not a request that is understood here';
const credentials = z.strictObject({ account: z.string().min(1).max(64), password: z.string().min(1).max(256) });

export class WebServer {
  readonly #options: WebServerOptions;
  readonly #app: FastifyInstance;
  readonly #callers: Callers;
  readonly #gate: LoginGate;
  readonly #rates = new Buckets(REQUESTS, MOST_ADDRESSES);
  #port = 0;

  constructor(options: WebServerOptions) {
    this.#options = options;
    const { accounts, clock, tls, names, controlToken } = options;
    const isSecure = tls !== undefined;
    const base = {
      bodyLimit: LONGEST_BODY_BYTES,
      forceCloseConnections: true,
      requestTimeout: REQUEST_MS,
      return503OnClosing: false,
      // A path that can not be read at all comes past every guard.
      frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) => this.#answerUnreadable(request, reply),
    } as const;
    this.#app =
      tls === undefined
        ? Fastify(base)
        : (Fastify({
            ...base,
            https: { key: tls.keyPem, cert: tls.certificatePem, minVersion: 'TLSv1.2', handshakeTimeout: HANDSHAKE_MS },
          }) as unknown as FastifyInstance);
    options.door.guard(this.#app.server);
    // A form of another site can send text without asking; JSON it can not.
    this.#app.removeContentTypeParser('text/plain');
    this.#callers = new Callers({
      accounts,
      clock,
      isSecure,
      hosts: () => hostsOf(names, this.#port, isSecure),
      port: () => this.#port,
      controlToken,
    });
    this.#gate = new LoginGate(clock);
    this.#addGuards();
    this.#addOpenRoutes();
    this.#addSessionRoutes();
    this.#addWatchRoutes();
    for (const made of options.routes) this.#addRoute(made);
  }

  /** @returns the port, never 0. @throws ConfigError `config.invalid` when the address can not be bound. */
  async open(): Promise<number> {
    const { host, port } = this.#options.binding;
    try {
      await this.#app.listen({ host, port });
    } catch (cause) {
      const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
      const why = isTaken ? 'another program has it (web.port or --web-port names another)' : 'can not be bound';
      throw new ConfigError('config.invalid', `web: ${host} port ${port}: ${why}`, { cause });
    }
    this.#port = (this.#app.server.address() as AddressInfo).port;
    return this.#port;
  }

  async close(): Promise<void> {
    this.#options.live.close();
    await this.#app.close();
  }

  #addGuards(): void {
    this.#app.addHook('onRequest', async (request, reply) => {
      reply.headers(PAGE_HEADERS);
      this.#refuseHaste(addressOf(request.ip), reply);
      if (!this.#callers.isFromHere(request.method, request.url, request.headers))
        throw new AdmissionError('admission.not_allowed', 'request: not from a page of this gateway');
    });
    this.#app.setErrorHandler((error, _request, reply) => this.#answerError(error, reply));
    this.#app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'nothing is here'));
  }

  /** To anybody: the page itself, which holds nothing, and whether the gateway lives. */
  #addOpenRoutes(): void {
    for (const { path, type, content } of this.#options.assets)
      this.#app.get(path, (_request, reply) => reply.header('cache-control', 'no-cache').type(type).send(content));
    this.#app.get('/healthz', async () => ({ state: 'up' }));
    this.#app.get('/readyz', async (_request, reply) => {
      const code = this.#options.notReady();
      return reply.code(code === undefined ? 200 : 503).send(code === undefined ? { state: 'ready' } : { state: 'not ready', code });
    });
  }

  #addSessionRoutes(): void {
    this.#app.post('/api/1/session', async (request, reply) => {
      const { account, password } = credentials.parse(request.body);
      const address = addressOf(request.ip);
      await this.#refuseGuessing(address, account, reply);
      this.#gate.begin(address, account);
      const person = await this.#options.accounts.personOf(account, password, untilClosed(reply.raw));
      if (person === undefined) {
        // What was typed may be a password in the wrong field: only a name that exists is written down.
        const isName = this.#options.accounts.list().some(({ name }) => name === account);
        this.#write({ name: isName ? account : 'somebody', via: 'web' }, 'session.refused', '', 'admission.wrong_account');
        throw new AdmissionError('admission.wrong_account', 'account or password is wrong');
      }
      this.#gate.succeeded(address, account);
      this.#write({ name: person.name, via: 'web' }, 'session.open', '');
      const token = this.#options.accounts.openSession(person.name, this.#options.clock.wall());
      const session = this.#options.accounts.session(token, this.#options.clock.wall());
      reply.header('set-cookie', this.#callers.cookie(token));
      return { account: person.name, role: person.role, csrf: session?.csrf ?? '' };
    });
    this.#app.get('/api/1/session', async (request) => {
      const { caller, session } = this.#identify(request);
      return { account: caller.name, role: caller.role, csrf: session?.csrf ?? '' };
    });
    this.#app.delete('/api/1/session', async (request, reply) => {
      const { caller, session } = this.#identify(request);
      if (session !== undefined) this.#options.accounts.closeSession(session.token);
      this.#write(caller, 'session.close', '');
      reply.header('set-cookie', this.#callers.cookie(''));
      return {};
    });
  }

  #addWatchRoutes(): void {
    const { live, metrics } = this.#options;
    this.#app.get('/metrics', async (request, reply) => {
      const { caller } = this.#identify(request);
      if (caller.isPerson) await this.#note(caller, 'look.metrics', '');
      return reply.type(METRICS_TYPE).send(metrics());
    });
    // Whoever asks for the head alone would hold a place, and hear nothing.
    this.#app.get('/api/1/live', { exposeHeadRoute: false }, async (request, reply) => {
      const { caller } = this.#identify(request);
      if (caller.isPerson) await this.#note(caller, 'look.live', '');
      const { method, headers } = request.raw;
      const isWelcome = () => this.#callers.identify(method ?? 'GET', headers) !== undefined;
      // Taken first: one that can not be told anything is answered as every request is.
      if (!live.add({ response: reply.raw, name: caller.name, isWelcome }))
        return problem(reply.header('retry-after', 30), 503, 'too many pages watch already');
      reply.hijack();
      // A stream lasts as long as its page is open.
      request.raw.socket.setTimeout(0);
      return reply;
    });
  }

  #addRoute(made: Route): void {
    this.#app.route({
      method: made.method,
      url: made.path,
      handler: async (request) => {
        const { caller } = this.#identify(request);
        if (made.role === 'manager' && caller.role !== 'manager') {
          this.#write(caller, `${made.audit.action}.refused`, '', 'admission.not_allowed');
          throw new AdmissionError('admission.not_allowed', `account ${caller.name}: may look, and not do this`);
        }
        const asked = {
          caller,
          params: made.params?.parse(request.params),
          query: made.query?.parse(request.query),
          body: made.body?.parse(request.body ?? {}),
        };
        const about = made.audit.about?.(asked) ?? '';
        if (made.method !== 'GET') this.#write(caller, made.audit.action, about);
        else if (caller.isPerson) await this.#note(caller, made.audit.action, about);
        try {
          return await made.handle(asked);
        } catch (error) {
          this.#write(caller, `${made.audit.action}.failed`, about, error instanceof NotThere ? error.message : (codeOf(error) ?? 'bug'));
          throw error;
        }
      },
    });
  }

  #identify(request: FastifyRequest): Identified {
    const identified = this.#callers.identify(request.method, request.headers);
    if (identified === undefined)
      throw new AdmissionError('admission.wrong_account', 'request: without a session or a token that is known here');
    this.#options.door.admit(request.raw.socket, identified.caller.name);
    return identified;
  }

  #refuseHaste(address: string, reply: FastifyReply): void {
    const waitMs = this.#rates.takeOne(address, this.#options.clock.monotonic());
    if (waitMs === 0) return;
    reply.header('retry-after', Math.ceil(waitMs / 1_000));
    throw new AdmissionError('admission.too_often', 'request: this address asks too often');
  }

  async #refuseGuessing(address: string, account: string, reply: FastifyReply): Promise<void> {
    const isBusy = this.#options.accounts.waitingGuesses >= MOST_WAITING_GUESSES;
    const waitMs = isBusy ? 1_000 : this.#gate.waitMs(address, account);
    if (waitMs === 0) return;
    reply.header('retry-after', Math.ceil(waitMs / 1_000));
    throw new AdmissionError('admission.too_many_tries', `wait ${Math.ceil(waitMs / 1_000)} s before the next try`);
  }

  /** @throws StoreError when it can not be kept: what is not written down is not done. */
  #write({ name, via }: Pick<Caller, 'name'> & { readonly via: Deed['via'] }, action: string, about: string, detail = ''): void {
    this.#options.audit.append({ atMs: this.#options.clock.wall(), who: name, via, action, about, detail });
  }

  /** As #write, of a look: those of one turn are one commit, so that many who look hold up no kiosk. */
  #note({ name, via }: Caller, action: string, about: string): Promise<void> {
    return this.#options.audit.note({ atMs: this.#options.clock.wall(), who: name, via, action, about, detail: '' });
  }

  /** Says nothing of what was asked for. */
  #answerUnreadable(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    reply.headers(PAGE_HEADERS);
    try {
      this.#refuseHaste(addressOf(request.ip), reply);
    } catch (error) {
      return this.#answerError(error, reply);
    }
    return problem(reply, 400, NOT_UNDERSTOOD);
  }

  #answerError(error: unknown, reply: FastifyReply): FastifyReply {
    if (error instanceof NotThere) return problem(reply, 404, error.message);
    if (error instanceof z.ZodError)
      return problem(reply, 400, error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
    const code = codeOf(error);
    if (code !== undefined) return problem(reply, statusOf(code), (error as ExpectedError).message, code);
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    if (status < 500) return problem(reply, status, NOT_UNDERSTOOD);
    this.#options.log.error('web.internal', { ...placeOf(error) });
    return problem(reply, 500, 'a fault of the gateway');
  }
}

function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? (code.startsWith('store.') ? 503 : code.startsWith('config.') || code.startsWith('decode.') ? 400 : 409);
}

/** Source: RFC 9457. */
function problem(reply: FastifyReply, status: number, title: string, code?: ErrorCode): FastifyReply {
  const retryAfterS = Number(reply.getHeader('retry-after') ?? Number.NaN);
  const more = { ...(code && { code }), ...(Number.isNaN(retryAfterS) ? {} : { retryAfterS }) };
  return reply
    .code(status)
    .type('application/problem+json')
    .send({ title, status, ...more });
}

/** Of the answer, not of its socket: on one that is kept open many questions come. */
function untilClosed(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  response.once('close', () => controller.abort());
  return controller.signal;
}
