/** Load for gateway.bench.ts: the gateway's process, and kiosks that publish packets encoded before, over TLS, a window at a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { makeCertificate } from '../../protocol/certificate.ts';
import { FsyncWatch } from './fsync-library.ts';
import type { FromGatewayChild, GatewayChildOptions, ToGatewayChild } from './gateway-child.ts';

export class ServerUnderTest {
  readonly watch: FsyncWatch;
  readonly #child: ChildProcess;
  readonly #heard: FromGatewayChild[] = [];
  #told: () => void = () => {};

  constructor(options: GatewayChildOptions, library: string, countFile: string) {
    this.watch = new FsyncWatch(library, countFile, 0);
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'gateway-child.ts'), JSON.stringify(options)], {
      env: { ...process.env, ...this.watch.env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: FromGatewayChild) => {
      this.#heard.push(message);
      this.#told();
    });
    this.#child.once('exit', () => this.#told());
  }

  async heard<K extends FromGatewayChild['kind']>(kind: K): Promise<Extract<FromGatewayChild, { kind: K }>> {
    for (;;) {
      const at = this.#heard.findIndex((message) => message.kind === kind);
      if (at >= 0) return this.#heard.splice(at, 1)[0] as Extract<FromGatewayChild, { kind: K }>;
      if (this.#child.exitCode !== null) throw new Error(`bench: the server ended with ${this.#child.exitCode}`);
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
  }

  async admit(kiosks: readonly { kiosk: string; publicKey: string }[]): Promise<void> {
    this.#send({ kind: 'admit', kiosks });
    await this.heard('admitted');
  }

  async cpu(): Promise<{ us: number; rssBytes: number }> {
    this.#send({ kind: 'tell-cpu' });
    return await this.heard('cpu');
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #send(message: ToGatewayChild): void {
    this.#child.send(message);
  }
}

/** MQTT 3.1.1, 1.5.3: two bytes of length, then the text. */
const mqttText = (text: string): Buffer => Buffer.concat([Buffer.from([text.length >> 8, text.length & 0xff]), Buffer.from(text, 'ascii')]);

/** MQTT 3.1.1, 2.2: type and flags, then the remaining length, seven bits a byte, low first. */
function mqttPacket(typeAndFlags: number, ...parts: readonly Uint8Array[]): Buffer {
  const rest = Buffer.concat(parts);
  const length: number[] = [];
  for (let left = rest.length; length.length === 0 || left > 0; left >>= 7) length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  return Buffer.concat([Buffer.from([typeAndFlags, ...length]), rest]);
}

/** MQTT 3.1.1, 3.1: protocol level 4, clean session, no keep-alive. */
const connectPacket = (clientId: string): Buffer => mqttPacket(0x10, mqttText('MQTT'), Buffer.from([4, 2, 0, 0]), mqttText(clientId));

/** MQTT 3.1.1, 3.3: at QoS 1; packet ids go round from 1. */
export function publishPacket(topic: string, payload: Uint8Array, index: number): Buffer {
  const packetId = (index % 65_535) + 1;
  return mqttPacket(0x32, mqttText(topic), Buffer.from([packetId >> 8, packetId & 0xff]), payload);
}

const PUBACK = 0x40;
const ACK_BYTES = 4;

/** One connection that knows PUBACKs only: parsing more would be the load's own cost. */
export class LoadKiosk {
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #onAck: () => void = () => {};

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => {});
    socket.setNoDelay(true);
  }

  static async connect(port: number, kiosk: string, key: KeyObject): Promise<LoadKiosk> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
      cert: await makeCertificate(key, kiosk),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    socket.write(connectPacket(kiosk));
    const [connack] = (await new Promise<Buffer[]>((resolve, reject) => {
      socket.once('data', (bytes: Buffer) => resolve([bytes]));
      socket.once('close', () => reject(new Error('bench: the gateway closed the connection')));
    })) as [Buffer];
    if (connack[0] !== 0x20 || connack[3] !== 0) throw new Error(`bench: CONNACK ${connack.toString('hex')}`);
    return new LoadKiosk(socket);
  }

  /** Publishes all, at most `window` of them unanswered. @returns the milliseconds to each PUBACK, which come in order. */
  publish(packets: readonly Buffer[], window: number): Promise<number[]> {
    const tookMs: number[] = [];
    const sentMs: number[] = [];
    return new Promise((resolve, reject) => {
      const onClose = () => reject(new Error('bench: the gateway closed the connection'));
      this.#socket.once('close', onClose);
      const send = (): void => {
        while (sentMs.length < packets.length && sentMs.length - tookMs.length < window) {
          const packet = packets[sentMs.length] as Buffer;
          sentMs.push(performance.now());
          this.#socket.write(packet);
        }
      };
      this.#onAck = () => {
        tookMs.push(performance.now() - (sentMs[tookMs.length] ?? Number.NaN));
        if (tookMs.length < packets.length) return send();
        this.#socket.off('close', onClose);
        resolve(tookMs);
      };
      send();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= ACK_BYTES) {
      if (this.#rest[0] !== PUBACK) throw new Error(`bench: a packet of type ${this.#rest[0]} instead of PUBACK`);
      this.#rest = this.#rest.subarray(ACK_BYTES);
      this.#onAck();
    }
  }
}
