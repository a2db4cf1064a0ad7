/**
 * The HTTP API for kiosks on the TLS port: enrol, renew, the time. Takes connections that a listener has already taken through the
 * handshake. Knows its peer by the key that the handshake proved, and by nothing else.
 * Source: RFC 9112; docs/protocol.md, "Enrolment".
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  ENROL_PATH,
  formatPapers,
  formatRefusal,
  formatTimeAnswer,
  HOLDER_ASK_PATH,
  HOLDER_CHALLENGE_PATH,
  LONGEST_REQUEST_BYTES,
  parseEnrolRequest,
  parseRenewRequest,
  parseTimeRequest,
  RENEW_PATH,
  TIME_PATH,
} from '../../protocol/enrol.ts';
import { AdmissionError, codeOf, DecodeError, type ErrorCode } from '../../protocol/errors.ts';
import { formatPlaceAnswer, LEAVE_PATH, PLACE_PATH, parsePlaceRequest } from '../../protocol/kiosk-place.ts';
import { digestIn, parseRange } from '../../protocol/release-fetch.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Peer } from '../admission.ts';
import type { BundlePiece } from '../rollout/bundle-shelf.ts';
import type { Enroller } from './enroller.ts';
import type { KioskDesk } from './kiosk-desk.ts';
import { OneRequest } from './one-request.ts';

export interface ApiDoors {
  readonly enroller: Pick<Enroller, 'enrol' | 'renew'>;
  readonly desk: Pick<KioskDesk, 'place' | 'leave'>;
  /** @returns the time, signed for this nonce. */
  readonly signTime: (nonce: Uint8Array) => Uint8Array;
  /** What a holder asks at a kiosk, passed on to the core. @throws AdmissionError for a key that is no admitted kiosk's, and as `HolderDoor`. */
  readonly holder: {
    challenge(publicKey: Uint8Array): Promise<string>;
    ask(body: string, publicKey: Uint8Array): Promise<string>;
  };
  /** A piece of a release. @returns `undefined` for one that is not handed out. @throws AdmissionError for a key that is no admitted kiosk's. */
  readonly piece: (digest: string, first: number, last: number, publicKey: Uint8Array) => Promise<BundlePiece | undefined>;
  readonly after: Clock['after'];
  /** Each refusal, for whoever watches. */
  readonly onRefused: (code: ErrorCode) => void;
  readonly onBug: (error: unknown) => void;
}

export interface KioskApi {
  /** Takes over a connection. */
  accept(socket: Socket, peer: Peer): void;
  /** Ends every connection; nothing is asked of the stores any more when it resolves. */
  close(): Promise<void>;
}

/** One request and its answer; a connection that takes longer is held by somebody who has no use for it. */
const LONGEST_EXCHANGE_MS = 15_000;
const MOST_HEADER_BYTES = 4_096;
const MOST_AT_ONCE = 256;

/** Which status says what of a refusal; 400 else. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'admission.no_certificate': 401,
  'admission.unknown_kiosk': 403,
  'admission.revoked': 403,
  'admission.wrong_key': 409,
  'admission.unknown_venue': 409,
  'enrol.unknown': 404,
  'enrol.used': 409,
  'enrol.expired': 410,
  'enrol.withdrawn': 410,
  'holder.not_proven': 403,
  'holder.challenge': 409,
  'holder.too_often': 429,
  'holder.not_reached': 503,
};

const PATHS: readonly string[] = [ENROL_PATH, RENEW_PATH, TIME_PATH, HOLDER_CHALLENGE_PATH, HOLDER_ASK_PATH, PLACE_PATH, LEAVE_PATH];

export function openKioskApi({ enroller, desk, signTime, holder, piece, after, onRefused, onBug }: ApiDoors): KioskApi {
  // By what Node's server takes for a socket.
  const peers = new WeakMap<Duplex, Peer>();
  /** Oldest first. */
  const sockets = new Set<Socket>();
  const asked = new WeakSet<Duplex>();
  const answering = new Set<Promise<void>>();
  let isClosing = false;

  const answerTo = async (request: IncomingMessage): Promise<string | undefined> => {
    const peer = peers.get(request.socket);
    const body = await readBody(request);
    if (body === undefined) return undefined;
    switch (request.url) {
      case ENROL_PATH:
        return formatPapers(await enroller.enrol(parseEnrolRequest(body), keyOf(peer)));
      case RENEW_PATH:
        parseRenewRequest(body);
        return formatPapers(await enroller.renew(keyOf(peer)));
      case PLACE_PATH:
        return formatPlaceAnswer(desk.place(parsePlaceRequest(body), keyOf(peer)));
      case LEAVE_PATH:
        desk.leave(keyOf(peer));
        return '{}';
      case HOLDER_CHALLENGE_PATH:
        return await holder.challenge(keyOf(peer));
      case HOLDER_ASK_PATH:
        return await holder.ask(body, keyOf(peer));
      default:
        return formatTimeAnswer(signTime(parseTimeRequest(body)));
    }
  };

  /** RFC 9110, sections 14.4, 15.3.7 and 15.5.17. */
  const handOut = async (request: IncomingMessage, response: ServerResponse, digest: string): Promise<undefined> => {
    const range = parseRange(request.headers.range);
    if (range === undefined) throw new DecodeError('decode.malformed', 'kiosk API: not one range of at most 262,144 bytes');
    const found = await piece(digest, range.first, range.last, keyOf(peers.get(request.socket)));
    if (found === undefined) {
      refuse(response, { status: 404, code: 'decode.unsupported' });
      return;
    }
    const { bytes, lengthBytes } = found;
    const headers = { 'cache-control': 'no-store', connection: 'close', 'content-length': bytes.length };
    if (bytes.length === 0) response.writeHead(416, { ...headers, 'content-range': `bytes */${lengthBytes}` });
    else {
      const contentRange = `bytes ${range.first}-${range.first + bytes.length - 1}/${lengthBytes}`;
      response.writeHead(206, { ...headers, 'content-type': 'application/octet-stream', 'content-range': contentRange });
    }
    response.end(bytes);
  };

  const refuse = (response: ServerResponse, { status, code }: FormRefusal): void => {
    onRefused(code);
    say(response, status, formatRefusal(code));
  };

  const server = createServer(
    {
      maxHeaderSize: MOST_HEADER_BYTES,
      // Looked at below, so that its lack is refused by a code as all else is.
      requireHostHeader: false,
    },
    (request, response) => {
      // Short ones can come with the first in one piece.
      if (asked.has(request.socket)) return;
      asked.add(request.socket);
      const unfit = refuseForm(request);
      if (request.socket instanceof OneRequest)
        request.socket.takeBody(unfit === undefined ? Number(request.headers['content-length'] ?? 0) : 0);
      if (unfit !== undefined) return refuse(response, unfit);
      const digest = digestIn(request.url ?? '');
      const work = digest === undefined ? answerTo(request) : handOut(request, response, digest);
      const answered = work.then(
        (answer) => {
          if (answer !== undefined) say(response, 200, answer);
        },
        (error: unknown) => {
          if (isClosing) return;
          const code = codeOf(error);
          if (code !== undefined) return refuse(response, { status: statusOf(code), code });
          onBug(error);
          say(response, 500, '');
        },
      );
      answering.add(answered);
      answered.finally(() => answering.delete(answered)).catch(onBug);
    },
  );
  /** The one that has been here longest goes: a kiosk is done in a moment, and who only holds connections is not. */
  const makeRoom = (): void => {
    const [oldest] = sockets;
    if (oldest === undefined || sockets.size < MOST_AT_ONCE) return;
    sockets.delete(oldest);
    onRefused('admission.too_many_connections');
    oldest.destroy();
  };

  // By itself Node would answer an expectation that it does not know, without a code, and read on.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  // A peer that speaks no HTTP is told nothing.
  server.on('clientError', (_error, socket) => socket.destroy());

  return {
    accept(socket, peer) {
      if (isClosing) {
        socket.destroy();
        return;
      }
      makeRoom();
      sockets.add(socket);
      // By itself: Node looks at how long a request takes only in a server that listens, and a socket's own timeout begins anew with each byte.
      const cancel = after(LONGEST_EXCHANGE_MS, () => socket.destroy());
      socket.once('close', () => {
        cancel();
        sockets.delete(socket);
      });
      const exchange = new OneRequest(socket, MOST_HEADER_BYTES + LONGEST_REQUEST_BYTES);
      peers.set(exchange, peer);
      server.emit('connection', exchange);
    },
    async close() {
      isClosing = true;
      for (const socket of sockets) socket.destroy();
      await Promise.allSettled(answering);
    },
  };
}

function keyOf(peer: Peer | undefined): Uint8Array {
  if (peer?.transport !== 'tls' || peer.publicKey === undefined)
    throw new AdmissionError('admission.no_certificate', 'kiosk API: no Ed25519 certificate was shown');
  return peer.publicKey;
}

interface FormRefusal {
  readonly status: number;
  readonly code: ErrorCode;
}

/**
 * What a request is refused for before anything of its body is read. RFC 9112, section 3.2 (Host), RFC 9110, sections 15.5.5, 15.5.6,
 * 15.5.12 (a length must be said, so that one that is too long need not be read), 15.5.14 and 15.5.18.
 */
function refuseForm({ url, method, headers, httpVersion }: IncomingMessage): FormRefusal | undefined {
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') return { status: 417, code: 'decode.unsupported' };
  if (headers.host === undefined && httpVersion === '1.1') return { status: 400, code: 'decode.malformed' };
  if (digestIn(url ?? '') !== undefined) return method === 'GET' ? undefined : { status: 405, code: 'decode.unsupported' };
  if (!PATHS.includes(url ?? '')) return { status: 404, code: 'decode.unsupported' };
  if (method !== 'POST') return { status: 405, code: 'decode.unsupported' };
  if (headers['content-length'] === undefined) return { status: 411, code: 'decode.malformed' };
  return Number(headers['content-length']) > LONGEST_REQUEST_BYTES ? { status: 413, code: 'decode.overlong' } : undefined;
}

/** @returns `undefined` when the peer left before its last byte, or with it: nobody waits for an answer. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function statusOf(code: ErrorCode): number {
  return code.startsWith('store.') ? 503 : (STATUS[code] ?? 400);
}

/** One answer a connection: a kiosk asks seldom, and what is not open needs no bound. */
function say(response: ServerResponse, status: number, body: string): void {
  // A length, not chunks: whoever writes a kiosk by hand reads to the end and is done.
  const length = { 'content-length': Buffer.byteLength(body) };
  const allow = status === 405 ? { allow: 'POST' } : {};
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', connection: 'close', ...length, ...allow });
  response.end(body);
}
