/**
 * The core's intake over HTTPS, for a gateway on another machine: authenticates, bounds, reads, and hands to the core, one offer after the
 * other. What is offered again changes nothing.
 * Source: docs/ledger-entries.md; RFC 6750 (bearer tokens); draft-ietf-httpapi-idempotency-key-header-07.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import {
  AFTER_HEADER,
  BATCH_TYPE,
  decodeEvents,
  ENTRIES_PATH,
  idempotencyKeyOf,
  LONGEST_EVENTS_BYTES,
  REPLAY_HEADER,
  TAKEN_PATH,
} from '../protocol/entry-event.ts';
import { AdmissionError, codeOf, DecodeError, type ErrorCode, ExpectedError, SinkError } from '../protocol/errors.ts';
import type { DeploymentId } from '../protocol/ids.ts';
import { type Log, placeOf } from '../protocol/log.ts';
import { encodeNews, encodeStickerNews, NEWS_WAIT_MS, NOTICES_PATH, STICKERS_PATH, VERSION_FORM } from '../protocol/notice-news.ts';
import {
  decodeRevocationReport,
  encodeRevocationNews,
  HOLDER_ASK_AT_CORE,
  HOLDER_CHALLENGE_AT_CORE,
  REVOCATIONS_PATH,
} from '../protocol/revocation-news.ts';
import { SparseLog } from '../protocol/sparse-log.ts';
import type { Clock } from '../protocol/time.ts';
import { WebDoor } from '../protocol/web-door.ts';
import type { Core } from './core.ts';
import {
  type HttpApp,
  type HttpBinding,
  type HttpReply,
  type HttpRequest,
  type HttpTls,
  listenOn,
  makeHttpApp,
  sendProblem,
} from './http-listener.ts';
import type { HolderDoor, Intake, NoticeSource, RevocationSource } from './intake.ts';
import { PeerBounds } from './peer-bounds.ts';

export interface HttpIntakeOptions {
  /** For which cards there are notices; where left out, nobody is told of any. */
  readonly notices?: NoticeSource;
  /** @returns which gateway shows this token, or this key's pin; `undefined` for nobody known. */
  readonly peerOf: (shown: ShownByGateway) => Peer | undefined;
  readonly binding: HttpBinding;
  readonly tls: HttpTls;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ShownByGateway {
  readonly token: string | undefined;
  /** SHA-256 of the public key (SubjectPublicKeyInfo) of its certificate, 32 bytes. */
  readonly keyPin: Uint8Array | undefined;
}

/** A gateway that is let in. */
export interface Peer {
  /** Whose ledger it sends; that of another is refused. */
  readonly deployment: DeploymentId;
  readonly intake: Intake;
  /** Which cards were taken back; where left out, it is told of none. */
  readonly revocations?: RevocationSource;
  /** Answers what is asked at its kiosks; where left out, nobody is answered. */
  readonly holder?: HolderDoor;
}

/** @param peer is let in by this token, where there is one, and by these pins. */
export function onePeer(peer: Peer, token: string | undefined, keyPins: readonly Uint8Array[]): HttpIntakeOptions['peerOf'] {
  return (shown) => {
    const isToken = token !== undefined && shown.token !== undefined && timingSafeEqual(sha256(shown.token), sha256(token));
    const isKey = shown.keyPin !== undefined && keyPins.some((known) => Buffer.compare(known, shown.keyPin ?? known) === 0);
    return isToken || isKey ? peer : undefined;
  };
}

export interface HttpIntake {
  readonly port: number;
  /** Ends every connection; nothing is asked of the core any more when it resolves. */
  close(): Promise<void>;
}

/** On which no gateway is known yet; all of a region may come from one address, each with five. */
const MOST_WAITING_GATEWAYS = 64;
const REQUEST_MS = 30_000;
/** Offers whose answers are remembered: a gateway asks again for its last one. */
const MOST_REMEMBERED = 256;
const RETRY_AFTER_S = 5;
const JSON_TYPE = 'application/json';
const POSITION_FORM = /^(0|[1-9]\d{0,15})$/;

/** Lets in the gateways that were added to a core. */
export function addedPeers(core: Pick<Core, 'gateways' | 'intakeOf' | 'revocationsFor' | 'holder'>): HttpIntakeOptions['peerOf'] {
  return ({ token, keyPin }) => {
    const machine = core.gateways.known(token, keyPin);
    if (machine?.deployment === undefined) return undefined;
    const { deployment } = machine;
    return { deployment, intake: core.intakeOf(machine), revocations: core.revocationsFor(machine), holder: core.holder };
  };
}

/** Listens until closed. @throws ConfigError `config.invalid` when the address can not be bound. */
export async function openHttpIntake(options: HttpIntakeOptions): Promise<HttpIntake> {
  const { binding, tls, clock } = options;
  const log = new SparseLog(options.log, clock);
  const door = new WebDoor(MOST_WAITING_GATEWAYS, clock, (_address, code) => log.tell('warn', 'intake.held_off', code, { code }));
  const app = makeHttpApp({
    tls,
    minVersion: 'TLSv1.3',
    longestBodyBytes: LONGEST_EVENTS_BYTES,
    requestMs: REQUEST_MS,
    door,
    asksForCertificate: true,
  });
  new Routes(app, options, door, log).add();
  return { port: await listenOn(app, binding, 'core'), close: () => app.close() };
}

class Routes {
  readonly #app: HttpApp;
  readonly #options: HttpIntakeOptions;
  /** The answers of offers that were taken, by their key. */
  readonly #answers = new Map<string, object>();
  readonly #underWay = new Set<string>();
  /** Of one gateway one offer after the other; a slow one holds up itself alone. */
  readonly #turns = new Map<DeploymentId, Promise<unknown>>();
  readonly #peers = new WeakMap<HttpRequest, Peer>();
  readonly #bounds = new PeerBounds();
  readonly #door: WebDoor;
  readonly #log: SparseLog;

  constructor(app: HttpApp, options: HttpIntakeOptions, door: WebDoor, log: SparseLog) {
    this.#app = app;
    this.#options = options;
    this.#door = door;
    this.#log = log;
  }

  add(): void {
    const app = this.#app;
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(BATCH_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    app.addHook('onRequest', async (request, reply) => {
      reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      if (request.url !== '/healthz') this.#admit(request, reply);
    });
    app.setErrorHandler((error, _request, reply) => this.#answerError(error, reply));
    app.setNotFoundHandler((_request, reply) => sendProblem(reply, 404, { title: 'nothing is here' }));
    app.get('/healthz', async () => ({ state: 'up' }));
    app.get(TAKEN_PATH, async (request) => answerOf(this.#peer(request)));
    app.get(NOTICES_PATH, (request, reply) =>
      this.#tellNews(request, reply, async (source, ...asked) => encodeNews(await source.noticeNews(...asked))),
    );
    app.get(STICKERS_PATH, (request, reply) =>
      this.#tellNews(request, reply, async (source, ...asked) => encodeStickerNews(await source.stickerNews(...asked))),
    );
    app.get(REVOCATIONS_PATH, (request, reply) => this.#tellRevocations(request, reply));
    app.register((json, _options, done) => {
      json.addContentTypeParser(JSON_TYPE, { parseAs: 'buffer' }, (_request, body, read) => read(null, body));
      json.post(REVOCATIONS_PATH, (request, reply) => this.#hearReport(request, reply));
      json.post(HOLDER_CHALLENGE_AT_CORE, (request, reply) => this.#answerHolder(request, reply, (holder) => holder.challenge()));
      json.post(HOLDER_ASK_AT_CORE, (request, reply) =>
        this.#answerHolder(request, reply, (holder, from) => holder.ask(textOf(request), from)),
      );
      done();
    });
    app.post(ENTRIES_PATH, (request) => this.#take(request));
  }

  /** Before a byte of the body is read. @throws AdmissionError `admission.wrong_account`; SinkError `sink.unavailable`. */
  #admit(request: HttpRequest, reply: HttpReply): void {
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
    const key = (request.raw.socket as TLSSocket).getPeerX509Certificate?.()?.publicKey;
    const keyPin = key && sha256(key.export({ type: 'spki', format: 'der' }));
    const peer = this.#options.peerOf({ token, keyPin });
    if (peer === undefined) throw new AdmissionError('admission.wrong_account', 'neither a token nor a certificate that is known here');
    this.#door.admit(request.raw.socket, peer.deployment);
    this.#bounds.enter(peer.deployment, reply.raw);
    this.#peers.set(request, peer);
  }

  /** @throws AdmissionError `admission.wrong_account` for nobody. */
  #peer(request: HttpRequest): Peer {
    const peer = this.#peers.get(request);
    if (peer === undefined) throw new AdmissionError('admission.wrong_account', 'nobody was let in');
    return peer;
  }

  /** Keeps the asker waiting until there is something new. What there is, is the same for every gateway: a card is shown at any door, a sticker at any desk. */
  async #tellNews(
    request: HttpRequest,
    reply: HttpReply,
    tell: (source: NoticeSource, ...asked: Parameters<NoticeSource['noticeNews']>) => Promise<string>,
  ): Promise<HttpReply> {
    const { notices } = this.#options;
    if (notices === undefined) return sendProblem(reply, 404, { title: 'nobody is told of notices here' });
    const news = await tell(notices, afterIn(request), NEWS_WAIT_MS, this.#waitFor(request, reply));
    return reply.type(JSON_TYPE).send(news);
  }

  /** @returns aborts when the asker is gone, or asks for the same elsewhere. */
  #waitFor(request: HttpRequest, reply: HttpReply): AbortSignal {
    return this.#bounds.waitFor(this.#peer(request).deployment, request.routeOptions.url ?? '', reply.raw);
  }

  async #tellRevocations(request: HttpRequest, reply: HttpReply): Promise<HttpReply> {
    const { revocations } = this.#peer(request);
    if (revocations === undefined) return sendProblem(reply, 404, { title: 'nobody is told of cards that were taken back here' });
    const news = await revocations.revocations(afterIn(request), NEWS_WAIT_MS, this.#waitFor(request, reply));
    return reply.type(JSON_TYPE).send(encodeRevocationNews(news));
  }

  /** What a gateway says of itself is noted as its own. */
  async #hearReport(request: HttpRequest, reply: HttpReply): Promise<HttpReply> {
    const { revocations } = this.#peer(request);
    if (revocations === undefined) return sendProblem(reply, 404, { title: 'nobody is asked of cards that were taken back here' });
    await revocations.report(decodeRevocationReport(textOf(request)));
    return reply.code(204).send();
  }

  /** Of all kiosks of a gateway together so many are answered as of one page: one that asks for thousands keeps nobody else out. */
  async #answerHolder(
    request: HttpRequest,
    reply: HttpReply,
    answer: (holder: HolderDoor, from: string) => string | Promise<string>,
  ): Promise<HttpReply> {
    const { holder, deployment } = this.#peer(request);
    if (holder === undefined) return sendProblem(reply, 404, { title: 'no holder is answered here' });
    return reply.type(JSON_TYPE).send(await answer(holder, deployment));
  }

  async #take(request: HttpRequest): Promise<object> {
    const peer = this.#peer(request);
    const body = request.body instanceof Buffer ? request.body : Buffer.alloc(0);
    const { deployment, entries, bad } = decodeEvents(body);
    if (deployment !== undefined && deployment !== peer.deployment)
      throw new SinkError('sink.other_ledger', 'the ledger of another gateway is kept here');
    if (bad !== undefined) throw new BadEntry(bad.code, bad.position);
    const key = request.headers['idempotency-key'];
    if (key === undefined) throw new DecodeError('decode.malformed', 'no Idempotency-Key');
    if (key !== idempotencyKeyOf(peer.deployment, entries, body))
      throw new DecodeError('decode.checksum', 'the key is not of these entries');
    if (this.#underWay.has(key)) throw new SinkError('sink.unavailable', 'the same entries are being taken');
    const known = this.#answers.get(key);
    const isReplay = request.headers[REPLAY_HEADER] === '?1';
    if (known !== undefined && !isReplay) return known;
    this.#underWay.add(key);
    try {
      return await this.#inTurn(peer, async () => {
        if (!isReplay) await refuseGap(peer, request.headers[AFTER_HEADER]);
        await peer.intake.accept(entries, { isReplay });
        const answer = await answerOf(peer);
        if (!isReplay) this.#remember(key, answer);
        return answer;
      });
    } finally {
      this.#underWay.delete(key);
    }
  }

  #remember(key: string, answer: object): void {
    this.#answers.set(key, answer);
    const oldest = this.#answers.size > MOST_REMEMBERED ? this.#answers.keys().next().value : undefined;
    if (oldest !== undefined) this.#answers.delete(oldest);
  }

  #inTurn<T>({ deployment }: Peer, work: () => Promise<T>): Promise<T> {
    const done = (this.#turns.get(deployment) ?? Promise.resolve()).then(work);
    const settled = done.then(
      () => {},
      () => {},
    );
    this.#turns.set(deployment, settled);
    return done.finally(() => {
      if (this.#turns.get(deployment) === settled) this.#turns.delete(deployment);
    });
  }

  #answerError(error: unknown, reply: HttpReply): HttpReply {
    if (error instanceof BadEntry) {
      const { code, position } = error;
      return sendProblem(reply, 422, { title: 'an entry is wrong in itself', code, ...(position === undefined ? {} : { position }) });
    }
    const code = codeOf(error);
    if (code !== undefined) {
      const status = statusOf(code);
      if (status === 503) reply.header('retry-after', RETRY_AFTER_S);
      if (status === 401) reply.headers({ 'www-authenticate': 'Bearer', connection: 'close' });
      // Strangers may knock as often as they like, and fill no log.
      if (status === 401) this.#options.log.debug('intake.refused', () => ({ code, status }));
      else this.#log.tell('warn', 'intake.refused', code, { code, status });
      return sendProblem(reply, status, { title: (error as ExpectedError).message, code });
    }
    const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
    if (status < 500) return sendProblem(reply, status, { title: 'not a request that is understood here' });
    const place = placeOf(error);
    this.#log.tell('error', 'intake.internal', `${place.bug} ${place.at}`, { ...place });
    return sendProblem(reply, 500, { title: 'a fault of the core' });
  }
}

/** @throws SinkError `sink.gap` when the sender goes by more than is here: this core was brought back from a backup. */
async function refuseGap({ intake }: Peer, after: unknown): Promise<void> {
  if (after === undefined) return;
  if (typeof after !== 'string' || !POSITION_FORM.test(after)) throw new DecodeError('decode.malformed', `${AFTER_HEADER}: no position`);
  const taken = (await intake.taken()) ?? 0;
  if (taken < Number(after)) throw new SinkError('sink.gap', `taken until ${taken}, not ${after}: ask for ${TAKEN_PATH}`);
}

const answerOf = async ({ deployment, intake }: Peer): Promise<object> => ({ deployment, taken: (await intake.taken()) ?? 0 });

/** @returns the version that the asker was told last. @throws DecodeError `decode.malformed`. */
function afterIn(request: HttpRequest): string | undefined {
  const { after } = request.query as { after?: unknown };
  if (after === undefined || (typeof after === 'string' && VERSION_FORM.test(after))) return after;
  throw new DecodeError('decode.malformed', 'after: nothing that was told here');
}

const textOf = ({ body }: HttpRequest): string => (body instanceof Buffer ? body.toString('utf8') : '');

/** One entry of a batch that can not be read. */
class BadEntry extends ExpectedError {
  readonly position: number | undefined;

  constructor(code: ErrorCode, position: number | undefined) {
    super(code, 'an entry is wrong in itself');
    this.position = position;
  }
}

function statusOf(code: ErrorCode): number {
  if (code === 'admission.wrong_account') return 401;
  if (code === 'sink.other_ledger') return 403;
  if (code === 'sink.gap' || code === 'sink.unavailable') return 409;
  if (code === 'decode.overlong') return 413;
  if (code === 'decode.checksum') return 422;
  if (code === 'holder.too_often') return 429;
  if (code.startsWith('holder.')) return 403;
  return code.startsWith('decode.') ? 400 : 503;
}

const sha256 = (bytes: string | Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
