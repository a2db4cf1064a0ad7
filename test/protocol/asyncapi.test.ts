/** docs/asyncapi.json is what topics and schemas are. `UPDATE_ASYNCAPI=1` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { asyncApi } from '../../protocol/asyncapi.ts';
import { encodeErasure } from '../../protocol/erasure.ts';
import { type DeploymentId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { DELIVERY, eventTopic, type KioskLeaf, SINK_LEAVES, sinkTopic, topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const path = resolve(import.meta.dirname, '../../docs/asyncapi.json');
const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string };
const made = `${JSON.stringify(asyncApi(version), null, 2)}\n`;

interface Document {
  readonly channels: Readonly<
    Record<string, { readonly address: string; readonly servers: readonly { readonly $ref: string }[]; readonly messages: object }>
  >;
  readonly operations: Readonly<
    Record<string, { readonly action: string; readonly channel: { readonly $ref: string }; readonly bindings: { readonly mqtt: object } }>
  >;
}
interface Payload {
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, { readonly const?: unknown }>>;
  readonly additionalProperties?: unknown;
}
const document = JSON.parse(made) as Document;

t.test('asyncapi: the document is what topics and schemas are', async (t) => {
  if (process.env.UPDATE_ASYNCAPI === '1') writeFileSync(path, made);
  t.equal(readFileSync(path, 'utf8'), made, 'UPDATE_ASYNCAPI=1 tap test/protocol/asyncapi.test.ts writes it anew');
});

t.test('asyncapi: each topic of a kiosk is there, as it is published', async (t) => {
  const kiosk = newPlaceId<KioskId>();
  for (const leaf of Object.keys(DELIVERY) as KioskLeaf[]) {
    t.equal(document.channels[leaf]?.address.replace('{kiosk}', kiosk), topicOf(kiosk, leaf));
    const action = leaf === 'batch' || leaf === 'state' ? 'receive' : 'send';
    t.match(document.operations[`${action}-${leaf}`]?.bindings.mqtt, DELIVERY[leaf]);
  }
  const venue = newPlaceId<VenueId>();
  t.equal(document.channels['event-undo']?.address.replace('{venue}', venue), eventTopic(venue, 'undo'));
});

t.test('asyncapi: every operation leads to a channel, and every channel has one', async (t) => {
  const led = Object.values(document.operations).map(({ channel }) => channel.$ref.replace('#/channels/', ''));
  t.strictSame(led.toSorted(), Object.keys(document.channels).toSorted());
});

t.test('asyncapi: what a broker elsewhere is given is there, on a server of its own', async (t) => {
  for (const leaf of SINK_LEAVES) {
    const channel = document.channels[`sink-${leaf}`];
    t.equal(channel?.address.replace('{prefix}', 'town/ledger'), sinkTopic('town/ledger', leaf));
    t.strictSame(channel?.servers, [{ $ref: '#/servers/sink' }]);
    t.match(document.operations[`send-sink-${leaf}`]?.bindings.mqtt, { qos: 1, retain: false });
  }
});

t.test('asyncapi: an erasure as it is sent fits what is said of it', async (t) => {
  const row = { kiosk: newPlaceId<KioskId>(), keyId: new Uint8Array(8), seq: 1 };
  const sent = JSON.parse(
    Buffer.from(encodeErasure(newPlaceId<DeploymentId>(), [row] as never, 1_700_000_000_000 as EpochMillis)).toString(),
  ) as Record<string, unknown>;
  const { payload } = (document.channels['sink-erasure']?.messages as { erasure?: { payload: Payload } } | undefined)?.erasure ?? {};
  if (payload === undefined) return t.fail('no schema of it');
  t.ok(payload.required.includes('data_base64'));
  for (const name of payload.required) t.hasOwnProp(sent, name);
  t.equal(payload.properties.type?.const, sent.type);
  t.not(payload.additionalProperties, false, 'it has a time besides');
});
