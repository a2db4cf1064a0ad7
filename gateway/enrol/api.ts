/**
 * The HTTP API for kiosks on the TLS port: enrol, renew, the time. Takes connections that a listener has already taken through the
 * handshake. Knows its peer by the key that the handshake proved, and by nothing else.
 * Source: RFC 9112; docs/protocol.md, "Enrolment".
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  ENROL_PATH,
  formatPapers,
  formatRefusal,
  formatTimeAnswer,
  LONGEST_REQUEST_BYTES,
  parseEnrolRequest,
  parseTimeRequest,
  RENEW_PATH,
  TIME_PATH,
} from '../../protocol/enrol.ts';
import { AdmissionError, codeOf, DecodeError, type ErrorCode } from '../../protocol/errors.ts';
import type { Peer } from '../admission.ts';
import type { Enroller } from './enroller.ts';

export interface ApiDoors {
  readonly enroller: Pick<Enroller, 'enrol' | 'renew'>;
  /** @returns the time, signed for this nonce. */
  readonly signTime: (nonce: Uint8Array) => Uint8Array;
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
  'decode.overlong': 413,
};

export function openKioskApi({ enroller, signTime, onRefused, onBug }: ApiDoors): KioskApi {
  const peers = new WeakMap<Socket, Peer>();
  const sockets = new Set<Socket>();
  const answering = new Set<Promise<void>>();
  let isClosing = false;

  const answerTo = async (request: IncomingMessage): Promise<string> => {
    const peer = peers.get(request.socket);
    const body = await readBody(request);
    switch (request.url) {
      case ENROL_PATH:
        return formatPapers(await enroller.enrol(parseEnrolRequest(body), keyOf(peer)));
      case RENEW_PATH:
        return formatPapers(await enroller.renew(keyOf(peer)));
      default:
        return formatTimeAnswer(signTime(parseTimeRequest(body)));
    }
  };

  const server = createServer(
    {
      maxHeaderSize: MOST_HEADER_BYTES,
      headersTimeout: LONGEST_EXCHANGE_MS,
      requestTimeout: LONGEST_EXCHANGE_MS,
      connectionsCheckingInterval: LONGEST_EXCHANGE_MS,
    },
    (request, response) => {
      if (![ENROL_PATH, RENEW_PATH, TIME_PATH].includes(request.url ?? '')) return say(response, 404, '');
      if (request.method !== 'POST') return say(response, 405, '');
      const answered = answerTo(request).then(
        (answer) => say(response, 200, answer),
        (error: unknown) => {
          if (isClosing || (request.destroyed && !request.complete)) return;
          const code = codeOf(error);
          if (code === undefined) onBug(error);
          else onRefused(code);
          say(response, statusOf(code), code === undefined ? '' : formatRefusal(code));
        },
      );
      answering.add(answered);
      answered.finally(() => answering.delete(answered)).catch(onBug);
    },
  );
  // A peer that speaks no HTTP is told nothing.
  server.on('clientError', (_error, socket) => socket.destroy());

  return {
    accept(socket, peer) {
      if (isClosing || sockets.size >= MOST_AT_ONCE) {
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.setTimeout(LONGEST_EXCHANGE_MS, () => socket.destroy());
      peers.set(socket, peer);
      server.emit('connection', socket);
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

/** A request says how long it is, so that one that is too long is refused before it is read. */
async function readBody(request: IncomingMessage): Promise<string> {
  const lengthBytes = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(lengthBytes <= LONGEST_REQUEST_BYTES))
    throw new DecodeError('decode.overlong', `kiosk API: a body of not at most ${LONGEST_REQUEST_BYTES} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function statusOf(code: ErrorCode | undefined): number {
  if (code === undefined) return 500;
  return code.startsWith('store.') ? 503 : (STATUS[code] ?? 400);
}

/** One answer a connection: a kiosk asks seldom, and what is not open needs no bound. */
function say(response: ServerResponse, status: number, body: string): void {
  // A length, not chunks: whoever writes a kiosk by hand reads to the end and is done.
  const length = { 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', connection: 'close', ...length });
  response.end(body);
}
