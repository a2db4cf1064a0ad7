/** Admitted clients that ask too much: packets, bytes, unanswered batches, rows, and readers who do not read. */
import t from 'tap';
import { generateRecipient } from '../../protocol/hpke.ts';
import { systemClock } from '../../protocol/time.ts';
import { topicOf } from '../../protocol/topics.ts';
import { checkIn, TestKiosk } from '../support/test-kiosk.ts';
import { AttackedGateway } from './attacked-gateway.ts';
import { eventually, pause } from './eventually.ts';
import { HonestKiosks } from './honest-kiosks.ts';
import * as mqtt from './packets.ts';
import { RawClient } from './raw-client.ts';

const MIB = 1_048_576;

const gateway = await AttackedGateway.start(t.testdir());
const honest = await HonestKiosks.start(gateway);
const atFirst = await gateway.tell();

async function openKiosk(kiosk: TestKiosk, keepAliveS = 60): Promise<RawClient> {
  const client = await RawClient.tls(gateway.tlsPort, { key: kiosk.signingKey }, { localAddress: '127.0.0.90' });
  if ((await client.connack(mqtt.connect(kiosk.kiosk, { keepAliveS }))) !== 0) throw new Error('not admitted');
  return client;
}

const pubacks = (client: RawClient): number => mqtt.parse(client.received).filter(({ type }) => type === 4).length;

t.test('packets as fast as they go: read at their pace, from a socket that is paused meanwhile', async (t) => {
  const kiosk = await gateway.admit();
  const client = await openKiosk(kiosk);
  const pings = Buffer.concat(Array.from({ length: 200_000 }, () => mqtt.PINGREQ));
  for (let i = 0; i < 20; i++) client.write(pings);
  await gateway.state(({ door }) => door.waiting[kiosk.kiosk]?.code === 'admission.too_fast');
  const before = client.receivedBytes;
  const fromMs = performance.now();
  await pause(2_000);
  const perSecond = ((client.receivedBytes - before) / 2 / (performance.now() - fromMs)) * 1_000;
  t.ok(perSecond < 400, `${Math.round(perSecond)} answers a second`);
  t.ok(client.socket.writableLength > MIB, 'the rest waits with its sender');
  client.end();
});

t.test('batches that are not answered: held within the budget, and nobody else waits', async (t) => {
  const clients: RawClient[] = [];
  for (let i = 0; i < 4; i++) {
    const kiosk = await gateway.admit();
    const client = await openKiosk(kiosk, 15);
    clients.push(client);
    // Sealed for somebody who is not there: withheld, since that may be the gateway's own fault.
    const start = await kiosk.start([(await generateRecipient()).recipient]);
    const rows = Array.from({ length: 64 }, () => start.seal(checkIn()));
    for (let n = 0; n < 300; n++) client.write(mqtt.publish(kiosk.batchTopic, start.batch(rows), 1 + n));
    const state = await gateway.state(({ kiosks }) => (kiosks[kiosk.kiosk]?.withheld?.batches ?? 0) > 0);
    t.equal(state.kiosks[kiosk.kiosk]?.withheld?.code, 'seal.unknown_recipient');
    const { door } = await gateway.state(({ door }) => door.waiting[kiosk.kiosk] !== undefined);
    t.match(door.waiting[kiosk.kiosk], { code: 'admission.over_budget', count: 1 }, 'what it waits for is named, once for a wait');
  }
  await pause(1_000);
  const state = await gateway.state(() => true);
  const most = Math.max(...Object.values(state.kiosks).map(({ withheld }) => withheld?.batches ?? 0));
  t.ok(most <= 64, `${most} of 300 held`);
  for (const client of clients) {
    t.equal(pubacks(client), 0);
    client.end();
  }
  // A socket that is not read does not tell that its peer has left: keep-alive does.
  await gateway.state(({ kiosks }) => Object.values(kiosks).every(({ withheld }) => withheld === undefined));
});

t.test('readers who do not read: let go, while those who read go on', async (t) => {
  const open = async (clientId: string): Promise<RawClient> => {
    const client = await RawClient.tcp(gateway.tcpPort);
    await client.connack(mqtt.connect(clientId, { account: 'operator', secret: gateway.secret }));
    await client.ask(mqtt.subscribe(['vestibule/1/events/#']));
    return client;
  };
  const prompt = await open('prompt');
  const stalled = await open('stalled');
  stalled.socket.pause();
  const kiosk = await gateway.admit();
  const start = await kiosk.start();
  const client = await openKiosk(kiosk);
  let sent = 0;
  // As many as fill what the kernel keeps for a socket, too.
  const ended = gateway.counted('admission.slow_reader').then(() => true);
  let isOver = false;
  ended.then(
    () => {
      isOver = true;
    },
    () => {},
  );
  while (!isOver && sent < 3_000) {
    for (let n = 0; n < 8; n++) {
      sent += 1;
      client.write(mqtt.publish(kiosk.batchTopic, start.batch(Array.from({ length: 64 }, () => start.seal(checkIn()))), sent));
    }
    await eventually('PUBACKs', () => client.isClosed || pubacks(client) >= sent);
  }
  t.equal(await ended, true);
  t.equal(prompt.isClosed, false);
  const before = prompt.receivedBytes;
  await eventually('more for the one who reads', () => prompt.receivedBytes > before);
  stalled.socket.resume();
  await stalled.closed;
  for (const one of [prompt, client]) one.end();
});

t.test('one bad batch again and again: acknowledged, kept once, and a line a minute', async (t) => {
  const kiosk = await gateway.admit();
  const client = await openKiosk(kiosk);
  for (let n = 1; n <= 500; n++) client.write(mqtt.publish(kiosk.batchTopic, Buffer.from([0x83, 1]), n));
  await eventually('500 PUBACKs', () => pubacks(client) >= 500);
  await gateway.state(({ kiosks }) => kiosks[kiosk.kiosk]?.quarantine.items === 1);
  const { logLines } = await gateway.tell();
  t.ok((logLines['batch.quarantined'] ?? 0) <= 3, `${logLines['batch.quarantined']} lines`);
  client.end();
});

t.test('bad batches that differ: kept up to the kiosk’s share, then it is cut off, and only it', async (t) => {
  const kiosk = await gateway.admit();
  const client = await openKiosk(kiosk);
  for (let n = 1; n <= 1_100; n++) client.write(mqtt.publish(kiosk.batchTopic, Buffer.from([0x83, n & 0xff, n >> 8]), n));
  await client.closed;
  const state = await gateway.state(({ kiosks }) => kiosks[kiosk.kiosk]?.cutOff === 'ingest.quarantine_full');
  t.equal(state.kiosks[kiosk.kiosk]?.quarantine.items, 1_000);
});

t.test('a packet that says it is long: ended before it came', async (t) => {
  const kiosk = await gateway.admit();
  const before = await gateway.tell();
  const client = await openKiosk(kiosk);
  client.write(Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]));
  await client.closed;
  const stranger = await RawClient.tcp(gateway.tcpPort, { localAddress: '127.0.0.91' });
  stranger.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
  await stranger.closed;
  await gateway.counted('admission.overlong', 2);
  t.ok((await gateway.tell()).rssBytes - before.rssBytes < 64 * MIB);
});

t.test('a stolen key that fills the ledger: its valid rows wait past the quota, and others’ do not', async (t) => {
  const small = await AttackedGateway.start(t.testdir(), { limits: { rowsPerDay: 10 } });
  const thief = new TestKiosk(small.trust, systemClock);
  const calm = new TestKiosk(small.trust, systemClock);
  await small.admit(thief);
  await small.admit(calm);
  const start = await thief.start();
  const client = await RawClient.tls(small.tlsPort, { key: thief.signingKey });
  t.equal(await client.connack(mqtt.connect(thief.kiosk)), 0);
  const send = (n: number): void =>
    client.write(mqtt.publish(topicOf(thief.kiosk, 'batch'), start.batch(Array.from({ length: 64 }, () => start.seal(checkIn()))), n));
  for (let n = 1; n <= 4; n++) {
    send(n);
    await eventually('a PUBACK', () => pubacks(client) >= n);
  }
  send(5);
  await small.state(({ door }) => door.waiting[thief.kiosk]?.code === 'admission.over_quota');
  t.equal(pubacks(client), 4);
  const other = await calm.connect(small.tlsPort);
  const calmStart = await calm.start();
  await other.publishAsync(calm.batchTopic, Buffer.from(calmStart.batch([calmStart.seal(checkIn())])), { qos: 1 });
  t.strictSame((await small.tell()).rows[thief.kiosk], 256);
  other.end(true);
  client.end();
  await small.stop();
});

t.test('after all that: no crash, no growth, no honest kiosk harmed, none of their rows lost or taken twice', async (t) => {
  await honest.areUnharmed(t);
  t.ok(gateway.isWatched);
  const { heapBytes, rssBytes } = await gateway.tell();
  const grown = (heapBytes - atFirst.heapBytes) / MIB;
  t.ok(grown < 64, `heap grown by ${grown.toFixed(1)} MiB; ${Math.round(rssBytes / MIB)} MiB resident`);
  await gateway.stop();
});
