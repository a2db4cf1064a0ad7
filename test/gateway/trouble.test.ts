/** What is wrong, whose fault it may be, and that nothing behind it waits. */
import type { MqttClient } from 'mqtt';
import t, { type Test } from 'tap';
import { dropQuarantine, gatewayStatus } from '../../gateway/status.ts';
import { storedTroubleOf } from '../../gateway/stored-trouble.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { watchState } from '../support/inbox.ts';
import { rowsIn } from '../support/read-ledger.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, type KioskStart, publishOrClose, type TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const reasonsOf = (gateway: TestGateway, kiosk: TestKiosk) => storedTroubleOf(gateway.ledger, kiosk.kiosk).quarantine.reasons;

interface Connected {
  readonly gateway: TestGateway;
  readonly kiosk: TestKiosk;
  readonly client: MqttClient;
  readonly start: KioskStart;
  /** Resolves at PUBACK. */
  send(message: Uint8Array): Promise<unknown>;
}

async function connected(t: Test, gateway?: TestGateway, config = {}): Promise<Connected> {
  const at = gateway ?? (await startTestGateway(t, { config }));
  const kiosk = at.admit();
  const client = await kiosk.connect(at.running.tlsPort);
  t.teardown(() => client.end(true));
  client.setMaxListeners(0);
  const send = (message: Uint8Array) => publishOrClose(client, kiosk.batchTopic, message);
  return { gateway: at, kiosk, client, start: await kiosk.start(), send };
}

t.test('trouble: a batch altered on the way is quarantined by name, acknowledged, and delays nothing', async (t) => {
  const { gateway, kiosk, start, send } = await connected(t);
  const message = start.batch([start.seal(checkIn()), start.seal(checkIn())]);
  const bits = Array.from({ length: 40 }, (_, i) => Math.floor((i / 40) * message.length * 8) + (i % 8));
  const altered = bits.map((bit) => {
    const copy = Uint8Array.from(message);
    copy[bit >> 3]! ^= 0x80 >> (bit & 7);
    return copy;
  });
  await Promise.all([...altered.map(send), send(message)]);
  t.equal(rowsIn(gateway), 2);
  const { items, reasons } = storedTroubleOf(gateway.ledger, kiosk.kiosk).quarantine;
  t.ok(items > 0);
  for (const reason of Object.keys(reasons)) t.match(reason, /^(decode|seal)\./);
  t.equal(gateway.log.of('ingest.internal').length, 0);
});

t.test('trouble: another kiosk signed it, or its key record', async (t) => {
  const one = await connected(t);
  const two = await connected(t, one.gateway);
  await one.send(two.start.batch([two.start.seal(checkIn())], one.kiosk.batchTopic));
  t.match(reasonsOf(one.gateway, one.kiosk), { 'seal.signature': 1 });

  const forged = await one.kiosk.start(undefined, two.kiosk.signingKey);
  await one.send(forged.batch([forged.seal(checkIn())]));
  t.match(reasonsOf(one.gateway, one.kiosk), { 'seal.signature': 2 });

  const elsewhere = one.start.batch([one.start.seal(checkIn())], two.kiosk.batchTopic);
  await one.send(elsewhere);
  t.match(reasonsOf(one.gateway, one.kiosk), { 'seal.signature': 3 });
  t.equal(rowsIn(one.gateway), 0);
});

t.test('trouble: a key record of another content key than the list names', async (t) => {
  const { gateway, kiosk, start, send } = await connected(t);
  const other = await kiosk.start();
  await send(start.batch([start.seal(checkIn())]));
  const swapped = { ...start, keyRecord: other.keyRecord };
  const { decodeCbor, encodeCbor } = await import('../../protocol/cbor.ts');
  const parts = decodeCbor(swapped.batch([start.seal(checkIn())]), 'batch', 65_536) as readonly Uint8Array[];
  await send(encodeCbor([other.keyRecord, parts[1]!, parts[2]!]));
  t.match(reasonsOf(gateway, kiosk), { 'seal.unknown_key': 1 });
});

t.test('trouble: while the store is busy nothing is acknowledged; when it is back, all is', async (t) => {
  const { gateway, kiosk, start, send } = await connected(t);
  const state = await watchState(gateway);
  gateway.ledger.prepare('BEGIN IMMEDIATE').run();
  let acknowledged = 0;
  const sent = [1, 2, 3].map(() => send(start.batch([start.seal(checkIn())])).then(() => (acknowledged += 1)));
  await until(() => gateway.log.of('ingest.failed').length > 0);
  t.match(gateway.log.of('ingest.failed'), [{ level: 'error', fields: { code: 'store.busy', kiosk: kiosk.kiosk } }]);
  const seen = await state.next((value) => value.kiosks[kiosk.kiosk]?.withheld !== undefined);
  t.match(seen, { state: 'degraded', kiosks: { [kiosk.kiosk]: { withheld: { code: 'store.busy' } } } });
  t.equal(acknowledged, 0);
  gateway.ledger.prepare('ROLLBACK').run();
  await gateway.clock.advance(30_000);
  await Promise.all(sent);
  t.equal(rowsIn(gateway), 3);
  t.match(gateway.log.of('ingest.recovered'), [{ fields: { failures: Number } }]);
  const well = await state.next((value) => value.state === 'up' && value.connectedKiosks === 1);
  t.strictSame(well.kiosks, {});
});

t.test('trouble: sealed for a recipient that this gateway is not: withheld, and those behind it go on', async (t) => {
  const { gateway, kiosk, start, send, client } = await connected(t);
  const state = await watchState(gateway);
  const stranger = await kiosk.start([(await generateRecipient()).recipient]);
  let isAcknowledged = false;
  const unopened = send(stranger.batch([stranger.seal(checkIn())])).then(
    () => {
      isAcknowledged = true;
    },
    () => {},
  );
  for (let i = 0; i < 20; i++) await send(start.batch([start.seal(checkIn())]));
  t.equal(rowsIn(gateway), 20);
  const seen = await state.next((value) => value.kiosks[kiosk.kiosk]?.withheld !== undefined);
  t.match(seen.kiosks[kiosk.kiosk], { withheld: { code: 'seal.unknown_recipient', batches: 1 }, missingRows: 1 });
  await gateway.clock.advance(60_000);
  t.equal(isAcknowledged, false);
  client.end(true);
  await unopened;
  const gone = await state.next((value) => value.connectedKiosks === 0);
  t.match(gone.kiosks[kiosk.kiosk], { withheld: undefined, missingRows: 1 }, 'let go with its connection');
});

t.test('trouble: a full quarantine cuts its kiosk off, drops nothing, and stops nobody else', async (t) => {
  const bad = await connected(t, undefined, { limits: { quarantineItems: 2 } });
  const good = await connected(t, bad.gateway);
  const state = await watchState(bad.gateway);
  const garbage = (n: number) => Uint8Array.of(0x83, n);
  await bad.send(garbage(1));
  await bad.send(garbage(2));
  const refused = bad.send(garbage(3));
  await t.rejects(refused, 'no PUBACK, and the connection is closed');
  await good.send(good.start.batch([good.start.seal(checkIn())]));
  t.equal(rowsIn(bad.gateway), 1);
  const seen = await state.next((value) => value.kiosks[bad.kiosk.kiosk]?.cutOff !== undefined);
  t.match(seen, {
    state: 'degraded',
    kiosks: { [bad.kiosk.kiosk]: { isConnected: false, cutOff: 'ingest.quarantine_full', quarantine: { items: 2 } } },
  });

  t.equal(await dropQuarantine(bad.gateway.directory, bad.kiosk.kiosk), 2);
  const back = await bad.kiosk.connect(bad.gateway.running.tlsPort);
  t.teardown(() => back.end(true));
  await publishOrClose(back, bad.kiosk.batchTopic, garbage(3));
  t.match(await gatewayStatus(bad.gateway.directory), {
    isRunning: true,
    entries: 1,
    sinks: [{ name: 'core', behindEntries: 0, droppedEntries: 0 }],
    lastState: { connectedKiosks: 1 },
  });
  const { kiosks } = await gatewayStatus(bad.gateway.directory);
  t.match(
    kiosks.find(({ kiosk }) => kiosk === bad.kiosk.kiosk),
    { rows: 0, quarantine: { items: 1, reasons: { 'decode.truncated': 1 } }, admission: { revokedAtMs: undefined } },
  );
  t.match(
    kiosks.find(({ kiosk }) => kiosk === good.kiosk.kiosk),
    { rows: 1, missingRows: 0, lastReceivedAtMs: Number },
  );
});

t.test('trouble: a revoked kiosk is shut out at once and nothing more of it is taken', async (t) => {
  const { gateway, kiosk, start, send, client } = await connected(t);
  await send(start.batch([start.seal(checkIn())]));
  t.ok(gateway.registry.revoke(kiosk.kiosk, gateway.clock.wall()));
  await t.rejects(send(start.batch([start.seal(checkIn())])));
  t.equal(rowsIn(gateway), 1);
  await until(() => client.disconnected || !client.connected);
  await t.rejects(kiosk.connect(gateway.running.tlsPort));
  const state = await watchState(gateway);
  const seen = await state.next((value) => value.refused.length > 0);
  t.match(seen.refused, [{ kiosk: kiosk.kiosk, code: 'admission.revoked', count: 1 }]);
});

t.test('trouble: a kiosk revoked while it is silent loses its connection', async (t) => {
  const { gateway, kiosk, client } = await connected(t);
  gateway.registry.revoke(kiosk.kiosk, gateway.clock.wall());
  await gateway.clock.advance(1_000);
  await until(() => !client.connected);
  t.equal(client.connected, false);
});
