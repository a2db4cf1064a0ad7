/**
 * Asks the gateway's API for kiosks: one request a connection, over the TLS port. The peer is known by its pin before anything is said to
 * it; names and dates are not asked, because a kiosk may boot without knowing the time.
 * Source: RFC 9112; docs/protocol.md, "Enrolment".
 */
import type { KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import { connect, type TLSSocket } from 'node:tls';
import { ALPN_HTTP, LONGEST_ANSWER_BYTES, parseRefusal } from '../protocol/enrol.ts';
import {
  AdmissionError,
  ConfigError,
  DecodeError,
  EnrolError,
  type ErrorCode,
  ExpectedError,
  HolderError,
  LinkError,
} from '../protocol/errors.ts';
import { LONGEST_PIECE_BYTES, rangeHeader } from '../protocol/release-fetch.ts';
import type { Clock } from '../protocol/time.ts';
import { linkErrorOf } from './tls-dial.ts';

export interface GatewayAddress {
  readonly host: string;
  readonly port: number;
  /** @param certificate of the peer, DER; the handshake has proved that it holds its key. */
  readonly isGateway: (certificate: Uint8Array) => boolean;
  /** Any certificate of the kiosk's own key, and the key. */
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
}

/** An import would load all that Node can export there, a browser's fetch and WebSocket with it: 8 MiB in a kiosk that uses neither. */
const { request } = createRequire(import.meta.url)('node:http') as typeof import('node:http');

const ANSWER_WITHIN_MS = 15_000;

/** Refusals that the same question meets again, however often it is asked. */
const FINAL: ReadonlyMap<string, (message: string) => ExpectedError> = new Map([
  ...(['enrol.unknown', 'enrol.used', 'enrol.expired', 'enrol.withdrawn'] as const).map((code) => final(code, EnrolError)),
  ...(['admission.revoked', 'admission.wrong_key', 'admission.unknown_venue', 'admission.unknown_kiosk'] as const).map((code) =>
    final(code, AdmissionError),
  ),
  ...(['holder.not_proven', 'holder.challenge', 'holder.too_often', 'holder.not_reached'] as const).map((code) => final(code, HolderError)),
  final('config.invalid', ConfigError),
]);

function final(code: ErrorCode, Family: new (code: ErrorCode, message: string) => ExpectedError) {
  return [code, (message: string) => new Family(code, message)] as const;
}

/**
 * @param body JSON. @returns the body of the gateway's answer.
 * @throws EnrolError, AdmissionError when the gateway refuses for good; LinkError `link.refused`, `link.pin`, `link.lost`, `link.timeout`, or
 * `link.unauthorised` for any other refusal: worth another try later.
 */
export async function askGateway(address: GatewayAddress, path: string, body: string, clock: Clock, signal: AbortSignal): Promise<string> {
  const asking: Asking = {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body,
    longestBytes: LONGEST_ANSWER_BYTES,
  };
  return (await answerTo(asking, 200, address, clock, signal)).toString('utf8');
}

/**
 * Asks for a piece of what the gateway hands out. @param lengthBytes 1 to 262,144. @returns exactly so many bytes.
 * @throws as `askGateway`; LinkError `link.lost` for another piece than was asked for.
 */
export async function fetchPiece(
  address: GatewayAddress,
  { path, from, lengthBytes }: { readonly path: string; readonly from: number; readonly lengthBytes: number },
  clock: Clock,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const headers = { range: rangeHeader(from, lengthBytes) };
  const asking: Asking = {
    method: 'GET',
    path,
    headers,
    body: undefined,
    longestBytes: Math.max(LONGEST_PIECE_BYTES, LONGEST_ANSWER_BYTES),
  };
  const piece = await answerTo(asking, 206, address, clock, signal);
  if (piece.length !== lengthBytes) throw new LinkError('link.lost', `gateway: ${piece.length} of ${lengthBytes} bytes`);
  return new Uint8Array(piece);
}

interface Asking {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly longestBytes: number;
}

async function answerTo(asking: Asking, wanted: number, address: GatewayAddress, clock: Clock, signal: AbortSignal): Promise<Buffer> {
  const late = new AbortController();
  const cancel = clock.after(ANSWER_WITHIN_MS, () => late.abort());
  try {
    const ending = AbortSignal.any([signal, late.signal]);
    const { status, body } = await exchange(await dial(address, ending), address, asking, ending);
    if (status === wanted) return body;
    throw refusalOf(status, body.toString('utf8'));
  } catch (error) {
    if (late.signal.aborted && error instanceof LinkError)
      throw new LinkError('link.timeout', `gateway: no answer for ${ANSWER_WITHIN_MS} ms`, { cause: error });
    throw error;
  } finally {
    cancel();
  }
}

function dial({ host, port, isGateway, certificatePem, privateKey }: GatewayAddress, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      cert: certificatePem,
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
      minVersion: 'TLSv1.3',
      ALPNProtocols: [ALPN_HTTP],
      // The pin below decides, on a key that TLS 1.3 has proved (RFC 8446, section 4.4.3); there is no chain to check.
      rejectUnauthorized: false,
      servername: '',
    });
    const stop = () => socket.destroy(new LinkError('link.lost', 'gateway: stopped asking'));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    socket.once('close', () => signal.removeEventListener('abort', stop));
    socket.once('error', (error) => reject(linkErrorOf(error)));
    socket.once('secureConnect', () => {
      if (isPinned(socket, isGateway) && socket.alpnProtocol === ALPN_HTTP) return resolve(socket);
      socket.destroy();
      reject(new LinkError('link.pin', 'gateway: somebody else answers there, or one that enrols nobody'));
    });
  });
}

/** A stranger's certificate may have a key of a kind that can not be read here. */
function isPinned(socket: TLSSocket, isGateway: GatewayAddress['isGateway']): boolean {
  try {
    const peer = socket.getPeerX509Certificate();
    return peer !== undefined && isGateway(peer.raw);
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

function exchange(
  socket: TLSSocket,
  { host }: GatewayAddress,
  { method, path, headers: own, body, longestBytes }: Asking,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      socket.destroy();
      reject(error instanceof ExpectedError ? error : linkErrorOf(error));
    };
    const headers = { host: host.includes(':') ? `[${host}]` : host, connection: 'close', ...own };
    const asking = request({ createConnection: () => socket, method, path, headers, signal }, (answer) => {
      const chunks: Buffer[] = [];
      let lengthBytes = 0;
      answer.on('data', (chunk: Buffer) => {
        lengthBytes += chunk.length;
        chunks.push(chunk);
        if (lengthBytes > longestBytes) fail(new DecodeError('decode.overlong', `gateway: an answer of more than ${longestBytes} bytes`));
      });
      answer.once('end', () => {
        socket.destroy();
        // Cut short, an answer ends without its last bytes.
        if (!answer.complete) return fail(new LinkError('link.lost', 'gateway: the answer was cut short'));
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
      answer.once('error', fail);
    });
    asking.once('error', fail);
    // Without an ear for it Node destroys the request and tells nobody, not even that its time is over.
    asking.once('upgrade', () => fail(new LinkError('link.lost', 'gateway: answered with 101')));
    asking.end(body);
  });
}

function refusalOf(status: number, text: string): ExpectedError {
  const code = codeIn(text);
  const make = code === undefined ? undefined : FINAL.get(code);
  return make?.(`gateway: refuses (${code})`) ?? new LinkError('link.unauthorised', `gateway: answered with ${code ?? status}`);
}

function codeIn(text: string): string | undefined {
  try {
    return parseRefusal(text);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
