/** One TLS connection that publishes at QoS 1 and knows acknowledgements only: parsing more would be the load's own cost. */
import type { KeyObject } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import { makeCertificate } from '../../protocol/certificate.ts';

/** MQTT 3.1.1, 1.5.3: two bytes of length, then the text. */
const mqttText = (text: string): Buffer => Buffer.concat([Buffer.from([text.length >> 8, text.length & 0xff]), Buffer.from(text, 'ascii')]);

/** MQTT 3.1.1, 2.2: type and flags, then the remaining length, seven bits a byte, low first. */
function mqttPacket(typeAndFlags: number, ...parts: readonly Uint8Array[]): Buffer {
  const restBytes = parts.reduce((sum, { length }) => sum + length, 0);
  const length: number[] = [];
  for (let left = restBytes; length.length === 0 || left > 0; left >>= 7) length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
  return Buffer.concat([Buffer.from([typeAndFlags, ...length]), ...parts]);
}

/** MQTT 3.1.1, 3.1: protocol level 4, clean session, no keep-alive. */
const connectPacket = (clientId: string): Buffer => mqttPacket(0x10, mqttText('MQTT'), Buffer.from([4, 2, 0, 0]), mqttText(clientId));

const CONNACK = 0x20;
const PUBACK = 0x40;
const ACK_BYTES = 4;

export interface Papers {
  readonly clientId: string;
  readonly key: KeyObject;
  /** One of this key; made anew unless given. */
  readonly certificatePem?: string;
}

export class LoadConnection {
  readonly #socket: TLSSocket;
  readonly #topic: Buffer;
  /** When each publication was due, by packet id. */
  readonly #dueMs = new Map<number, number>();
  #rest: Buffer = Buffer.alloc(0);
  #packetId = 0;
  #onAck: (tookMs: number, packetId: number) => void = () => {};

  private constructor(socket: TLSSocket, topic: string) {
    this.#socket = socket;
    this.#topic = mqttText(topic);
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => {});
    socket.setNoDelay(true);
  }

  static async connect(port: number, { clientId, key, certificatePem }: Papers, topic: string): Promise<LoadConnection> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
      cert: certificatePem ?? (await makeCertificate(key, clientId)),
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    socket.write(connectPacket(clientId));
    const [connack] = (await new Promise<Buffer[]>((resolve, reject) => {
      socket.once('data', (bytes: Buffer) => resolve([bytes]));
      socket.once('close', () => reject(new Error('bench: the connection was closed')));
    })) as [Buffer];
    if (connack[0] !== CONNACK || connack[3] !== 0) throw new Error(`bench: CONNACK ${connack.toString('hex')}`);
    return new LoadConnection(socket, topic);
  }

  get unanswered(): number {
    return this.#dueMs.size;
  }

  /** @param onAck told of each acknowledgement, with the time since its publication was due, and which it was. */
  listen(onAck: (tookMs: number, packetId: number) => void, onClosed: () => void): void {
    this.#onAck = onAck;
    this.#socket.removeAllListeners('close');
    this.#socket.once('close', onClosed);
  }

  /** @param dueMs of `performance.now`. @returns by what its acknowledgement names it. */
  publish(payload: Uint8Array, dueMs: number): number {
    this.#packetId = (this.#packetId % 65_535) + 1;
    this.#dueMs.set(this.#packetId, dueMs);
    // MQTT 3.1.1, 3.3: at QoS 1.
    this.#socket.write(mqttPacket(0x32, this.#topic, Buffer.from([this.#packetId >> 8, this.#packetId & 0xff]), payload));
    return this.#packetId;
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= ACK_BYTES) {
      const packetId = this.#rest.readUInt16BE(2);
      const dueMs = this.#dueMs.get(packetId);
      if (this.#rest[0] !== PUBACK || dueMs === undefined) throw new Error(`bench: a packet of type ${this.#rest[0]}, and no PUBACK`);
      this.#rest = this.#rest.subarray(ACK_BYTES);
      this.#dueMs.delete(packetId);
      this.#onAck(performance.now() - dueMs, packetId);
    }
  }
}
