/** A connection with nothing between it and the bytes. */
import type { KeyObject } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { makeCertificate } from '../../protocol/certificate.ts';
import { eventually } from './eventually.ts';

export interface From {
  /** Of the loopback: attackers come from another address than kiosks. */
  readonly localAddress?: string;
}

export class RawClient {
  readonly socket: Socket;
  isClosed = false;
  /** What came, up to 64 KiB. */
  received: Buffer = Buffer.alloc(0);
  receivedBytes = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('data', (bytes: Buffer) => {
      this.receivedBytes += bytes.length;
      if (this.received.length < 65_536) this.received = Buffer.concat([this.received, bytes]);
    });
  }

  /** @returns a TCP connection; one that is refused is closed. */
  static async tcp(port: number, { localAddress = '127.0.0.66' }: From = {}): Promise<RawClient> {
    const socket = connectTcp({ host: '127.0.0.1', port, localAddress });
    const client = new RawClient(socket);
    await eventually('a connection', () => client.isClosed || socket.readyState === 'open');
    return client;
  }

  /** @returns a TLS connection; one whose handshake fails is closed. */
  static async tls(
    port: number,
    own: { readonly key: KeyObject; readonly cert?: string; readonly alpn?: string } | undefined,
    { localAddress = '127.0.0.66' }: From = {},
  ): Promise<RawClient> {
    const identity =
      own === undefined
        ? {}
        : { key: own.key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: own.cert ?? (await makeCertificate(own.key, 'x')) };
    const socket = connectTls({
      // Node's types forget that these go on to the connection below.
      ...({ host: '127.0.0.1', port, localAddress } as { host: string; port: number }),
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ...identity,
      ...(own?.alpn === undefined ? {} : { ALPNProtocols: [own.alpn] }),
    });
    const client = new RawClient(socket);
    let isSecure = false;
    socket.once('secureConnect', () => {
      isSecure = true;
    });
    await eventually('a handshake', () => client.isClosed || isSecure);
    return client;
  }

  get closed(): Promise<void> {
    return eventually('the end of a connection', () => this.isClosed);
  }

  write(bytes: Uint8Array): void {
    if (!this.isClosed) this.socket.write(bytes);
  }

  /** Writes, and waits for an answer or the end. @returns the first bytes that came since. */
  async ask(bytes: Uint8Array): Promise<Buffer> {
    const from = this.received.length;
    this.write(bytes);
    await eventually('an answer', () => this.isClosed || this.received.length > from);
    return this.received.subarray(from);
  }

  /** @returns the return code of CONNACK; `undefined` when it was closed without. */
  async connack(connectPacket: Uint8Array): Promise<number | undefined> {
    const answer = await this.ask(connectPacket);
    return answer[0] === 0x20 ? answer[3] : undefined;
  }

  end(): void {
    this.socket.destroy();
  }
}
