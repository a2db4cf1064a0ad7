/** Somebody else's broker, over TLS on the loopback: remembers what it is given, and acknowledges, hangs or closes as a test says. */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { Aedes } from 'aedes';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { pinOfKey } from './far-core.ts';

export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Buffer;
}

export class RemoteBroker {
  readonly messages: BrokerMessage[] = [];
  readonly accounts: { readonly username: string | undefined; readonly password: string; readonly clientId: string }[] = [];
  /** Base64url, as a configuration says it. */
  readonly pin: string;
  readonly certificatePem: string;
  /** CONNACK's return code; 0 lets in. */
  returnCode = 0;
  mayAcknowledge: (message: BrokerMessage) => boolean = () => true;
  /** Whether it closes the connection instead of acknowledging. */
  closesAt: (message: BrokerMessage) => boolean = () => false;
  /** Takes connections and says nothing. */
  isMute = false;
  connections = 0;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #held: (() => void)[] = [];
  #waiting: (() => void)[] = [];

  private constructor(aedes: Aedes, server: Server, pin: string, certificatePem: string) {
    this.#aedes = aedes;
    this.#server = server;
    this.pin = pin;
    this.certificatePem = certificatePem;
  }

  static async open(): Promise<RemoteBroker> {
    const key = generateSigningKey();
    const certificatePem = await makeCertificate(key, 'remote');
    const aedes = await Aedes.createBroker();
    const server = createServer({ key: key.export({ type: 'pkcs8', format: 'pem' }), cert: certificatePem });
    const broker = new RemoteBroker(aedes, server, Buffer.from(pinOfKey(key)).toString('base64url'), certificatePem);
    broker.#listen();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Resolves once so many messages have come. */
  until(messages: number): Promise<void> {
    return this.#until(() => this.messages.length >= messages);
  }

  untilConnections(connections: number): Promise<void> {
    return this.#until(() => this.connections >= connections);
  }

  /** Acknowledges what was held back. */
  acknowledgeHeld(): void {
    for (const acknowledge of this.#held.splice(0)) acknowledge();
  }

  /** Sends these bytes on every connection. */
  say(bytes: Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #listen(): void {
    this.#aedes.authenticate = (client, username, password, done) => {
      if (this.returnCode !== 0) return done(Object.assign(new Error('no'), { returnCode: this.returnCode as 5 }), false);
      this.accounts.push({ username: username?.toString(), password: password?.toString() ?? '', clientId: client.id });
      done(null, true);
    };
    this.#aedes.authorizePublish = (client, packet, done) => {
      if (client === null) return done(null);
      const message = { topic: packet.topic, payload: Buffer.from(packet.payload) };
      this.messages.push(message);
      this.#wake();
      if (this.closesAt(message)) return client.close();
      if (this.mayAcknowledge(message)) done(null);
      else this.#held.push(() => done(null));
    };
    this.#server.on('secureConnection', (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      if (!this.isMute) this.#aedes.handle(socket);
      this.#wake();
    });
    this.#server.on('tlsClientError', () => {});
  }
}
