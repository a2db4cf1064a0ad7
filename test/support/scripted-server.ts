/** An HTTPS server that answers as a test says, on the loopback, under a certificate that the test can look at. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { issueCertificate, makeCertificate, type Signer } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { pinOfKey } from './far-core.ts';

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly clientKey: Buffer | undefined;
}

export class ScriptedServer {
  readonly heard: Heard[] = [];
  readonly certificatePem: string;
  /** Base64url, as a configuration says it. */
  readonly pin: string;
  /** How the next requests are answered. */
  answer: (heard: Heard, reply: ServerResponse) => void = (_heard, reply) => reply.end('{}');
  connections = 0;
  readonly #server: Server;
  #waiting: (() => void)[] = [];

  private constructor(server: Server, certificatePem: string, pin: string) {
    this.#server = server;
    this.certificatePem = certificatePem;
    this.pin = pin;
  }

  /** @param authority issues its certificate, for 127.0.0.1; left out: signed by itself, for no name. */
  static async open(authority?: Signer): Promise<ScriptedServer> {
    const key = generateSigningKey();
    const order = {
      publicKey: rawPublicKey(key),
      subject: { commonName: 'scripted', unit: 'test', organisation: 'test' },
      notBeforeMs: 0 as EpochMillis,
      notAfterMs: Date.UTC(9999, 0) as EpochMillis,
      use: { kind: 'server', names: ['127.0.0.1'] },
    } as const;
    const certificatePem = authority === undefined ? await makeCertificate(key, 'scripted') : await issueCertificate(order, authority);
    const server = createServer({
      key: key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificatePem,
      requestCert: true,
      rejectUnauthorized: false,
    });
    const scripted = new ScriptedServer(server, certificatePem, Buffer.from(pinOfKey(key)).toString('base64url'));
    server.on('secureConnection', () => {
      scripted.connections += 1;
    });
    server.on('request', (request, reply) => void scripted.#hear(request, reply));
    server.on('clientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return scripted;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves once so many requests have come whole. */
  async until(requests: number): Promise<void> {
    while (this.heard.length < requests) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Closes connections that no request is under way on. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #hear(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    const peer = (request.socket as TLSSocket).getPeerX509Certificate();
    const heard = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks),
      clientKey: peer && Buffer.from(pinOfKey(peer.publicKey)),
    };
    this.heard.push(heard);
    for (const wake of this.#waiting.splice(0)) wake();
    this.answer(heard, reply);
  }
}
