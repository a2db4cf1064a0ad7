/** A kiosk made of the wire's own parts, with control over every byte it sends: key, certificate, content key, rows, batches. */
import { type KeyObject, randomBytes } from 'node:crypto';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { sealBatch } from '../../protocol/batch.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { CheckIn, Happening, RowRef, Stamp, Temperature } from '../../protocol/event.ts';
import type { Recipient } from '../../protocol/hpke.ts';
import { type BootId, type Epoch, type KeyId, type KioskId, newPlaceId, type Seq, type VisitorUuid } from '../../protocol/ids.ts';
import { sealKeyRecord } from '../../protocol/key-record.ts';
import { downState, encodeKioskState } from '../../protocol/kiosk-state.ts';
import { RowSealer } from '../../protocol/row.ts';
import type { Clock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { TrustDocument } from '../../protocol/trust.ts';
import { toCentiCelsius } from '../../protocol/units.ts';

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

export const newCard = (): VisitorUuid => random(16) as VisitorUuid;

export const checkIn = (card = newCard()): CheckIn => ({ type: 'check-in', card, groupSize: 1, isSigned: true });

export const temperature = (card: VisitorUuid, of: RowRef, attempt: 1 | 2, celsius: number): Temperature => ({
  type: 'temperature',
  card,
  of,
  attempt,
  objectRaw: toCentiCelsius(celsius - 2),
  ambientRaw: toCentiCelsius(22),
  estimate: toCentiCelsius(celsius),
  threshold: toCentiCelsius(38),
  offsetId: 1,
  policyVersion: 1,
  calibrationAgeDays: 10,
  isRoomInRange: true,
});

export interface SealedRow {
  readonly seq: Seq;
  readonly row: Uint8Array;
}

/** One start of the kiosk's process: one content key. */
export interface KioskStart {
  readonly keyId: KeyId;
  readonly keyRecord: Uint8Array;
  /** Seals under the next sequence number, or a given one. */
  seal(happening: Happening, seq?: number): SealedRow;
  /** A signed batch of rows; `topic` for lying about where it goes. */
  batch(rows: readonly SealedRow[], topic?: string): Uint8Array;
  ref(row: SealedRow): RowRef;
}

export class TestKiosk {
  readonly kiosk: KioskId;
  readonly signingKey: KeyObject;
  readonly bootId = random(16) as BootId;
  epoch = random(8) as Epoch;
  #nextSeq = 1;
  readonly #trust: TrustDocument;
  readonly #clock: Clock;

  constructor(trust: TrustDocument, clock: Clock, kiosk: KioskId = newPlaceId<KioskId>(), signingKey = generateSigningKey()) {
    this.signingKey = signingKey;
    this.kiosk = kiosk;
    this.#trust = trust;
    this.#clock = clock;
  }

  get publicKey(): Uint8Array {
    return rawPublicKey(this.signingKey);
  }

  get batchTopic(): string {
    return topicOf(this.kiosk, 'batch');
  }

  stamp(): Stamp {
    return { wallMs: this.#clock.wall(), monotonicMs: this.#clock.monotonic(), bootId: this.bootId, clock: 'synced' };
  }

  /** As an image restored from a backup would: sequence numbers go back. */
  rewind(nextSeq: number): void {
    this.#nextSeq = nextSeq;
  }

  async start(
    recipients: readonly Recipient[] = this.#trust.recipients,
    signingKey = this.signingKey,
    keyId = random(8) as KeyId,
  ): Promise<KioskStart> {
    const { kiosk, epoch } = this;
    const { deployment } = this.#trust;
    const contentKey = random(32);
    const keyRecord = await sealKeyRecord({ deployment, kiosk, epoch, keyId, contentKey, recipients, signingKey });
    const sealer = new RowSealer({ deployment, kiosk, epoch, keyId }, contentKey);
    return {
      keyId,
      keyRecord,
      seal: (happening, seq = this.#nextSeq++) => ({
        seq: seq as Seq,
        row: sealer.seal(seq as Seq, { stamp: this.stamp(), ...happening }),
      }),
      batch: (rows, topic = this.batchTopic) =>
        sealBatch({
          deployment,
          topic,
          keyId,
          sentAt: { bootId: this.bootId, monotonicMs: this.#clock.monotonic() },
          rows,
          keyRecord,
          signingKey: this.signingKey,
        }),
      ref: ({ seq }) => ({ keyId, seq }),
    };
  }

  /** @throws when the gateway does not let it in. Never reconnects by itself. */
  async connect(port: number, options: IClientOptions = {}): Promise<MqttClient> {
    const will = {
      topic: topicOf(this.kiosk, 'state'),
      payload: Buffer.from(encodeKioskState(downState('test'))),
      qos: 1,
      retain: true,
    } as const;
    const client = await connectAsync({
      protocol: 'mqtts',
      host: '127.0.0.1',
      port,
      ca: [this.#trust.gateway.certificatePem],
      checkServerIdentity: () => undefined,
      key: this.signingKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      cert: await makeCertificate(this.signingKey, this.kiosk),
      clientId: this.kiosk,
      reconnectPeriod: 0,
      will,
      ...options,
    } as IClientOptions);
    // A connection that breaks is an event that the tests look at by other means.
    client.on('error', () => {});
    return client;
  }
}

/** Publishes at QoS 1. @returns at PUBACK. @throws when the connection closes first: mqtt.js itself would wait for the next one. */
export function publishOrClose(client: MqttClient, topic: string, payload: Uint8Array, retain = false): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('close', () => reject(new Error('closed before PUBACK')));
    client.publish(topic, Buffer.from(payload), { qos: 1, retain }, (error) => (error ? reject(error) : resolve()));
  });
}
