/**
 * The core's REST listener: asks who it is, what they may, what for and how often; checks, carries out, writes into the audit log, and only
 * then answers. What can not be written down is neither done nor told.
 */
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { AdmissionError, codeOf, DecodeError, type ErrorCode, type ExpectedError } from '../../protocol/errors.ts';
import { type Log, placeOf } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { AuditLog, Deed } from '../audit.ts';
import {
  type HttpApp,
  type HttpBinding,
  type HttpReply,
  type HttpRequest,
  type HttpTls,
  listenOn,
  makeHttpApp,
  sendProblem,
} from '../http-listener.ts';
import { callerOf, type Identify, identify, type Known, type Shown } from './callers.ts';
import { Denials, STRANGER } from './denials.ts';
import { type Rate, Rates } from './rates.ts';
import { PURPOSE_HEADER } from './roles.ts';
import { type Caller, NotThere, type Route } from './route.ts';

/** A file of a page that anybody may load: it holds nothing of anybody. */
export interface RestAsset {
  /** In the URL; not under /core/. */
  readonly path: string;
  readonly type: string;
  readonly content: Buffer;
}

export interface RestOptions {
  readonly binding: HttpBinding;
  readonly tls: HttpTls;
  readonly routes: readonly Route[];
  readonly assets: readonly RestAsset[];
  /** In the order in which they are asked. */
  readonly ways: readonly Identify[];
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RestServer {
  readonly port: number;
  /** Ends every connection, and writes down what was still only counted. */
  close(): Promise<void>;
}

const LONGEST_BODY_BYTES = 65_536;
const LONGEST_TOKEN = /^Bearer ([\x21-\x7e]{1,8192})$/i;
const REQUEST_MS = 30_000;
const MOST_CONNECTIONS = 512;
const MOST_NAMES = 4_096;
/** Of one address, whoever asks: a health office is one address. */
const PER_ADDRESS: Rate = { perSecond: 50, burst: 200 };
/** Of one person or machine: nobody reads faster, and a copy of everything takes long enough to be seen. */
const PER_CALLER: Rate = { perSecond: 5, burst: 60 };
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'admission.wrong_account': 401,
  'admission.wrong_token': 401,
  'admission.not_allowed': 403,
  'admission.no_purpose': 403,
  'admission.too_often': 429,
  'admission.too_many_tries': 429,
  'admission.issuer_down': 503,
  'config.invalid': 400,
};

/** Listens until closed. @throws ConfigError `config.invalid` when the address can not be bound. */
export async function openRest(options: RestOptions): Promise<RestServer> {
  const app = makeHttpApp({
    tls: options.tls,
    // Browsers of holders and of health offices.
    minVersion: 'TLSv1.2',
    longestBodyBytes: LONGEST_BODY_BYTES,
    requestMs: REQUEST_MS,
    mostConnections: MOST_CONNECTIONS,
    asksForCertificate: true,
  });
  const denials = new Denials(options.audit, options.clock);
  new Server(app, options, denials).add();
  const port = await listenOn(app, options.binding, 'rest');
  return {
    port,
    close: async () => {
      await app.close();
      denials.close();
    },
  };
}

class Server {
  readonly #app: HttpApp;
  readonly #options: RestOptions;
  readonly #denials: Denials;
  readonly #addresses: Rates;
  readonly #callers: Rates;

  constructor(app: HttpApp, options: RestOptions, denials: Denials) {
    this.#app = app;
    this.#options = options;
    this.#denials = denials;
    this.#addresses = new Rates(PER_ADDRESS, MOST_NAMES, options.clock);
    this.#callers = new Rates(PER_CALLER, MOST_NAMES, options.clock);
  }

  add(): void {
    const app = this.#app;
    // A form of another site can send text without asking; JSON it can not.
    app.removeContentTypeParser('text/plain');
    app.addHook('onRequest', async (request, reply) => {
      reply.headers({
        'cache-control': 'no-store',
        'content-security-policy': CONTENT_POLICY,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      });
      refuseHaste(this.#addresses.take(request.ip), reply);
    });
    app.setErrorHandler((error, _request, reply) => this.#answerError(error, reply));
    app.setNotFoundHandler((_request, reply) => sendProblem(reply, 404, { title: 'nothing is here' }));
    app.get('/healthz', async () => ({ state: 'up' }));
    for (const { path, type, content } of this.#options.assets) app.get(path, async (_request, reply) => reply.type(type).send(content));
    for (const made of this.#options.routes) this.#addRoute(made);
  }

  #addRoute(made: Route): void {
    const callers = new WeakMap<HttpRequest, Caller>();
    this.#app.route({
      method: made.method,
      url: made.path,
      // Before a byte of the body is read.
      onRequest: async (request, reply) => {
        callers.set(request, await this.#admit(made, request, reply));
      },
      handler: async (request, reply) => {
        const caller = callers.get(request);
        if (caller === undefined) throw new AdmissionError('admission.wrong_account', 'nobody was admitted');
        return await this.#answer(made, caller, request, reply);
      },
    });
  }

  async #admit(made: Route, request: HttpRequest, reply: HttpReply): Promise<Caller> {
    let known: Known | undefined;
    const stated = request.headers[PURPOSE_HEADER];
    try {
      known = await identify(made, shownBy(request), this.#options.ways);
      // Those who prove a card are all one subject; they are held by their address, and by the route.
      if (!made.roles.includes('holder')) refuseHaste(this.#callers.take(known.subject), reply);
      return callerOf(made, known, stated);
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      const { action } = made.audit;
      const who = known === undefined ? { who: STRANGER, role: STRANGER } : { who: known.subject, role: known.roles.join(' ') };
      this.#denials.write({ ...who, purpose: textOf(stated), action, about: '', detail: code });
      throw error;
    }
  }

  async #answer(made: Route, caller: Caller, request: HttpRequest, reply: HttpReply): Promise<unknown> {
    const { action } = made.audit;
    const isLook = action.startsWith('look.');
    let about = '';
    try {
      const asked = {
        caller,
        params: read(made.params, request.params),
        query: read(made.query, request.query),
        body: read(made.body, request.body ?? {}),
        address: request.ip,
        signal: untilGone(reply),
      };
      about = made.audit.about?.(asked) ?? '';
      if (!isLook && made.isRoutine === undefined) this.#write(caller, { action, about, outcome: 'done', rows: 0, detail: '' });
      const answer = made.answer.parse(await made.handle(asked));
      const rows = made.rows?.of(answer) ?? 0;
      if (rows > (made.rows?.most ?? 0)) throw new Error(`${made.path}: ${rows} rows of at most ${made.rows?.most}`);
      if (isLook && made.isRoutine === undefined) this.#write(caller, { action, about, outcome: 'done', rows, detail: '' });
      return answer;
    } catch (error) {
      const outcome = error instanceof NotThere || codeOf(error)?.startsWith('admission.') ? 'refused' : 'failed';
      const detail = error instanceof NotThere ? 'not there' : (codeOf(error) ?? 'bug');
      this.#write(caller, { action, about, outcome, rows: 0, detail });
      throw error;
    }
  }

  /** @throws StoreError when it can not be kept. */
  #write({ subject, role, purpose }: Caller, deed: Pick<Deed, 'action' | 'about' | 'outcome' | 'rows' | 'detail'>): void {
    this.#options.audit.append({ atMs: this.#options.clock.wall(), who: subject, role, purpose: purpose ?? '', ...deed });
  }

  #answerError(error: unknown, reply: HttpReply): HttpReply {
    if (error instanceof NotThere) return sendProblem(reply, 404, { title: error.message });
    const code = codeOf(error);
    if (code !== undefined) {
      const status = statusOf(code);
      if (status === 401) reply.header('www-authenticate', 'Bearer');
      if (status === 503) this.#options.log.warn('rest.unavailable', { code });
      return sendProblem(reply, status, { title: (error as ExpectedError).message, code });
    }
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    if (status < 500) return sendProblem(reply, status, { title: 'not a request that is understood here' });
    this.#options.log.error('rest.internal', { ...placeOf(error) });
    return sendProblem(reply, 500, { title: 'a fault of the core' });
  }
}

/** @throws DecodeError `decode.malformed` that says where, and never what was there. */
function read(schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
  throw new DecodeError('decode.malformed', `request: ${faults.join('; ').slice(0, 400)}`);
}

function refuseHaste(waitMs: number, reply: HttpReply): void {
  if (waitMs === 0) return;
  reply.header('retry-after', Math.ceil(waitMs / 1_000));
  throw new AdmissionError('admission.too_often', `request: too often; wait ${Math.ceil(waitMs / 1_000)} s`);
}

function shownBy(request: HttpRequest): Shown {
  const token = LONGEST_TOKEN.exec(request.headers.authorization ?? '')?.[1];
  const key = (request.raw.socket as TLSSocket).getPeerX509Certificate?.()?.publicKey;
  const keyPin =
    key &&
    createHash('sha256')
      .update(key.export({ type: 'spki', format: 'der' }))
      .digest();
  return { token, keyPin };
}

/** Of the answer, not of its socket: on one that is kept open many questions come. */
function untilGone({ raw }: HttpReply): AbortSignal {
  const controller = new AbortController();
  if (raw.destroyed) controller.abort();
  raw.once('close', () => controller.abort());
  return controller.signal;
}

/** A purpose as somebody unknown wrote it: a word of ours or nothing, since anything could be in it. */
const textOf = (stated: unknown): string => (typeof stated === 'string' && /^[a-z-]{1,32}$/.test(stated) ? stated : '');

function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? (code.startsWith('store.') ? 503 : /^(decode|code)\./.test(code) ? 400 : 409);
}
