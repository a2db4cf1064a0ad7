/** A real broker on this machine for the kiosk's end of the link: MQTT over TCP, or over TLS as a gateway does it. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes } from 'aedes';
import { rawPublicKey } from '../../protocol/ed25519.ts';
import type { Deployment } from './fixtures.ts';

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly isRetained: boolean;
}

export class TestBroker {
  readonly messages: Message[] = [];
  /** Raw public keys, in hex, of clients whose TLS certificate was seen. */
  readonly clientKeys: string[] = [];
  /** What each client asked for: a clean session, or one that the broker keeps. */
  readonly sessions: string[] = [];
  /** CONNACK's return code; 0 lets in. */
  returnCode = 0;
  /** Whether a filter may be subscribed to; else SUBACK says 0x80. */
  maySubscribe: (filter: string) => boolean = () => true;
  /** Whether a publish is acknowledged. */
  mayAcknowledge: (message: Message) => boolean = () => true;
  readonly #aedes: Aedes;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  readonly #deployment: Deployment | undefined;
  #waiting: { isDone: () => boolean; resolve: () => void }[] = [];

  private constructor(aedes: Aedes, deployment: Deployment | undefined) {
    this.#aedes = aedes;
    this.#deployment = deployment;
  }

  /** @param deployment for TLS with that gateway's certificate; plain TCP when left out. */
  static async open(deployment?: Deployment): Promise<TestBroker> {
    const broker = new TestBroker(await Aedes.createBroker(), deployment);
    broker.#aedes.authenticate = (client, _name, _password, done) => {
      broker.sessions.push((client as unknown as { readonly clean: boolean }).clean ? 'clean' : 'kept');
      if (broker.returnCode === 0) done(null, true);
      else done(Object.assign(new Error('no'), { returnCode: broker.returnCode }), false);
    };
    broker.#aedes.authorizeSubscribe = (_client, subscription, done) =>
      done(null, broker.maySubscribe(subscription.topic) ? subscription : null);
    broker.#aedes.authorizePublish = (client, packet, done) => {
      const message = { topic: packet.topic, payload: Buffer.from(packet.payload), isRetained: packet.retain };
      if (client !== null || packet.topic.startsWith('vestibule/')) broker.messages.push(message);
      broker.#waiting = broker.#waiting.filter(({ isDone, resolve }) => !isDone() || void resolve());
      if (broker.mayAcknowledge(message)) done(null);
    };
    await broker.listen();
    return broker;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, again on the same port after `unlisten`. */
  async listen(): Promise<void> {
    const serve = (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      this.#aedes.handle(socket);
    };
    if (this.#deployment === undefined) this.#server = createServer(serve);
    else {
      const { gatewayKey, gatewayCertificatePem } = this.#deployment;
      this.#server = createTlsServer(
        {
          key: gatewayKey.export({ format: 'pem', type: 'pkcs8' }),
          cert: gatewayCertificatePem,
          minVersion: 'TLSv1.3',
          requestCert: true,
          rejectUnauthorized: false,
        },
        (socket) => {
          const certificate = socket.getPeerX509Certificate();
          if (certificate !== undefined) this.clientKeys.push(Buffer.from(rawPublicKey(certificate.publicKey)).toString('hex'));
          serve(socket);
        },
      );
    }
    const server = this.#server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nobody answers at the port any more. */
  async unlisten(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()));
    this.cut();
    await closed;
  }

  /** Resolves once a message has come that makes `isDone` true, or it is so already. */
  until(isDone: () => boolean): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ isDone, resolve });
    });
  }

  publish(topic: string, payload: Uint8Array): Promise<void> {
    const packet = { cmd: 'publish' as const, topic, payload: Buffer.from(payload), qos: 1 as const, retain: false, dup: false };
    return new Promise((resolve, reject) => this.#aedes.publish(packet, (error) => (error ? reject(error) : resolve())));
  }

  async close(): Promise<void> {
    await this.unlisten();
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
  }
}
