/**
 * Seeded fuzzing of every door: some 20 s, or 10 minutes with `-- --full`. The gateway may not crash, grow, tell anybody what is not
 * theirs, or keep what nobody may write; kiosks that do as kiosks do may notice nothing.
 */
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { systemClock } from '../../protocol/time.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { checkIn, TestKiosk } from '../support/test-kiosk.ts';
import { AttackedGateway } from './attacked-gateway.ts';
import { pause } from './eventually.ts';
import { chunks, MARK, mutate, type Random, upTo } from './fuzz-bytes.ts';
import { HonestKiosks } from './honest-kiosks.ts';
import * as mqtt from './packets.ts';
import { RawClient } from './raw-client.ts';

const { isFull, seed } = suiteSize();
t.comment(`seed ${seed}`);

const LASTS_MS = isFull ? 600_000 : 20_000;
const WARM_UP_MS = isFull ? 60_000 : 6_000;
const WORKERS = 6;
const MIB = 1_048_576;
/** A kiosk that is fuzzed fills its quarantine, and one that comes too often is told to come later: another takes its place. */
const CONNECTIONS_A_KIOSK = 15;
/** Of packets on one connection, unless it is ended before. */
const MOST_ROUNDS = 12;
const OPERATORS = /^vestibule\/1\/(events\/|gateway\/|kiosk\/[0-9a-z]{16}\/state$)|^\$SYS\//;

const gateway = await AttackedGateway.start(t.testdir());
const honest = await HonestKiosks.start(gateway);
const witness = await gateway.operator();
const atFirst = await gateway.tell();
const faults: string[] = [];
const tally: Record<string, number> = {};
let packets = 0;

witness.on('message', (topic, payload) => {
  if (!OPERATORS.test(topic)) faults.push(`an operator was told ${topic}`);
  if (payload.includes(MARK)) faults.push(`an operator was told what nobody may write, on ${topic}`);
});
await witness.subscribeAsync(['vestibule/1/events/#', 'vestibule/1/kiosk/+/state', 'vestibule/1/gateway/#', '$SYS/#']);

/** Well-formed, and signed with a key that is nobody's. */
async function foreignBatches(kiosk: TestKiosk): Promise<Uint8Array[]> {
  const start = await new TestKiosk(gateway.trust, systemClock, kiosk.kiosk).start();
  return [1, 3, 40].map((rows) => start.batch(Array.from({ length: rows }, () => start.seal(checkIn()))));
}

/** @returns what one client was told that was not for it. */
function unfit(client: RawClient, mayHear: (topic: string) => boolean): string[] {
  return mqtt.topicsIn(client.received).filter((topic) => !mayHear(topic));
}

async function worker(random: Random, name: number): Promise<void> {
  const address = (): { localAddress: string } => ({ localAddress: `127.${10 + name}.${upTo(random, 200)}.${1 + upTo(random, 200)}` });
  let kiosks = await Promise.all([gateway.admit(), gateway.admit()]);
  let own = await foreignBatches(kiosks[0] as TestKiosk);
  let connections = 0;
  const fromMs = systemClock.monotonic();
  while (systemClock.monotonic() - fromMs < LASTS_MS && gateway.end === undefined) {
    const kiosk = kiosks[0] as TestKiosk;
    const door = ['strangerTcp', 'operator', 'strangerTls', 'kiosk', 'kiosk', 'kiosk', 'rawTls', 'http'][upTo(random, 8)] as string;
    tally[door] = (tally[door] ?? 0) + 1;
    let client: RawClient;
    let mayHear = (_topic: string): boolean => false;
    if (door === 'kiosk') {
      if (++connections % CONNECTIONS_A_KIOSK === 0) {
        kiosks = await Promise.all([gateway.admit(), gateway.admit()]);
        own = await foreignBatches(kiosks[0] as TestKiosk);
        continue;
      }
      client = await RawClient.tls(gateway.tlsPort, { key: kiosk.signingKey }, address());
      if (!client.isClosed) await client.connack(mqtt.connect(kiosk.kiosk, { keepAliveS: 5 }));
      mayHear = (topic) => topic.startsWith(`vestibule/1/kiosk/${kiosk.kiosk}/`) && /\/(receipt|policy|notice|command)$/.test(topic);
    } else if (door === 'operator') {
      client = await RawClient.tcp(gateway.tcpPort, address());
      const credentials = { account: 'operator', secret: gateway.secret, keepAliveS: 5 };
      if (!client.isClosed) await client.connack(mqtt.connect(`fuzz-${name}`, credentials));
      mayHear = (topic) => OPERATORS.test(topic);
    } else if (door === 'strangerTls') client = await RawClient.tls(gateway.tlsPort, { key: generateSigningKey() }, address());
    else if (door === 'http') client = await RawClient.tls(gateway.tlsPort, { key: generateSigningKey(), alpn: 'http/1.1' }, address());
    else client = await RawClient.tcp(door === 'rawTls' ? gateway.tlsPort : gateway.tcpPort, address());
    for (let round = 0; round < MOST_ROUNDS && !client.isClosed; round++) {
      const sent =
        door === 'http' ? [mutate(random, HTTP)] : door === 'rawTls' ? [mutate(random, clientHello)] : chunks(random, kiosks, own);
      for (const chunk of sent) client.write(chunk);
      packets += sent.length;
      await pause(upTo(random, 10));
    }
    // What TLS and HTTP answer is no MQTT.
    if (door !== 'rawTls' && door !== 'http') for (const topic of unfit(client, mayHear)) faults.push(`${door} was told ${topic}`);
    if (client.received.includes(MARK)) faults.push(`${door} was told what nobody may write`);
    if (random() < 0.5) client.end();
    else {
      client.socket.end();
      setImmediate(() => client.end());
    }
  }
}

const HTTP = Buffer.from(
  'POST /1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 60\r\n\r\n{"secret":"AAAAAAAAAAAAAAAAAAAAAA","kiosk":"0123456789abcdef"}',
);

/** What a TLS client says first, taken from one. */
async function recordHello(): Promise<Buffer> {
  const said: Buffer[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      said.push(chunk);
      done();
    },
  });
  const socket = connectTls({ socket: stream, rejectUnauthorized: false });
  socket.on('error', () => {});
  await pause(50);
  socket.destroy();
  return Buffer.concat(said);
}
const clientHello = await recordHello();

t.test('fuzz: every door, from a seed', async (t) => {
  const working = Promise.all(Array.from({ length: WORKERS }, (_, name) => worker(seededRandom(seed * 1_000 + name), name)));
  await pause(WARM_UP_MS);
  const warm = await gateway.tell();
  await working;
  t.equal(gateway.end, undefined, 'it runs');
  t.strictSame(faults, [], `${packets} chunks: ${JSON.stringify(tally)}`);
  t.ok(witness.connected && gateway.isWatched, 'its operators are there');
  // What lingers, a handshake or a request that never came, is closed in its time.
  let cold = await gateway.tell();
  for (let seconds = 0; cold.resources > atFirst.resources + 5 && seconds < 60; seconds++) {
    await pause(1_000);
    cold = await gateway.tell();
  }
  const grown = (cold.heapBytes + cold.externalBytes - warm.heapBytes - warm.externalBytes) / MIB;
  t.ok(grown < (isFull ? 48 : 32), `${grown.toFixed(1)} MiB more than after warming up; ${Math.round(cold.rssBytes / MIB)} MiB resident`);
  t.ok(cold.resources <= atFirst.resources + 5, `${atFirst.resources} open resources at first, ${cold.resources} afterwards`);
  const late = await gateway.operator();
  late.on('message', (topic, payload) => {
    if (payload.includes(MARK)) faults.push(`retained on ${topic}`);
  });
  await late.subscribeAsync(['vestibule/1/kiosk/+/state', 'vestibule/1/gateway/#']);
  await pause(300);
  t.strictSame(faults, [], 'nothing of it is retained');
  await honest.areUnharmed(t);
  const { rows, logLines } = await gateway.tell();
  t.equal(Object.keys(rows).length, honest.kiosks.length, 'rows of honest kiosks, and of nobody else');
  t.comment(`log: ${JSON.stringify(logLines)}`);
  const { door } = await gateway.state(() => true);
  t.comment(`refusals: ${JSON.stringify(door.refusals)}`);
  await gateway.stop();
});
