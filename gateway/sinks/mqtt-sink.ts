/**
 * Another broker, as an intake: each entry a CloudEvent of its own, at QoS 1, a bounded window of them at a time. Taken is what PUBACK says.
 * What was sent and not acknowledged is sent again: its readers tell it by the event's source and id. The only importer of mqtt in this room.
 * Source: MQTT 3.1.1, section 4.3.2; CloudEvents MQTT protocol binding 1.0.2, section 3.2 (structured content mode).
 */
import { ErrorWithReasonCode, MqttClient } from 'mqtt';
import type { Intake, LedgerEntry, Offer, RowIdentity } from '../../core/intake.ts';
import { encodeEvent } from '../../protocol/entry-event.ts';
import { encodeErasure } from '../../protocol/erasure.ts';
import { ConfigError, codeOf, SinkError } from '../../protocol/errors.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { sinkTopic } from '../../protocol/topics.ts';
import { readSecret } from '../key-files.ts';
import { type Dial, dialOf, sinkErrorOf } from './dial.ts';
import type { MqttSinkConfig } from './sink-config.ts';

const KEEPALIVE_S = 30;
/** MQTT 3.1.1, table 3.1: of the return codes of CONNACK only this one means "later". */
const SERVER_UNAVAILABLE = 3;
/**
 * A broker of MQTT 3.1.1 can refuse a message only by closing. So often in a row, over half a minute, with this one alone on its way, is said
 * of the message; a network that breaks does it less regularly.
 */
const MOST_LOSSES = 5;
/** MQTT 3.1.1, section 3: no packet of this client is answered with more (CONNACK, PUBACK). */
const ANSWER_BYTES = 4;
/**
 * What a broker may send beyond that, such as messages of a topic to which it subscribes all by itself. MQTT.js gathers one of 256 MB whole, and
 * keeps each at QoS 2 until its PUBREL.
 */
const MOST_UNASKED_BYTES = 65_536;

interface Connection {
  readonly no: number;
  readonly client: MqttClient;
  /** Told why it is closed; what is put in later than that is not. Not a promise: it would remember each of a month's publishes. */
  readonly onClosed: Set<(why: SinkError) => void>;
}

interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly onTaken: () => void;
}

export class MqttSink implements Intake {
  readonly #config: MqttSinkConfig;
  readonly #deployment: DeploymentId;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #dial: Dial;
  readonly #password: Buffer | undefined;
  #connection: Promise<Connection> | undefined;
  /** Of the connection that was begun last: one that closes late does not take its successor's place. */
  #no = 0;
  /** After a loss messages go one by one up to this position: so it shows at which of them the connection breaks. */
  #carefulThrough = 0;
  /** The message with which alone the connection broke last, and how often in a row. */
  #suspect = { position: 0, losses: 0 };
  /** Of entries that are to be offered again as a whole: those that were acknowledged. */
  readonly #acknowledged = new Set<number>();

  /** @throws ConfigError `config.invalid` for files that can not be read, or are open to others. */
  constructor(config: MqttSinkConfig, deployment: DeploymentId, clock: Clock, signal: AbortSignal) {
    const { username, passwordPath } = config;
    if (passwordPath !== undefined && username === undefined)
      throw new ConfigError('config.invalid', `sink ${config.name}: a password without a username`);
    this.#config = config;
    this.#deployment = deployment;
    this.#clock = clock;
    this.#signal = signal;
    this.#dial = dialOf(config);
    this.#password = passwordPath === undefined ? undefined : Buffer.from(Buffer.from(readSecret(passwordPath)).toString('utf8').trim());
    signal.addEventListener('abort', () => this.#end(), { once: true });
  }

  async accept(entries: readonly LedgerEntry[], { isReplay = false }: Offer = {}): Promise<void> {
    const { position, losses } = this.#suspect;
    if (!isReplay && losses >= MOST_LOSSES && entries.some((entry) => entry.position === position))
      throw new SinkError('sink.entry_refused', 'sink: the broker closes whenever it is given this entry', { position });
    const connection = await this.#connected();
    const left = isReplay ? entries : entries.filter((entry) => !this.#acknowledged.has(entry.position));
    for (let start = 0; start < left.length; ) {
      const isCareful = (left[start]?.position ?? 0) <= this.#carefulThrough;
      const some = left.slice(start, start + (isCareful ? 1 : this.#config.window));
      await this.#publish(connection, some, isReplay);
      start += some.length;
    }
    if (!isReplay) this.#acknowledged.clear();
  }

  /** A broker hands on, and does not say what it was given. */
  taken(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** One message; the broker has it at its PUBACK, and its readers are to do it. */
  async erase(rows: readonly RowIdentity[]): Promise<void> {
    const payload = encodeErasure(this.#deployment, rows, this.#clock.wall());
    await this.#send(await this.#connected(), [{ topic: sinkTopic(this.#config.prefix, 'erasure'), payload, onTaken: () => {} }]);
  }

  /** @throws SinkError. */
  async #publish(connection: Connection, entries: readonly LedgerEntry[], isReplay: boolean): Promise<void> {
    const messages = entries.map((entry) => ({
      topic: sinkTopic(this.#config.prefix, entry.kind),
      payload: encodeEvent(this.#deployment, entry),
      onTaken: () => {
        if (!isReplay) this.#acknowledged.add(entry.position);
      },
    }));
    try {
      await this.#send(connection, messages);
      if (!isReplay) this.#suspect = { position: 0, losses: 0 };
    } catch (error) {
      if (!isReplay && codeOf(error) === 'sink.lost' && !this.#signal.aborted) this.#lost(entries);
      throw error;
    }
  }

  /** Resolves once all have their PUBACK; else the connection is ended. @throws SinkError. */
  async #send({ no, client, onClosed }: Connection, messages: readonly Message[]): Promise<void> {
    const { timeoutMs } = this.#config;
    const failed = Promise.withResolvers<never>();
    const fail = (why: SinkError) => failed.reject(why);
    onClosed.add(fail);
    const cancel = this.#clock.after(timeoutMs, () => fail(new SinkError('sink.silent', `sink: no PUBACK for ${timeoutMs} ms`)));
    const sent = messages.map(
      ({ topic, payload, onTaken }) =>
        new Promise<void>((resolve, reject) => {
          // While not connected MQTT.js would keep it for later.
          if (!client.connected) return reject(new SinkError('sink.lost', 'sink: not connected'));
          client.publish(topic, Buffer.from(payload), { qos: 1 }, (error) => {
            if (error !== undefined && error !== null) return reject(error);
            onTaken();
            resolve();
          });
        }),
    );
    try {
      await Promise.race([Promise.all(sent), failed.promise]);
    } catch (error) {
      client.end(true);
      this.#forget(no);
      throw error instanceof SinkError ? error : sinkErrorOf(error);
    } finally {
      cancel();
      onClosed.delete(fail);
    }
  }

  #lost(entries: readonly LedgerEntry[]): void {
    const { position = 0 } = entries.at(-1) ?? {};
    this.#carefulThrough = Math.max(this.#carefulThrough, position);
    if (entries.length > 1) return;
    const isAgain = this.#suspect.position === position;
    this.#suspect = { position, losses: isAgain ? this.#suspect.losses + 1 : 1 };
  }

  #forget(no: number): void {
    if (no === this.#no) this.#connection = undefined;
  }

  #end(): void {
    this.#connection?.then(
      ({ client }) => client.end(true),
      () => {},
    );
  }

  /** Those who ask while it is being made get the same one: of two with one client id a broker would cut off the first. */
  #connected(): Promise<Connection> {
    this.#connection ??= this.#connect().catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  /** One client for one connection: what MQTT.js keeps and replays is not ours to count. @throws SinkError. */
  async #connect(): Promise<Connection> {
    const { timeoutMs, username, name, clientId = `vestibule-${this.#deployment}-${name}` } = this.#config;
    const no = ++this.#no;
    const late = new AbortController();
    const cancel = this.#clock.after(timeoutMs, () => late.abort());
    const either = AbortSignal.any([this.#signal, late.signal]);
    try {
      const stream = await this.#dial(either);
      const client = new MqttClient(() => stream, {
        protocolVersion: 4,
        clientId,
        clean: true,
        keepalive: KEEPALIVE_S,
        reconnectPeriod: 0,
        connectTimeout: timeoutMs,
        resubscribe: false,
        queueQoSZero: false,
        manualConnect: true,
        ...(username === undefined ? {} : { username }),
        ...(this.#password === undefined ? {} : { password: this.#password }),
      });
      let why: SinkError | undefined;
      client.on('error', (error) => {
        why ??= meaningOf(error);
      });
      const onClosed = new Set<(why: SinkError) => void>();
      client.once('close', () => {
        this.#forget(no);
        for (const tell of onClosed) tell(why ?? new SinkError('sink.lost', 'sink: connection closed'));
      });
      let mayComeBytes = MOST_UNASKED_BYTES;
      client.on('packetsend', () => {
        mayComeBytes += ANSWER_BYTES;
      });
      const count = (chunk: Buffer) => {
        mayComeBytes -= chunk.length;
        if (mayComeBytes >= 0) return;
        why ??= new SinkError('sink.unexpected', `sink: the broker sends more than ${MOST_UNASKED_BYTES} bytes that nobody asked for`);
        stream.destroy();
      };
      const stop = () => stream.destroy();
      either.addEventListener('abort', stop, { once: true });
      try {
        await new Promise<void>((resolve, reject) => {
          client.once('connect', () => resolve());
          onClosed.add(reject);
          client.connect();
          stream.on('data', count);
        });
        onClosed.clear();
      } catch (error) {
        client.end(true);
        stream.destroy();
        throw error;
      } finally {
        either.removeEventListener('abort', stop);
      }
      return { no, client, onClosed };
    } catch (error) {
      if (late.signal.aborted) throw new SinkError('sink.silent', `sink: no answer for ${timeoutMs} ms`, { cause: error });
      throw error instanceof SinkError ? error : sinkErrorOf(error);
    } finally {
      cancel();
    }
  }
}

function meaningOf(error: unknown): SinkError {
  if (error instanceof ErrorWithReasonCode) {
    const code = error.code === SERVER_UNAVAILABLE ? 'sink.unavailable' : 'sink.not_admitted';
    return new SinkError(code, `sink: answered with ${error.code}`, { cause: error });
  }
  const known = error instanceof Error ? error : new Error('unknown');
  if (/keepalive|connack timeout/i.test(known.message)) return new SinkError('sink.silent', 'sink: no answer', { cause: error });
  return sinkErrorOf(known);
}
