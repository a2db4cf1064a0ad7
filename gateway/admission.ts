/**
 * Who may connect, publish and subscribe to what. Pure rules over values; broker.ts asks them and carries out the answer.
 * Source: MQTT 3.1.1, sections 3.1.2.5 (Will), 4.7.1 (wildcards), 4.7.2 (topics that begin with $).
 */
import type { ErrorCode } from '../protocol/errors.ts';
import { isPlaceId, type KioskId } from '../protocol/ids.ts';
import { DELIVERY, OPERATOR_FILTERS, parseTopic, topicOf } from '../protocol/topics.ts';
import type { Kiosk } from './registry.ts';

/** Who is at the other end, as far as the transport can tell. */
export type Peer =
  /** Over TLS; the raw Ed25519 key whose possession the handshake proved, `undefined` when it brought no such certificate; and that, in DER. */
  | { readonly transport: 'tls'; readonly publicKey: Uint8Array | undefined; readonly certificate?: Uint8Array }
  | { readonly transport: 'tcp' };

/** Whom the broker has let in. */
export type Client = { readonly role: 'kiosk'; readonly kiosk: KioskId } | { readonly role: 'operator' };

/** `undefined` is yes. */
type Refusal = ErrorCode | undefined;

export interface Publication {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** What a client leaves behind to be said when its connection is lost. */
export interface Will extends Publication {
  /** Whether it is a kiosk's state, and one that says that the kiosk is down. */
  readonly saysDown: boolean;
}

const LONGEST_CLIENT_ID = 64;

/**
 * @param kiosk what the registry knows under the client id.
 * @returns why a kiosk may not connect; its Will, if it has one, must be its own state and say that it is down.
 */
export function refuseKiosk(peer: Peer, clientId: string, kiosk: Kiosk | undefined, will: Will | undefined): Refusal {
  if (peer.transport !== 'tls' || peer.publicKey === undefined) return 'admission.no_certificate';
  if (kiosk === undefined || kiosk.kiosk !== clientId) return 'admission.unknown_kiosk';
  if (Buffer.compare(kiosk.publicKey, peer.publicKey) !== 0) return 'admission.wrong_key';
  if (kiosk.revokedAtMs !== undefined) return 'admission.revoked';
  if (will === undefined) return undefined;
  const isFit = will.saysDown && refusePublication({ role: 'kiosk', kiosk: kiosk.kiosk }, will, 'state') === undefined;
  return isFit ? undefined : 'admission.wrong_will';
}

/** @returns why an operator's client may not connect, its account aside. A kiosk's name would take over that kiosk's connection. */
export function refuseOperatorName(clientId: string, will: Will | undefined): Refusal {
  if (clientId.length > LONGEST_CLIENT_ID || isPlaceId(clientId)) return 'admission.wrong_account';
  return will && 'admission.wrong_will';
}

/** @param only narrows a kiosk's two topics to one. */
export function refusePublication(client: Client, { topic, qos, retain }: Publication, only?: 'batch' | 'state'): Refusal {
  const place = client.role === 'kiosk' ? parseTopic(topic) : undefined;
  if (client.role !== 'kiosk' || place === undefined || place.kiosk !== client.kiosk) return 'admission.wrong_topic';
  if (place.leaf !== 'batch' && place.leaf !== 'state') return 'admission.wrong_topic';
  if (only !== undefined && place.leaf !== only) return 'admission.wrong_topic';
  const delivery = DELIVERY[place.leaf];
  return qos === delivery.qos && retain === delivery.retain ? undefined : 'admission.wrong_delivery';
}

const SYSTEM_FILTER = '$SYS/#';

/** @param filter as subscribed, wildcards and all. */
export function refuseSubscription(client: Client, filter: string): Refusal {
  const isAllowed =
    client.role === 'kiosk'
      ? downTopics(client.kiosk).includes(filter)
      : [...OPERATOR_FILTERS, SYSTEM_FILTER].some((allowed) => isWithin(filter, allowed));
  return isAllowed ? undefined : 'admission.wrong_topic';
}

/** aedes tells there, below a name of its own, who connects and subscribes to what: operators are told only what we publish. */
const isOfLibrary = (topic: string): boolean => topic.startsWith('$SYS/') && !topic.startsWith('$SYS/broker/');

/** The second door, for each message on its way out: whatever was subscribed, nothing else is handed over. */
export const mayReceive = (client: Client, topic: string): boolean =>
  refuseSubscription(client, topic) === undefined && !isOfLibrary(topic);

const DOWN = ['receipt', 'policy', 'notice', 'command', 'release'] as const;
const downTopics = (kiosk: KioskId): string[] => DOWN.map((leaf) => topicOf(kiosk, leaf));

/** @returns whether every topic that `filter` matches is matched by `allowed` too. */
export function isWithin(filter: string, allowed: string): boolean {
  const asked = filter.split('/');
  const levels = allowed.split('/');
  for (const [index, level] of levels.entries()) {
    // `#` also matches the parent level itself (MQTT-4.7.1-2).
    if (level === '#') return asked.length >= index;
    const askedLevel = asked[index];
    if (askedLevel === undefined || askedLevel === '#') return false;
    if (level !== '+' && askedLevel !== level) return false;
  }
  return asked.length === levels.length;
}
