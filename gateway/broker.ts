/**
 * The MQTT broker: carries out what admission.ts decides and hands batches to ingest before they are acknowledged. The only
 * importer of aedes, which sends PUBACK right after `authorizePublish` calls back, before it routes or keeps anything.
 * Source: MQTT 3.1.1; aedes 1.2.0, lib/handlers/publish.js and lib/handlers/connect.js.
 */
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Aedes, type Client as AedesClient, type AuthenticateError } from 'aedes';
import type { Arrival } from '../protocol/door-keeper.ts';
import { AdmissionError, codeOf, type ErrorCode } from '../protocol/errors.ts';
import { isPlaceId, type KioskId } from '../protocol/ids.ts';
import { decodeKioskState, encodeKioskState, type KioskStateReport } from '../protocol/kiosk-state.ts';
import type { Log } from '../protocol/log.ts';
import { parseTopic } from '../protocol/topics.ts';
import {
  type Client,
  mayReceive,
  type Peer,
  refuseKiosk,
  refuseOperatorName,
  refusePublication,
  refuseSubscription,
  type Will,
} from './admission.ts';
import { codeOfBroken, type DoorGuard, keepAliveOf } from './door-guard.ts';
import { FlowGate } from './flow-gate.ts';
import type { Kiosk } from './registry.ts';

/** `dropped`: the connection ended first. `cut-off`: not acknowledged, and the connection is closed. */
export type Answer = 'acknowledge' | 'cut-off' | 'dropped';

export interface BrokerDoors {
  /** @throws StoreError. */
  kiosk(kiosk: KioskId): Kiosk | undefined;
  /** @returns why the certificate that an admitted kiosk showed does not let it in; `undefined` when it does. @throws StoreError. */
  refuseCertificate(peer: Peer, kiosk: KioskId): ErrorCode | undefined;
  /** @param untilClosed aborts when the connection ends: nobody waits for the answer then. */
  isOperator(account: string | undefined, secret: Uint8Array | undefined, untilClosed: AbortSignal): Promise<boolean>;
  /** Called for each batch of an admitted kiosk. @param untilClosed aborts when its connection ends. */
  onBatch(kiosk: KioskId, message: Uint8Array, untilClosed: AbortSignal): Promise<Answer>;
  /** Told of each state that a kiosk says and that can be read, its Will too. */
  onState(kiosk: KioskId, report: KioskStateReport): void;
  onConnected(kiosk: KioskId, connection: { readonly hasTakenOver: boolean }): void;
  onDisconnected(kiosk: KioskId): void;
  /** @param name a place id that the peer claimed, or `undefined`. */
  onRefused(name: KioskId | undefined, code: ErrorCode): void;
  /** What nobody expected: ends the gateway. */
  onBug(error: unknown): void;
}

export interface Broker {
  /** Takes over a connection that a listener accepted. */
  accept(socket: Socket, peer: Peer, arrival: Arrival): void;
  /** @returns when it is handed to every subscriber's connection. Retained ones are kept for later subscribers. */
  publish(topic: string, payload: Uint8Array, delivery: { readonly qos: 0 | 1; readonly retain: boolean }): Promise<void>;
  /** Whether any operator listens: what nobody hears need not be made. */
  hasListeners(): boolean;
  /** Closes a kiosk's connections, now. */
  cutOff(kiosk: KioskId): void;
  /** Closes the connections that an operator's account opened, now. */
  cutOffAccount(account: string): void;
  close(): Promise<void>;
}

/** CONNACK return codes (MQTT 3.1.1, table 3.1); aedes has them as a const enum, which does not outlive type stripping. */
const BAD_ACCOUNT = 4;
const NOT_AUTHORISED = 5;
const UNAVAILABLE = 3;
/** A reader that takes nothing for so long is let go; what is kept for it meanwhile is bounded by its gate. */
const DRAIN_MS = 10_000;
const CONNECT_MS = 10_000;
const DEEPEST_TOPIC_LEVELS = 8;
const NOTHING = Buffer.alloc(0);

interface Connection {
  readonly gate: FlowGate;
  readonly filters: Set<string>;
  will: Will | undefined;
  client: Client | undefined;
}

export async function openBroker(doors: BrokerDoors, guard: DoorGuard, log: Log): Promise<Broker> {
  // Weak: aedes asks for leave to publish the Will some turns after the connection is closed.
  const connections = new WeakMap<AedesClient, Connection>();
  const kiosks = new Map<KioskId, Set<FlowGate>>();
  /** Operators' connections, and by which account. */
  const accounts = new Map<FlowGate, string>();
  const counted = new WeakSet<Error>();
  const listening = new Set<Connection>();
  /** Taken, or about to be: not to be routed. */
  const batches = new WeakSet<object>();

  const connectionOf = (client: AedesClient): Connection => {
    const known = connections.get(client);
    if (known !== undefined) return known;
    const gate = client.conn;
    if (!(gate instanceof FlowGate)) throw new TypeError('broker: a connection without a gate');
    const made: Connection = { gate, filters: new Set(), will: undefined, client: undefined };
    connections.set(client, made);
    gate.untilClosed.addEventListener('abort', () => onClosed(made), { once: true });
    return made;
  };

  const onClosed = (connection: Connection) => {
    const { gate, client: admitted } = connection;
    listening.delete(connection);
    accounts.delete(gate);
    if (admitted?.role !== 'kiosk') return;
    const gates = kiosks.get(admitted.kiosk);
    gates?.delete(gate);
    if (gates?.size !== 0) return;
    kiosks.delete(admitted.kiosk);
    doors.onDisconnected(admitted.kiosk);
  };

  const refuse = (name: string, code: ErrorCode): AdmissionError => {
    const kiosk = isPlaceId(name) ? (name as KioskId) : undefined;
    doors.onRefused(kiosk, code);
    const refusal = new AdmissionError(code, `client: ${code}`);
    counted.add(refusal);
    return refusal;
  };

  /** @returns who it is, or why not. */
  const admit = async (
    { gate, will }: Connection,
    clientId: string,
    account: string | undefined,
    secret: Uint8Array | undefined,
  ): Promise<Client | ErrorCode> => {
    if (gate.peer.transport === 'tls') {
      const kiosk = isPlaceId(clientId) ? doors.kiosk(clientId as KioskId) : undefined;
      const refusal = refuseKiosk(gate.peer, clientId, kiosk, will) ?? doors.refuseCertificate(gate.peer, clientId as KioskId);
      return refusal ?? { role: 'kiosk', kiosk: clientId as KioskId };
    }
    const refusal = await guard.refuseAccount(account, () => doors.isOperator(account, secret, gate.untilClosed));
    return refusal ?? refuseOperatorName(clientId, will) ?? { role: 'operator' };
  };

  const broker = await Aedes.createBroker({
    connectTimeout: CONNECT_MS,
    drainTimeout: DRAIN_MS,
    maxTopicLevels: DEEPEST_TOPIC_LEVELS,
    // No bound on deliveries at once: a hundred that wait for one slow reader would hold up what goes to all others.
    concurrency: 0,

    preConnect(client, packet, callback) {
      const connection = connectionOf(client);
      const will = packet.will;
      if (will !== undefined)
        connection.will = { topic: will.topic, qos: will.qos ?? 0, retain: will.retain ?? false, saysDown: saysDown(will.payload) };
      // A kept session would queue without bound for a kiosk that is away; all that it must know is retained.
      packet.clean = true;
      packet.keepalive = keepAliveOf(packet.keepalive);
      callback(null, true);
    },

    authenticate(client, account, secret, done) {
      const connection = connectionOf(client);
      admit(connection, client.id, account, secret).then(
        (admitted) => {
          const refused = typeof admitted === 'string' ? admitted : guard.refuseNow(admitted);
          if (refused !== undefined)
            done(Object.assign(refuse(client.id, refused), { returnCode: returnCodeOf(refused) }) as AuthenticateError, false);
          if (refused !== undefined || typeof admitted === 'string') return;
          connection.client = admitted;
          // A client id is its account's own: whoever comes with another's would throw that one's program out.
          if (admitted.role === 'operator') client.id = `${account} ${client.id}`;
          guard.admit(connection.gate, admitted, client.id);
          if (admitted.role === 'kiosk' && !connection.gate.untilClosed.aborted) enter(admitted.kiosk, connection.gate);
          if (admitted.role === 'operator' && account !== undefined && !connection.gate.untilClosed.aborted)
            accounts.set(connection.gate, account);
          done(null, true);
        },
        (error: unknown) => {
          if (codeOf(error) === undefined) doors.onBug(error);
          done(Object.assign(error as Error, { returnCode: UNAVAILABLE }) as AuthenticateError, false);
        },
      );
    },

    authorizePublish(client, packet, callback) {
      const connection = client === null ? undefined : connections.get(client);
      const admitted = connection?.client;
      if (connection === undefined || admitted === undefined) return callback(refuse('', 'admission.wrong_topic'));
      const refusal = refusePublication(admitted, packet);
      if (refusal !== undefined || admitted.role !== 'kiosk') {
        return callback(refuse(client?.id ?? '', refusal ?? 'admission.wrong_topic'));
      }
      const message = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
      // A Will has no length of its own and was never counted.
      const answer = (error?: Error) => {
        if (packet.length !== undefined) connection.gate.release(packet.length);
        callback(error ?? null);
      };
      if (parseTopic(packet.topic)?.leaf === 'state') {
        const report = readState(message);
        packet.payload = report === undefined ? NOTHING : ownBytes(encodeKioskState(report));
        // Kept on the broker only when it can be read.
        if (report === undefined) packet.retain = false;
        else doors.onState(admitted.kiosk, report);
        return guard.paceState(connection.gate, admitted.kiosk, answer);
      }
      // Nothing of a batch is routed, whoever subscribed to what.
      packet.payload = NOTHING;
      batches.add(packet);
      doors.onBatch(admitted.kiosk, message, connection.gate.untilClosed).then((decided) => {
        if (decided === 'acknowledge') {
          answer();
          log.debug('batch.acknowledged', () => ({ kiosk: admitted.kiosk }));
        } else if (decided === 'cut-off') {
          // Told by whoever decided it.
          const cut = new Error('kiosk: cut off');
          counted.add(cut);
          answer(cut);
        }
      }, doors.onBug);
    },

    authorizeSubscribe(client, subscription, callback) {
      const connection = connectionOf(client);
      const { client: admitted, gate, filters } = connection;
      const excess = guard.refuseFilter(gate, filters.size);
      if (excess !== undefined) return callback(refuse(client.id, excess));
      const refusal = admitted === undefined ? 'admission.wrong_topic' : refuseSubscription(admitted, subscription.topic);
      if (refusal === undefined) filters.add(subscription.topic);
      else refuse(client.id, refusal);
      if (filters.size > 0 && admitted?.role === 'operator' && !gate.untilClosed.aborted) listening.add(connection);
      callback(null, refusal === undefined ? subscription : null);
    },

    authorizeForward(client, packet) {
      const admitted = connections.get(client)?.client;
      const isFit = admitted !== undefined && packet.payload.length > 0 && mayReceive(admitted, packet.topic);
      return isFit ? packet : null;
    },
  });

  // aedes looks for a publication's readers once it is acknowledged; a batch has none, and to find none takes longer than its PUBACK.
  const route = broker.publish.bind(broker) as (...publication: unknown[]) => void;
  broker.publish = (packet: object, ...more: unknown[]) => {
    const done = more.at(-1);
    if (batches.delete(packet) && typeof done === 'function') done(null);
    else route(packet, ...more);
  };

  const enter = (kiosk: KioskId, gate: FlowGate) => {
    const gates = kiosks.get(kiosk) ?? new Set();
    const hasTakenOver = gates.size > 0;
    kiosks.set(kiosk, gates.add(gate));
    doors.onConnected(kiosk, { hasTakenOver });
  };

  const onBroken = (client: AedesClient, error: Error) => {
    const code = codeOfBroken(error);
    // What was refused by a rule is counted there.
    if (code !== undefined && !counted.has(error)) refuse(connections.get(client)?.client === undefined ? '' : client.id, code);
    log.debug('connection.broken', () => ({ code: code ?? error.name }));
  };
  broker.on('clientError', onBroken);
  broker.on('connectionError', onBroken);
  broker.on('unsubscribe', (gone, client) => {
    const connection = connections.get(client);
    if (connection === undefined) return;
    for (const filter of gone) connection.filters.delete(filter);
    if (connection.filters.size === 0) listening.delete(connection);
  });
  (broker as EventEmitter).on('error', doors.onBug);

  return {
    accept: (socket, peer, arrival) => {
      broker.handle(guard.gate(socket, peer, arrival));
    },
    publish: (topic, payload, { qos, retain }) =>
      new Promise((resolve) => {
        broker.publish({ cmd: 'publish', topic, payload: retain ? ownBytes(payload) : Buffer.from(payload), qos, retain, dup: false }, () =>
          resolve(),
        );
      }),
    hasListeners: () => listening.size > 0,
    cutOff(kiosk) {
      for (const gate of kiosks.get(kiosk) ?? []) gate.destroy();
    },
    cutOffAccount(account) {
      for (const [gate, name] of accounts) if (name === account) gate.destroy();
    },
    close: () => new Promise((resolve) => broker.close(() => resolve())),
  };
}

/** What is retained is held for weeks: a piece of Node's pool would hold all that it was cut from. */
function ownBytes(payload: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(payload.length);
  own.set(payload);
  return own;
}

/** What is to be tried again later is said so: a kiosk then backs off, and asks for no technician. */
function returnCodeOf(refused: ErrorCode): number {
  if (refused === 'admission.too_often') return UNAVAILABLE;
  return refused === 'admission.wrong_account' ? BAD_ACCOUNT : NOT_AUTHORISED;
}

function saysDown(payload: unknown): boolean {
  const report = payload instanceof Uint8Array ? readState(payload) : undefined;
  return report?.isUp === false && report.state === 'down';
}

/** @returns the state with nothing in it but what the schema knows; `undefined` when it is none. */
function readState(payload: Uint8Array): KioskStateReport | undefined {
  try {
    return decodeKioskState(payload);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
