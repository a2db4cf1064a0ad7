/** What may be read, written and kept: readers reaching for batches, filters and topics that escape, retained messages, Wills. */
import t from 'tap';
import { downState, encodeKioskState } from '../../protocol/kiosk-state.ts';
import { topicOf } from '../../protocol/topics.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { checkIn, type TestKiosk } from '../support/test-kiosk.ts';
import { AttackedGateway } from './attacked-gateway.ts';
import { eventually, pause } from './eventually.ts';
import { escapes } from './filters.ts';
import { HonestKiosks } from './honest-kiosks.ts';
import * as mqtt from './packets.ts';
import { RawClient } from './raw-client.ts';

const { seed } = suiteSize();
const random = seededRandom(seed);
t.comment(`seed ${seed}`);

/** What comes down to a kiosk. */
const DOWN = ['receipt', 'policy', 'notice', 'command', 'release'] as const;
const OPERATORS = /^vestibule\/1\/(events\/|gateway\/|kiosk\/[0-9a-z]{16}\/state$)|^\$SYS\//;
const OPERATORS_FILTER = /^(vestibule\/1\/(events|gateway)|\$SYS)(\/|$)|^vestibule\/1\/kiosk\/(\+|[0-9a-z]{16})\/state$/;

const gateway = await AttackedGateway.start(t.testdir());
const honest = await HonestKiosks.start(gateway);
const victim = await gateway.admit();
const victimClient = await victim.connect(gateway.tlsPort);

const upState = (version = 'test'): Uint8Array => encodeKioskState({ ...downState(version), isUp: true, state: 'up' });

/** The victim says all that a kiosk says, and is told what a kiosk is told. */
async function sendSome(): Promise<void> {
  const start = await victim.start();
  for (let i = 0; i < 5; i++)
    await victimClient.publishAsync(victim.batchTopic, Buffer.from(start.batch([start.seal(checkIn())])), { qos: 1 });
  await victimClient.publishAsync(topicOf(victim.kiosk, 'state'), Buffer.from(upState()), { qos: 1, retain: true });
}

async function openKiosk(kiosk?: TestKiosk): Promise<RawClient> {
  const own = kiosk ?? (await gateway.admit());
  const client = await RawClient.tls(gateway.tlsPort, { key: own.signingKey }, { localAddress: '127.0.0.81' });
  if ((await client.connack(mqtt.connect(own.kiosk))) !== 0) throw new Error('a kiosk was not admitted');
  return client;
}

async function openOperator(): Promise<RawClient> {
  const client = await RawClient.tcp(gateway.tcpPort, { localAddress: '127.0.0.82' });
  if ((await client.connack(mqtt.connect('reader', { account: 'operator', secret: gateway.secret }))) !== 0) throw new Error('no operator');
  return client;
}

/** Asks for each filter; whoever is closed for it comes again. @returns what was granted, and every topic that was heard. */
async function reach(open: () => Promise<RawClient>): Promise<{ granted: string[]; heard: string[] }> {
  const clients = [await open()];
  const granted: string[] = [];
  for (const filter of escapes(victim.kiosk, random)) {
    const last = clients.at(-1);
    const client = last === undefined || last.isClosed ? await open() : last;
    if (client !== last) clients.push(client);
    const before = client.receivedBytes;
    const suback = (): Buffer | undefined => mqtt.parse(client.received).findLast(({ type }) => type === 9)?.body;
    const subacks = mqtt.parse(client.received).filter(({ type }) => type === 9).length;
    client.write(mqtt.subscribe([filter]));
    await eventually(
      `an answer to ${filter}`,
      () =>
        client.isClosed || (client.receivedBytes > before && mqtt.parse(client.received).filter(({ type }) => type === 9).length > subacks),
    );
    if (!client.isClosed && suback()?.[2] !== 0x80) granted.push(filter);
  }
  await sendSome();
  await pause(300);
  const heard = clients.flatMap(({ received }) => mqtt.topicsIn(received));
  for (const client of clients) client.end();
  return { granted, heard };
}

t.test('operators who reach for batches, receipts and policies get their own tree and nothing else', async (t) => {
  const { granted, heard } = await reach(openOperator);
  t.strictSame(
    granted.filter((filter) => !OPERATORS_FILTER.test(filter)),
    [],
  );
  t.strictSame(
    heard.filter((topic) => !OPERATORS.test(topic)),
    [],
  );
  await gateway.counted('admission.wrong_topic', 20);
});

t.test('a kiosk that reaches for others gets nothing', async (t) => {
  t.strictSame(await reach(openKiosk), { granted: [], heard: [] });
});

t.test('a hundred filters at once, or the same for ever: ended, counted, and the others go on', async (t) => {
  const before = honest.acknowledged;
  const many = await openOperator();
  many.write(mqtt.subscribe(Array.from({ length: 100 }, (_, i) => `vestibule/1/events/v${i}/check-in`)));
  await many.closed;
  const stubborn = await openOperator();
  for (let i = 0; i < 200 && !stubborn.isClosed; i++) {
    stubborn.write(mqtt.subscribe(['vestibule/1/events/#'], 1 + i));
    stubborn.write(mqtt.unsubscribe(['vestibule/1/events/#'], 1 + i));
  }
  await stubborn.closed;
  await gateway.counted('admission.too_many_subscriptions', 2);
  const long = await openOperator();
  long.write(mqtt.subscribe(Array.from({ length: 400 }, (_, i) => `vestibule/1/events/${'x'.repeat(20)}${i}`)));
  await long.closed;
  await gateway.counted('admission.overlong');
  t.ok(honest.acknowledged > before);
});

t.test('writing where one may not: each attempt ends the connection, and nothing is kept or told', async (t) => {
  const operator = await openOperator();
  operator.write(mqtt.subscribe(['vestibule/1/events/#', 'vestibule/1/kiosk/+/state', 'vestibule/1/gateway/#']));
  const forged = Buffer.from('forged');
  const attempts: ((kiosk: TestKiosk) => Buffer)[] = [
    () => mqtt.publish(victim.batchTopic, forged),
    () => mqtt.publish(topicOf(victim.kiosk, 'state'), upState('forged'), 1, 0b0011),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'receipt'), forged),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'policy'), forged, 1, 0b0011),
    () => mqtt.publish('vestibule/1/events/x/check-in', forged),
    () => mqtt.publish('vestibule/1/gateway/state', forged, 1, 0b0011),
    () => mqtt.publish('$SYS/forged', forged),
    () => mqtt.publish('#', forged),
    () => mqtt.publish('+/+', forged),
    () => mqtt.publish('', forged),
    () => mqtt.publish('a/'.repeat(2_000), forged),
    ({ kiosk }) => mqtt.publish(`${topicOf(kiosk, 'state')}/`, upState('forged'), 1, 0b0011),
    ({ kiosk }) => mqtt.publish(`${topicOf(kiosk, 'batch')}\u0000`, forged),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'batch'), forged, 1, 0b0011),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'batch'), forged, 1, 0b0000),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'batch'), forged, 1, 0b0100),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'batch'), forged, 1, 0b0110),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'state'), upState('forged'), 1, 0b0010),
    ({ kiosk }) => mqtt.publish(topicOf(kiosk, 'state'), upState('forged'), 1, 0b0001),
    () => mqtt.packet(0x62, Buffer.from([0])),
  ];
  for (const [index, attempt] of attempts.entries()) {
    const kiosk = await gateway.admit();
    const client = await openKiosk(kiosk);
    client.write(attempt(kiosk));
    await eventually(`attempt ${index} to end its connection`, () => client.isClosed);
  }
  await gateway.counted('admission.wrong_topic');
  await gateway.counted('admission.wrong_delivery');
  await gateway.counted('admission.malformed');
  await sendSome();
  await pause(300);
  t.notOk(operator.received.includes('forged'));
  const late = await openOperator();
  late.write(mqtt.subscribe(['vestibule/1/kiosk/+/state', 'vestibule/1/gateway/#']));
  await pause(300);
  t.notOk(late.received.includes('forged'), 'nothing of it is retained');
  for (const client of [operator, late]) client.end();
});

t.test('what the gateway alone says: nobody says it in its place, and what it said stays', async (t) => {
  const topics = DOWN.map((leaf) => topicOf(victim.kiosk, leaf));
  const said = new Map<string, string>();
  const heard: string[] = [];
  victimClient.on('message', (topic, payload) => {
    said.set(topic, payload.toString('hex'));
    heard.push(topic);
  });
  await victimClient.subscribeAsync(topics, { qos: 1 });
  await eventually('what the gateway says', () => (['policy', 'release'] as const).every((leaf) => said.has(topicOf(victim.kiosk, leaf))));
  const before = heard.length;
  // The victim's own documents once more, nothing (which would take them off the broker), and what is none.
  const payloads = [...new Set(said.values())].map((hex) => Buffer.from(hex, 'hex')).concat(Buffer.alloc(0), Buffer.from('forged'));
  for (const leaf of DOWN)
    for (const payload of payloads)
      for (const flags of [0b0011, 0b0010]) {
        const kiosk = await gateway.admit();
        const attempts = [
          [await openKiosk(kiosk), kiosk.kiosk],
          [await openKiosk(), victim.kiosk],
          [await openOperator(), victim.kiosk],
        ] as const;
        for (const [client, of] of attempts) client.write(mqtt.publish(topicOf(of, leaf), payload, 1, flags));
        await Promise.all(attempts.map(([{ closed }]) => closed));
      }
  const first = new Map(said);
  t.equal(heard.length, before, 'nothing came meanwhile');
  said.clear();
  await victimClient.unsubscribeAsync(topics);
  await victimClient.subscribeAsync(topics, { qos: 1 });
  await eventually('what is retained', () => said.size >= first.size);
  t.strictSame(said, first);
});

t.test('retained messages: states that come all the time are paced, and what is no state takes the place of none', async (t) => {
  const kiosk = await gateway.admit();
  const client = await openKiosk(kiosk);
  const topic = topicOf(kiosk.kiosk, 'state');
  for (let i = 0; i < 100; i++) client.write(mqtt.publish(topic, upState(`flood-${i}`), 1 + i, 0b0011));
  await gateway.state(({ door }) => door.waiting[kiosk.kiosk]?.code === 'admission.too_fast');
  const acknowledged = (): number => mqtt.parse(client.received).filter(({ type }) => type === 4).length;
  t.ok(acknowledged() < 100, `${acknowledged()} of 100 states taken at once`);
  client.end();
  const second = await gateway.admit();
  const liar = await openKiosk(second);
  const own = topicOf(second.kiosk, 'state');
  for (const payload of [upState('good'), Buffer.from('{"isUp":"forged"}'), Buffer.alloc(0), Buffer.alloc(9_000, '{'), Buffer.from('null')])
    await liar.ask(mqtt.publish(own, payload, 7, 0b0011));
  const operator = await openOperator();
  operator.write(mqtt.subscribe([own]));
  await eventually('the retained state', () => operator.received.includes('"version":"good"'));
  t.notOk(operator.received.includes('forged'));
  for (const one of [liar, operator]) one.end();
});

t.test('Wills: another’s topic, a batch, or what is no state is not let in', async (t) => {
  const wills: ((kiosk: TestKiosk) => { topic: string; payload: Uint8Array })[] = [
    () => ({ topic: topicOf(victim.kiosk, 'state'), payload: upState() }),
    ({ kiosk }) => ({ topic: topicOf(kiosk, 'batch'), payload: upState() }),
    () => ({ topic: 'vestibule/1/gateway/state', payload: upState() }),
    ({ kiosk }) => ({ topic: topicOf(kiosk, 'state'), payload: Buffer.from('forged') }),
    () => ({ topic: '#', payload: upState() }),
    () => ({ topic: '', payload: upState() }),
  ];
  for (const willOf of wills) {
    const kiosk = await gateway.admit();
    const client = await RawClient.tls(gateway.tlsPort, { key: kiosk.signingKey }, { localAddress: '127.0.0.83' });
    t.not(await client.connack(mqtt.connect(kiosk.kiosk, { will: willOf(kiosk) })), 0);
    client.end();
  }
});

t.test('after all that: no crash, no honest kiosk harmed, none of their rows lost or taken twice', async (t) => {
  await honest.areUnharmed(t);
  t.ok(victimClient.connected && gateway.isWatched);
  victimClient.end(true);
  await gateway.stop();
});
