/**
 * MQTT topic names, and with each the quality of service and the retain flag. Names carry kiosks and venues, never a person.
 * Source: MQTT 3.1.1, section 4.7; docs/protocol.md, "Topics".
 */
import { isPlaceId, type KioskId, type VenueId } from './ids.ts';

const ROOT = 'vestibule/1';
const LEAVES = ['batch', 'state', 'receipt', 'policy', 'notice', 'command', 'release'] as const;

/** The last level of a kiosk's topic. `batch` and `state` go up, the others come down. */
export type KioskLeaf = (typeof LEAVES)[number];

export interface Delivery {
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** How each is published. What comes down is retained state, not a queue; a receipt is news, and PUBACK has settled already. */
export const DELIVERY: Readonly<Record<KioskLeaf, Delivery>> = {
  batch: { qos: 1, retain: false },
  state: { qos: 1, retain: true },
  receipt: { qos: 1, retain: false },
  policy: { qos: 1, retain: true },
  notice: { qos: 1, retain: true },
  command: { qos: 1, retain: true },
  release: { qos: 1, retain: true },
};

export const GATEWAY_STATE_TOPIC = `${ROOT}/gateway/state`;
/** What operators may subscribe to, besides `$SYS/#`. */
export const OPERATOR_FILTERS = [`${ROOT}/events/#`, `${ROOT}/kiosk/+/state`, `${ROOT}/gateway/#`] as const;

/** @returns `vestibule/1/kiosk/<kiosk>/<leaf>`. */
export const topicOf = (kiosk: KioskId, leaf: KioskLeaf): string => `${ROOT}/kiosk/${kiosk}/${leaf}`;

/** The same with a parameter in the kiosk's place, as RFC 6570 and AsyncAPI write it. */
export const kioskAddress = (leaf: KioskLeaf): string => `${ROOT}/kiosk/{kiosk}/${leaf}`;
export const eventsAddress = (type: string): string => `${ROOT}/events/{venue}/${type}`;

/** @param type an event's type, of a-z, 0-9 and `-`. @returns `vestibule/1/events/<venue>/<type>`. */
export const eventTopic = (venue: VenueId, type: string): string => `${ROOT}/events/${venue}/${type}`;

/** What a broker elsewhere is given, each under the configured prefix. */
export const SINK_LEAVES = ['batch', 'flag', 'doubt', 'erasure'] as const;
export type SinkLeaf = (typeof SINK_LEAVES)[number];
/** Durable at the broker's PUBACK, and a queue: what is retained would hide all but the last. */
export const SINK_DELIVERY: Delivery = { qos: 1, retain: false };

/** @returns `<prefix>/<leaf>`. */
export const sinkTopic = (prefix: string, leaf: SinkLeaf): string => `${prefix}/${leaf}`;

/** @returns the kiosk and leaf of a kiosk's topic; `undefined` for every other text, and for filters. */
export function parseTopic(text: string): { kiosk: KioskId; leaf: KioskLeaf } | undefined {
  const [root, version, tree, kiosk, last, ...rest] = text.split('/');
  const leaf = LEAVES.find((name) => name === last);
  if (`${root}/${version}` !== ROOT || tree !== 'kiosk' || rest.length > 0) return undefined;
  if (kiosk === undefined || !isPlaceId(kiosk) || leaf === undefined) return undefined;
  return { kiosk: kiosk as KioskId, leaf };
}
