/**
 * docs/asyncapi.json: what travels over MQTT, made of the topics and schemas that the code goes by. A test holds the file to it.
 * Messages to and from kiosks that are CBOR are described in docs/protocol.md with CDDL, which AsyncAPI has no place for.
 * Source: AsyncAPI Specification 3.0.0.
 */
import { z } from 'zod';
import { LONGEST_BATCH_BYTES } from './batch.ts';
import { entryEvent } from './entry-event.ts';
import { erasureEvent } from './erasure.ts';
import { kioskStateJson, LONGEST_KIOSK_STATE_BYTES } from './kiosk-state.ts';
import { OPERATOR_EVENT_DATA, type OperatorEventType, operatorEvent } from './operator-event.ts';
import {
  DELIVERY,
  type Delivery,
  eventsAddress,
  GATEWAY_STATE_TOPIC,
  type KioskLeaf,
  kioskAddress,
  SINK_DELIVERY,
  SINK_LEAVES,
  type SinkLeaf,
  sinkTopic,
} from './topics.ts';

const PLACE = { description: '16 characters of 0-9 and a-z without i, l, o, u' };

const BINARY: Readonly<Record<Exclude<KioskLeaf, 'state'>, string>> = {
  batch: `Sealed rows, signed by the kiosk: CBOR, at most ${LONGEST_BATCH_BYTES} bytes. PUBACK says that the gateway has them for good. See "Batch".`,
  receipt: 'What became of each row of a batch: COSE_Sign1 by the gateway. See "Receipt".',
  policy: 'Issuers, lost cards and the venue\'s rules: COSE_Sign1 by the gateway, versioned. See "Policy".',
  notice: 'For which cards there is a notice, as marks under a key of this document: COSE_Sign1 by the gateway, versioned. See "Notices".',
  command: 'To send again what a gateway that was brought back from a backup lacks: COSE_Sign1 by the gateway, versioned. See "Commands".',
  release: 'Which revisions of the wire the gateway speaks, and which release to take, if any: COSE_Sign1 by the gateway. See "Releases".',
};
const SINK: Readonly<Record<SinkLeaf, string>> = {
  batch: 'Rows of a kiosk as they came, still sealed. See docs/ledger-entries.md, "Data".',
  flag: 'A high temperature. See docs/ledger-entries.md, "Data".',
  doubt: 'Rows to count for less. See docs/ledger-entries.md, "Data".',
  erasure:
    'Which rows have to go, because holders took their cards back. They count as gone at PUBACK: a reader holds a session that outlives it. See docs/ledger-entries.md, "Rows that must go".',
};
const UP: readonly KioskLeaf[] = ['batch', 'state'];

/** @param version of the product. @returns the document as a value. */
export function asyncApi(version: string): object {
  const leaves = Object.keys(DELIVERY) as KioskLeaf[];
  const types = Object.keys(OPERATOR_EVENT_DATA) as OperatorEventType[];
  const channels = {
    ...Object.fromEntries(leaves.map((leaf) => [leaf, kioskChannel(leaf)])),
    ...Object.fromEntries(types.map((type) => [`event-${type}`, eventChannel(type)])),
    ...Object.fromEntries(SINK_LEAVES.map((leaf) => [sinkName(leaf), sinkChannel(leaf)])),
    'gateway-state': {
      servers: on('operators'),
      address: GATEWAY_STATE_TOPIC,
      description: 'How the gateway stands: kiosks with problems, sinks, what was held off. Retained.',
      messages: { 'gateway-state': { contentType: 'application/json', payload: { type: 'object' } } },
    },
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Vestibule over MQTT',
      version,
      description:
        'What kiosks and a gateway say to each other, and what a gateway tells operators. docs/protocol.md is the whole of it; this is the part that a tool can read. Seen from the gateway: it receives what kiosks send.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      kiosks: {
        host: 'gateway.example:8883',
        protocol: 'secure-mqtt',
        protocolVersion: '3.1.1',
        description: 'TLS 1.3, both ends with certificates. The client id is the kiosk; no user name.',
        security: [{ type: 'X509' }],
      },
      operators: {
        host: 'localhost:1883',
        protocol: 'mqtt',
        protocolVersion: '3.1.1',
        description: 'On the same machine only. May subscribe to events, kiosk states and the gateway state.',
        security: [{ type: 'userPassword' }],
      },
      sink: {
        host: 'broker.example:8883',
        protocol: 'secure-mqtt',
        protocolVersion: '3.1.1',
        description: "Another's broker, where one is a sink: the gateway is its client, and publishes under the configured prefix.",
      },
    },
    channels,
    operations: Object.fromEntries(
      Object.keys(channels).map((name) => {
        const action = UP.some((leaf) => leaf === name) ? 'receive' : 'send';
        return [`${action}-${name}`, { action, channel: { $ref: `#/channels/${name}` }, ...bindingsOf(name) }];
      }),
    ),
  };
}

function kioskChannel(leaf: KioskLeaf): object {
  const message =
    leaf === 'state'
      ? {
          contentType: 'application/json',
          description: `What an operator sees of a kiosk; also its Will. At most ${LONGEST_KIOSK_STATE_BYTES} bytes.`,
          payload: jsonOf(kioskStateJson),
        }
      : { contentType: 'application/cose', description: BINARY[leaf], payload: { type: 'string', format: 'binary' } };
  const servers = leaf === 'state' ? on('kiosks', 'operators') : on('kiosks');
  return { servers, address: kioskAddress(leaf), parameters: { kiosk: PLACE }, messages: { [leaf]: message } };
}

const eventChannel = (type: OperatorEventType): object => ({
  servers: on('operators'),
  address: eventsAddress(type),
  parameters: { venue: PLACE },
  messages: { [type]: { contentType: 'application/cloudevents+json', payload: jsonOf(operatorEvent(type)) } },
});

const sinkName = (leaf: SinkLeaf): string => `sink-${leaf}`;

const sinkChannel = (leaf: SinkLeaf): object => ({
  servers: on('sink'),
  address: sinkTopic('{prefix}', leaf),
  description: SINK[leaf],
  parameters: { prefix: { description: 'As the sink is configured: 1 to 128 characters of a topic.' } },
  messages: {
    [leaf]: {
      contentType: 'application/cloudevents+json',
      payload: readOf(leaf === 'erasure' ? erasureEvent : entryEvent.extend({ type: z.literal(`vestibule.ledger.${leaf}`) })),
    },
  },
});

/** A channel that names no server is on all of them. */
const on = (...servers: readonly string[]): object[] => servers.map((name) => ({ $ref: `#/servers/${name}` }));

const bindingsOf = (name: string): object => {
  const sinks: Readonly<Record<string, Delivery>> = Object.fromEntries(SINK_LEAVES.map((leaf) => [sinkName(leaf), SINK_DELIVERY]));
  const delivery = DELIVERY[name as KioskLeaf] ?? sinks[name] ?? { qos: 0, retain: name === 'gateway-state' };
  return { bindings: { mqtt: { qos: delivery.qos, retain: delivery.retain, bindingVersion: '0.2.0' } } };
};

const jsonOf = (schema: z.ZodType): object => {
  const { $schema: _, ...json } = z.toJSONSchema(schema);
  return json;
};

/** As a reader goes by it: attributes besides, as every CloudEvent may have, are allowed. */
const readOf = (schema: z.ZodType): object => {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' });
  return json;
};
