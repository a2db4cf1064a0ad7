/**
 * Opens the TLS connection to the gateway. Both ends are known by their keys alone: the kiosk takes its gateway's pinned certificate and no
 * other, and shows its own; no authority and no date is asked, because a kiosk may boot without knowing the time.
 */
import type { KeyObject } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { LinkError } from '../protocol/errors.ts';

export interface TlsDialOptions {
  readonly host: string;
  readonly port: number;
  /** @param certificate of the peer, DER; the handshake has proved that it holds its key. */
  readonly isGateway: (certificate: Uint8Array) => boolean;
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
}

/**
 * @returns a connected socket, whose peer holds the pinned certificate's key.
 * @throws LinkError link.refused when nobody answers there, link.pin when somebody else does, link.lost on abort.
 */
export function dialTls(options: TlsDialOptions, signal: AbortSignal): Promise<TLSSocket> {
  const { host, port, isGateway, certificatePem, privateKey } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      cert: certificatePem,
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
      minVersion: 'TLSv1.3',
      // The pin below decides, on a key that TLS 1.3 has proved (RFC 8446, section 4.4.3); there is no chain to check, and the name it was
      // reached by says nothing.
      rejectUnauthorized: false,
      servername: '',
    });
    const stop = () => socket.destroy(new LinkError('link.lost', 'uplink: stopped'));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const fail = (error: Error) => {
      signal.removeEventListener('abort', stop);
      reject(linkErrorOf(error));
    };
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', stop);
      socket.off('error', fail);
      const peer = socket.getPeerX509Certificate();
      if (peer !== undefined && isGateway(peer.raw)) return resolve(socket);
      socket.on('error', () => {});
      socket.destroy();
      reject(new LinkError('link.pin', 'gateway: its certificate is not the pinned one'));
    });
  });
}

const UNTRUSTED = /SELF_SIGNED|UNABLE_TO|CERT_|ERR_TLS_CERT|DEPTH_ZERO|ERR_SSL/;
const UNREACHED = /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EADDRNOTAVAIL/;

/** @returns the LinkError that an error of a socket means. */
export function linkErrorOf(error: Error): LinkError {
  if (error instanceof LinkError) return error;
  const code = 'code' in error ? String(error.code) : '';
  // Node 20 and later try several addresses and gather their errors.
  const codes = error instanceof AggregateError ? error.errors.map((one) => String(one.code)).join(' ') : code;
  if (UNTRUSTED.test(codes)) return new LinkError('link.pin', `gateway: not the pinned one (${codes})`, { cause: error });
  if (UNREACHED.test(codes)) return new LinkError('link.refused', `gateway: not reached (${codes})`, { cause: error });
  return new LinkError('link.lost', `gateway: connection lost (${codes || error.name})`, { cause: error });
}
