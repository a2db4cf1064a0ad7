/**
 * Opens the connection to a sink: TLS to a peer that is known by its key (a pin) or by an authority, or plain TCP on this machine.
 * Says by code what kept it from coming about.
 */
import { createHash, type X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ConfigError, SinkError } from '../../protocol/errors.ts';
import { readSecret } from '../key-files.ts';

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  readonly isPlain: boolean;
  /** 32 bytes. */
  readonly pin?: Uint8Array | undefined;
  readonly caPath?: string | undefined;
  readonly certificatePath?: string | undefined;
  readonly keyPath?: string | undefined;
}

/** @throws SinkError sink.not_reached, sink.not_trusted, sink.lost; on abort sink.lost. */
export type Dial = (signal: AbortSignal) => Promise<Socket>;

/** @returns dials, with what its files held now. @throws ConfigError `config.invalid` when one can not be read, or its secret is open to others. */
export function dialOf(options: DialOptions): Dial {
  const { host, port, isPlain, pin, caPath, certificatePath, keyPath } = options;
  const ca = caPath === undefined ? undefined : readText(caPath);
  const own =
    certificatePath === undefined || keyPath === undefined
      ? {}
      : { cert: readText(certificatePath), key: Buffer.from(readSecret(keyPath)) };
  return (signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new SinkError('sink.lost', 'sink: stopped'));
      const socket = isPlain
        ? connectPlain({ host, port })
        : connectTls({
            host,
            port,
            minVersion: 'TLSv1.2',
            servername: isIP(host) === 0 ? host : '',
            ...(ca === undefined ? {} : { ca }),
            ...own,
            // The pin is looked at below, before a byte is sent: a chain, a name and dates say nothing more.
            rejectUnauthorized: pin === undefined,
          });
      const end = () => {
        signal.removeEventListener('abort', stop);
        socket.off('error', fail);
      };
      const stop = () => socket.destroy(new SinkError('sink.lost', 'sink: stopped'));
      const fail = (error: Error) => {
        end();
        reject(sinkErrorOf(error));
      };
      signal.addEventListener('abort', stop, { once: true });
      socket.once('error', fail);
      socket.once(isPlain ? 'connect' : 'secureConnect', () => {
        end();
        const peer = 'getPeerX509Certificate' in socket ? socket.getPeerX509Certificate() : undefined;
        if (isPlain || pin === undefined || (peer !== undefined && pinOf(peer).equals(pin))) return resolve(socket);
        socket.on('error', () => {});
        socket.destroy();
        reject(new SinkError('sink.not_trusted', 'sink: its key is not the pinned one'));
      });
    });
}

/** SHA-256 of its SubjectPublicKeyInfo. */
export const pinOf = (certificate: X509Certificate): Buffer =>
  createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest();

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigError('config.invalid', `${path}: can not be read`, { cause });
  }
}

const UNTRUSTED = /SELF_SIGNED|UNABLE_TO|CERT_|ERR_TLS_CERT|DEPTH_ZERO|ERR_SSL_.*(CERTIFICATE|VERIFY)/;
const UNREACHED = /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EADDRNOTAVAIL/;

/** @returns the SinkError that an error of a socket means. */
export function sinkErrorOf(error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // Node tries several addresses and gathers their errors.
  const codes = error instanceof AggregateError ? error.errors.map((one) => String(one.code)).join(' ') : code;
  if (UNTRUSTED.test(codes))
    return new SinkError('sink.not_trusted', `sink: its certificate is not to be trusted (${codes})`, { cause: error });
  if (UNREACHED.test(codes)) return new SinkError('sink.not_reached', `sink: not reached (${codes})`, { cause: error });
  return new SinkError('sink.lost', `sink: connection lost (${codes || 'closed'})`, { cause: error });
}
