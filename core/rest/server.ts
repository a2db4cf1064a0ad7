/**
 * The core's REST listener: asks who it is, what they may, what for and how often; checks, carries out, writes into the audit log, and only
 * then answers. What can not be written down is neither done nor told.
 */
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { addressOf } from '../../protocol/address.ts';
import { Buckets, type Rate } from '../../protocol/bucket.ts';
import { AdmissionError, codeOf, DecodeError, type ErrorCode, type ExpectedError } from '../../protocol/errors.ts';
import { type Log, placeOf } from '../../protocol/log.ts';
import { PAGE_HEADERS } from '../../protocol/page-headers.ts';
import { SparseLog } from '../../protocol/sparse-log.ts';
import type { Clock } from '../../protocol/time.ts';
import { WebDoor } from '../../protocol/web-door.ts';
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
import { type Denial, Denials, STRANGER } from './denials.ts';
import { PURPOSE_HEADER } from './roles.ts';
import { type Caller, NotThere, type Route } from './route.ts';

/** A file of a page that anybody may load: it holds nothing of anybody. */
export type RestAsset = {
  /** In the URL; not under /core/. */
  readonly path: string;
} & ({ readonly type: string; readonly content: Buffer } | { /** Where it is. */ readonly to: string });

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
const HOLDER_WAITS_S = 60;
/** On which nobody is known: holders are not, and a browser opens six. */
const MOST_WAITING = 128;
const MOST_NAMES = 4_096;
/** Of one address, whoever asks: a health office is one address. */
const PER_ADDRESS: Rate = { perSecond: 50, burst: 200 };
/** Of one person or machine: nobody reads faster, and a copy of everything takes long enough to be seen. */
const PER_CALLER: Rate = { perSecond: 5, burst: 60 };
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'admission.wrong_account': 401,
  'admission.wrong_token': 401,
  'admission.not_allowed': 403,
  'admission.no_purpose': 403,
  'admission.too_often': 429,
  'admission.too_many_tries': 429,
  'admission.issuer_down': 503,
  'holder.not_proven': 403,
  'holder.challenge': 403,
  'holder.too_often': 429,
  'config.invalid': 400,
};

/** Listens until closed. @throws ConfigError `config.invalid` when the address can not be bound. */
export async function openRest(options: RestOptions): Promise<RestServer> {
  const { clock } = options;
  const log = new SparseLog(options.log, clock);
  const door = new WebDoor(MOST_WAITING, clock, (_address, code) => log.tell('warn', 'rest.held_off', code, { code }));
  const app = makeHttpApp({
    tls: options.tls,
    // Browsers of holders and of health offices.
    minVersion: 'TLSv1.2',
    longestBodyBytes: LONGEST_BODY_BYTES,
    requestMs: REQUEST_MS,
    door,
    asksForCertificate: true,
  });
  const denials = new Denials(options.audit, clock);
  new Server(app, { ...options, door, denials, log }).add();
  const port = await listenOn(app, options.binding, 'rest');
  return {
    port,
    close: async () => {
      await app.close();
      denials.close();
    },
  };
}

interface ServerParts extends Omit<RestOptions, 'log'> {
  readonly door: WebDoor;
  readonly denials: Denials;
  readonly log: SparseLog;
}

class Server {
  readonly #app: HttpApp;
  readonly #options: ServerParts;
  readonly #denials: Denials;
  readonly #addresses = new Buckets(PER_ADDRESS, MOST_NAMES);
  readonly #callers = new Buckets(PER_CALLER, MOST_NAMES);
  readonly #log: SparseLog;
  /** Who was admitted to which route, and whether what they asked is in the audit log. */
  readonly #admitted = new WeakMap<HttpRequest, { readonly made: Route; readonly caller: Caller; isWritten: boolean }>();

  constructor(app: HttpApp, options: ServerParts) {
    this.#app = app;
    this.#options = options;
    this.#denials = options.denials;
    this.#log = options.log;
  }

  add(): void {
    const app = this.#app;
    // A form of another site can send text without asking; JSON it can not.
    app.removeContentTypeParser('text/plain');
    app.addHook('onRequest', async (request, reply) => {
      reply.headers(PAGE_HEADERS);
      this.#refuseHastyAddress(request, reply);
    });
    app.setErrorHandler((error, request, reply) => this.#answerError(error, request, reply));
    app.setNotFoundHandler((_request, reply) => sendProblem(reply, 404, { title: 'nothing is here' }));
    app.get('/healthz', async () => ({ state: 'up' }));
    for (const asset of this.#options.assets) {
      if ('to' in asset) app.get(asset.path, async (_request, reply) => reply.redirect(asset.to, 308));
      else app.get(asset.path, async (_request, reply) => reply.type(asset.type).send(asset.content));
    }
    for (const made of this.#options.routes) this.#addRoute(made);
  }

  #addRoute(made: Route): void {
    this.#app.route({
      method: made.method,
      url: made.path,
      // Before a byte of the body is read.
      onRequest: async (request, reply) => {
        this.#admitted.set(request, { made, caller: await this.#admit(made, request, reply), isWritten: false });
      },
      handler: async (request, reply) => {
        const admitted = this.#admitted.get(request);
        if (admitted === undefined) throw new AdmissionError('admission.wrong_account', 'nobody was admitted');
        admitted.isWritten = true;
        return await this.#answer(made, admitted.caller, request, reply);
      },
    });
  }

  #refuseHastyAddress(request: HttpRequest, reply: HttpReply): void {
    try {
      refuseHaste(this.#addresses.takeOne(addressOf(request.ip), this.#options.clock.monotonic()), reply);
    } catch (error) {
      this.#denials.write({ who: STRANGER, role: STRANGER, purpose: '', action: 'request', about: '', detail: 'admission.too_often' });
      throw error;
    }
  }

  async #admit(made: Route, request: HttpRequest, reply: HttpReply): Promise<Caller> {
    let known: Known | undefined;
    const stated = request.headers[PURPOSE_HEADER];
    try {
      known = await identify(made, shownBy(request), this.#options.ways);
      // Those who prove a card are all one subject; they are held by their address, and by the route.
      if (!made.roles.includes('holder')) {
        this.#options.door.admit(request.raw.socket, known.subject);
        refuseHaste(this.#callers.takeOne(known.subject, this.#options.clock.monotonic()), reply);
      }
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
    const isAfterProof = made.audit.isAfterProof === true;
    let about = '';
    let isDown = false;
    const writeDown = (): void => {
      this.#write(caller, { action, about, outcome: 'done', rows: 0, detail: '' });
      isDown = true;
    };
    try {
      const asked = {
        caller,
        params: read(made.params, request.params),
        query: read(made.query, request.query),
        body: read(made.body, request.body ?? {}),
        address: addressOf(request.ip),
        writeDown,
        signal: untilGone(reply),
      };
      about = made.audit.about?.(asked) ?? '';
      if (!isLook && !isAfterProof && made.isRoutine === undefined) writeDown();
      const answer = made.answer.parse(await made.handle(asked));
      const rows = made.rows?.of(answer) ?? 0;
      if (rows > (made.rows?.most ?? 0)) throw new Error(`${made.path}: ${rows} rows of at most ${made.rows?.most}`);
      if (isLook && made.isRoutine === undefined) this.#write(caller, { action, about, outcome: 'done', rows, detail: '' });
      return answer;
    } catch (error) {
      const detail = error instanceof NotThere ? 'not there' : (codeOf(error) ?? 'bug');
      if (caller.role === 'holder' && !isDown) this.#denials.write({ ...denied(caller), action, about, detail });
      else {
        const outcome = error instanceof NotThere || detail.startsWith('admission.') ? 'refused' : 'failed';
        this.#write(caller, { action, about, outcome, rows: 0, detail });
      }
      throw error;
    }
  }

  /** @returns what is to be answered: that it could not be written down, where it could not. */
  #writtenDown(error: unknown, request: HttpRequest): unknown {
    try {
      this.#writeUnread(request);
      return error;
    } catch (unwritten) {
      return unwritten;
    }
  }

  /** @throws StoreError when it can not be kept. */
  #write({ subject, role, purpose }: Caller, deed: Pick<Deed, 'action' | 'about' | 'outcome' | 'rows' | 'detail'>): void {
    this.#options.audit.append({ atMs: this.#options.clock.wall(), who: subject, role, purpose: purpose ?? '', ...deed });
  }

  /** What was asked by somebody who was let in, and never came to its route: a body that can not be read. @throws StoreError. */
  #writeUnread(request: HttpRequest): void {
    const admitted = this.#admitted.get(request);
    if (admitted === undefined || admitted.isWritten) return;
    admitted.isWritten = true;
    const { caller, made } = admitted;
    const said = { action: made.audit.action, about: '', detail: 'decode.malformed' };
    if (caller.role === 'holder') this.#denials.write({ ...denied(caller), ...said });
    else this.#write(caller, { ...said, outcome: 'failed', rows: 0 });
  }

  #answerError(cause: unknown, request: HttpRequest, reply: HttpReply): HttpReply {
    const error = this.#writtenDown(cause, request);
    if (error instanceof NotThere) return sendProblem(reply, 404, { title: error.message });
    const code = codeOf(error);
    if (code !== undefined) {
      const status = statusOf(code);
      // Who was refused may still be sending.
      if (status === 401) reply.headers({ 'www-authenticate': 'Bearer', connection: 'close' });
      if (code === 'holder.too_often') reply.header('retry-after', HOLDER_WAITS_S);
      if (status === 503) this.#log.tell('warn', 'rest.unavailable', code, { code });
      return sendProblem(reply, status, { title: (error as ExpectedError).message, code });
    }
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    if (status < 500) return sendProblem(reply, status, { title: 'not a request that is understood here' });
    const place = placeOf(error);
    this.#log.tell('error', 'rest.internal', `${place.bug} ${place.at}`, { ...place });
    return sendProblem(reply, 500, { title: 'a fault of the core' });
  }
}

/** @throws DecodeError `decode.malformed` that says where, and never what was there. */
function read(schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ code, path, message }) =>
    [...path.map(String), code === 'unrecognized_keys' ? 'a name that is not known here' : message].join(': '),
  );
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

const denied = ({ subject, role, purpose }: Caller): Pick<Denial, 'who' | 'role' | 'purpose'> => ({
  who: subject,
  role,
  purpose: purpose ?? '',
});

/** A purpose as somebody unknown wrote it: a word of ours or nothing, since anything could be in it. */
const textOf = (stated: unknown): string => (typeof stated === 'string' && /^[a-z-]{1,32}$/.test(stated) ? stated : '');

function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? (code.startsWith('store.') ? 503 : /^(decode|code)\./.test(code) ? 400 : 409);
}
