/**
 * The link as MQTT 3.1.1; the only importer of mqtt. One client for one connection: it neither reconnects nor keeps anything for later,
 * because what MQTT.js stores and replays is lost on a disconnect while it replays. The outbox is the store.
 */
import type { Duplex } from 'node:stream';
import { ErrorWithReasonCode, ErrorWithSubackPacket, MqttClient } from 'mqtt';
import { LinkError } from '../protocol/errors.ts';
import type { Clock } from '../protocol/time.ts';
import type { GatewayLink, OpenGatewayLink } from './gateway-link.ts';
import { linkErrorOf } from './tls-dial.ts';

export interface MqttLinkOptions {
  /** Gives a connected stream. */
  readonly dial: (signal: AbortSignal) => Promise<Duplex>;
  readonly clientId: string;
  /** Published, retained, by the broker when this link breaks. */
  readonly will: { readonly topic: string; readonly payload: Uint8Array };
  readonly subscribe: readonly string[];
  /** What a gateway of an earlier revision refuses to be asked for: the link is good without. */
  readonly wish?: readonly string[];
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
  readonly clock: Clock;
}

/** For dialling and for the broker's answer, each. */
const ANSWER_WITHIN_MS = 15_000;
const KEEPALIVE_S = 30;
/** A clean end waits so long for the broker. */
const END_WITHIN_MS = 1_000;
/** MQTT 3.1.1, table 3.1: of the return codes of CONNACK only this one means "later". */
const SERVER_UNAVAILABLE = 3;
const SUBSCRIBE_FAILED = 0x80;

export const openMqttLink = (options: MqttLinkOptions): OpenGatewayLink => {
  return async (signal) => {
    const { dial, clock } = options;
    const late = new AbortController();
    const cancel = clock.after(ANSWER_WITHIN_MS, () => late.abort());
    try {
      const stream = await dial(AbortSignal.any([signal, late.signal]));
      return await connect(stream, options, AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (late.signal.aborted && error instanceof LinkError) {
        throw new LinkError('link.timeout', `gateway: no answer for ${ANSWER_WITHIN_MS} ms`, { cause: error });
      }
      throw error;
    } finally {
      cancel();
    }
  };
};

async function connect(stream: Duplex, options: MqttLinkOptions, signal: AbortSignal): Promise<GatewayLink> {
  const { clientId, will, subscribe, wish = [], onMessage } = options;
  const client = new MqttClient(() => stream, {
    protocolVersion: 4,
    clientId,
    clean: true,
    keepalive: KEEPALIVE_S,
    reconnectPeriod: 0,
    connectTimeout: ANSWER_WITHIN_MS,
    resubscribe: false,
    queueQoSZero: false,
    // Of 65,536 packet numbers as buffers: 7 MiB.
    writeCache: false,
    manualConnect: true,
    will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true },
  });
  let why: LinkError | undefined;
  client.on('error', (error) => {
    why ??= meaningOf(error);
  });
  client.on('message', (topic, payload) => onMessage(topic, payload));
  const closed = new Promise<LinkError>((resolve) => {
    client.once('close', () => resolve(why ?? new LinkError('link.lost', 'gateway: connection closed')));
  });
  const stop = () => {
    why ??= new LinkError('link.lost', 'uplink: stopped');
    client.end(true);
    stream.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    const connected = new Promise<void>((resolve) => client.once('connect', () => resolve()));
    client.connect();
    await orClosed(connected, closed);
    if (subscribe.length > 0) await orClosed(client.subscribeAsync([...subscribe], { qos: 1 }), closed);
    if (wish.length > 0) await orClosed(client.subscribeAsync([...wish], { qos: 1 }).catch(throwUnlessRefused), closed);
  } catch (error) {
    client.end(true);
    stream.destroy();
    throw error instanceof LinkError ? error : meaningOf(error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return new MqttLink(client, stream, closed, options.clock);
}

class MqttLink implements GatewayLink {
  readonly closed: Promise<LinkError>;
  readonly #client: MqttClient;
  readonly #stream: Duplex;
  readonly #clock: Clock;
  /** Publishes that wait for their answer. Not a race with `closed` each: a link lives for months, and that would remember every one. */
  readonly #unanswered = new Set<(why: LinkError) => void>();

  constructor(client: MqttClient, stream: Duplex, closed: Promise<LinkError>, clock: Clock) {
    this.#client = client;
    this.#stream = stream;
    this.closed = closed.then((why) => {
      for (const fail of this.#unanswered) fail(why);
      return why;
    });
    this.#clock = clock;
  }

  publish(topic: string, payload: Uint8Array, isRetained: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      // While not connected MQTT.js would keep it for later.
      if (!this.#client.connected) return reject(new LinkError('link.lost', 'gateway: not connected'));
      this.#unanswered.add(reject);
      this.#client.publish(topic, Buffer.from(payload), { qos: 1, retain: isRetained }, (error) => {
        this.#unanswered.delete(reject);
        if (error === undefined || error === null) resolve();
        else reject(meaningOf(error));
      });
    });
  }

  async close(): Promise<void> {
    // DISCONNECT, so that no Will is published; MQTT.js sends it only after the last answer.
    if (this.#unanswered.size === 0 && this.#client.connected) {
      const late = new AbortController();
      await Promise.race([this.#client.endAsync().catch(() => {}), this.#clock.sleep(END_WITHIN_MS, late.signal)]);
      late.abort();
    }
    this.#client.end(true);
    this.#stream.destroy();
    await this.closed;
  }
}

/** SUBACK 0x80: MQTT 3.1.1, section 3.9.3. */
function throwUnlessRefused(error: unknown): void {
  const granted = error instanceof ErrorWithSubackPacket ? error.packet.granted : [];
  if (!granted.includes(SUBSCRIBE_FAILED)) throw error;
}

/** @throws LinkError why the link closed, when it does so before `promise` settles. */
async function orClosed<T>(promise: Promise<T>, closed: Promise<LinkError>): Promise<T> {
  return await Promise.race([
    promise,
    closed.then((why): never => {
      throw why;
    }),
  ]);
}

function meaningOf(error: unknown): LinkError {
  if (error instanceof ErrorWithReasonCode) {
    const code = error.code === SERVER_UNAVAILABLE ? 'link.refused' : 'link.unauthorised';
    return new LinkError(code, `gateway: answered with ${error.code}`, { cause: error });
  }
  const known = error instanceof Error ? error : new Error('unknown');
  if (/keepalive|connack timeout/i.test(known.message)) return new LinkError('link.timeout', 'gateway: no answer', { cause: error });
  return linkErrorOf(known);
}
