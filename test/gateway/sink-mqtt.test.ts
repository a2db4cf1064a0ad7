/** The MQTT bridge against a real broker over real sockets: PUBACK alone moves it, what was not acknowledged comes again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { MqttSink } from '../../gateway/sinks/mqtt-sink.ts';
import { type MqttSinkConfig, sinksSchema } from '../../gateway/sinks/sink-config.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { decodeEvent } from '../../protocol/entry-event.ts';
import { decodeErasure } from '../../protocol/erasure.ts';
import type { DeploymentId } from '../../protocol/ids.ts';
import type { DoubtEntry } from '../../protocol/ledger-entry.ts';
import { pinOfKey } from '../support/far-core.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RemoteBroker } from '../support/remote-broker.ts';
import { outcomeOf, outcomeOfPromise } from '../support/wire.ts';

const DEPLOYMENT = '0123456789abcdef' as DeploymentId;
const entry = (position: number): DoubtEntry => ({
  kind: 'doubt',
  position,
  row: { kiosk: '0123456789abcdef', keyId: new Uint8Array(8), seq: position } as DoubtEntry['row'],
  reason: 'door-rate',
  raisedAtMs: 1_000 as DoubtEntry['raisedAtMs'],
});
const entries = (from: number, to: number): DoubtEntry[] => Array.from({ length: to - from + 1 }, (_, i) => entry(from + i));

async function opened(t: Test) {
  const broker = await RemoteBroker.open();
  const life = new AbortController();
  t.teardown(() => {
    life.abort();
    return broker.close();
  });
  const clock = new ManualClock();
  const directory = t.testdir();
  const passwordPath = join(directory, 'password');
  writeFileSync(passwordPath, 'a password\n', { mode: 0o600 });
  const sink = (more: object = {}): MqttSink => {
    const [config] = sinksSchema.parse([
      {
        kind: 'mqtt',
        name: 'bridge',
        host: '127.0.0.1',
        port: broker.port,
        pin: broker.pin,
        prefix: 'town/vestibule',
        username: 'gateway',
        passwordPath,
        ...more,
      },
    ]);
    return new MqttSink(config as MqttSinkConfig, DEPLOYMENT, clock, life.signal);
  };
  return { broker, sink, clock, directory, life };
}

t.test('mqtt sink: each entry is a CloudEvent under the prefix, at QoS 1, and taken at its PUBACK', async (t) => {
  const { broker, sink } = await opened(t);
  const bridge = sink();
  t.equal(await bridge.taken(), undefined, 'it can not know');
  await bridge.accept(entries(1, 3));
  t.strictSame(
    broker.messages.map(({ topic }) => topic),
    Array(3).fill('town/vestibule/doubt'),
  );
  t.strictSame(
    broker.messages.map(({ payload }) => decodeEvent(payload)),
    entries(1, 3).map((one) => ({ deployment: DEPLOYMENT, entry: one })),
  );
  t.strictSame(broker.accounts, [{ username: 'gateway', password: 'a password', clientId: `vestibule-${DEPLOYMENT}-bridge` }]);
  await bridge.accept(entries(4, 4));
  t.equal(broker.accounts.length, 1, 'one connection for all');
});

t.test('mqtt sink: rows that must go are one message of their own, gone at its PUBACK', async (t) => {
  const { broker, sink } = await opened(t);
  const bridge = sink();
  const rows = entries(1, 3).map(({ row }) => row);
  await bridge.erase(rows);
  t.match(broker.messages, [{ topic: 'town/vestibule/erasure' }]);
  t.strictSame(decodeErasure(broker.messages[0]?.payload ?? new Uint8Array()), { deployment: DEPLOYMENT, rows });
  broker.mayAcknowledge = () => false;
  const lost = outcomeOfPromise(() => bridge.erase(rows));
  await broker.until(2);
  broker.cut();
  t.equal(await lost, 'sink.lost');
});

t.test('mqtt sink: no more are on their way than the window', async (t) => {
  const { broker, sink } = await opened(t);
  const bridge = sink({ window: 4 });
  broker.mayAcknowledge = () => false;
  const done = bridge.accept(entries(1, 10));
  await broker.until(4);
  t.equal(broker.messages.length, 4);
  broker.mayAcknowledge = () => true;
  broker.acknowledgeHeld();
  await done;
  t.equal(broker.messages.length, 10);
});

t.test('mqtt sink: what was not acknowledged when the connection broke is offered again, with the same id', async (t) => {
  const { broker, sink } = await opened(t);
  const bridge = sink();
  broker.mayAcknowledge = ({ payload }) => decodeEvent(payload).entry.position !== 2;
  const lost = outcomeOfPromise(() => bridge.accept(entries(1, 3)));
  await broker.until(3);
  broker.cut();
  t.equal(await lost, 'sink.lost');
  broker.mayAcknowledge = () => true;
  await bridge.accept(entries(1, 3));
  const ids = broker.messages.map(({ payload }) => JSON.parse(payload.toString('utf8')).id as string);
  t.equal(new Set(ids).size, 3);
  t.ok(ids.length > 3);
});

t.test('mqtt sink: a broker that hangs is given up in time', async (t) => {
  const { broker, sink, clock } = await opened(t);
  const bridge = sink({ timeoutMs: 5_000 });
  broker.mayAcknowledge = () => false;
  const held = outcomeOfPromise(() => bridge.accept(entries(1, 1)));
  await broker.until(1);
  await clock.advance(5_000);
  t.equal(await held, 'sink.silent');
  broker.mayAcknowledge = () => true;
  t.equal(await outcomeOfPromise(() => bridge.accept(entries(1, 1))), 'nothing thrown');
  broker.isMute = true;
  broker.cut();
  const unheard = outcomeOfPromise(() => sink({ timeoutMs: 5_000 }).accept(entries(2, 2)));
  await broker.untilConnections(3);
  await clock.advance(5_000);
  t.equal(await unheard, 'sink.silent', 'also before CONNACK');
});

t.test('mqtt sink: a broker that sends without end what nobody asked for is let go of', async (t) => {
  const { broker, sink } = await opened(t);
  const bridge = sink();
  broker.mayAcknowledge = () => false;
  const short = outcomeOfPromise(() => bridge.accept(entries(1, 1)));
  await broker.until(1);
  broker.say(Buffer.from('\x30\x05\x00\x01tHi', 'latin1'));
  broker.acknowledgeHeld();
  t.equal(await short, 'nothing thrown', 'a message that it sends by itself is passed over');
  const long = outcomeOfPromise(() => bridge.accept(entries(2, 2)));
  await broker.until(2);
  // The greatest length there can be: 268,435,455 bytes.
  broker.say(Buffer.concat([Buffer.from([0x34, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(100_000)]));
  t.equal(await long, 'sink.unexpected');
  broker.mayAcknowledge = () => true;
  t.equal(await outcomeOfPromise(() => bridge.accept(entries(2, 2))), 'nothing thrown');
});

t.test('mqtt sink: thousands of acknowledgements are not more than were asked for', async (t) => {
  const { broker, sink } = await opened(t);
  const bridge = sink({ window: 256 });
  await bridge.accept(entries(1, 17_000));
  t.equal(broker.messages.length, 17_000);
  t.equal(broker.connections, 1);
});

t.test('mqtt sink: an entry at which the broker closes is told from one at which it happened to close', async (t) => {
  const { broker, sink } = await opened(t);
  const bridge = sink();
  broker.closesAt = ({ payload }) => decodeEvent(payload).entry.position === 3;
  const outcomes: string[] = [];
  for (let i = 0; i < 9 && outcomes.at(-1) !== 'sink.entry_refused'; i++)
    outcomes.push(await outcomeOfPromise(() => bridge.accept(entries(1, 5))));
  t.strictSame(outcomes, [...Array(6).fill('sink.lost'), 'sink.entry_refused']);
  const positions = () => broker.messages.map(({ payload }) => decodeEvent(payload).entry.position);
  t.ok(positions().filter((position) => position === 1).length <= 2, 'what was acknowledged is not sent again and again');
  t.equal(await outcomeOfPromise(() => bridge.accept(entries(3, 3))), 'sink.entry_refused', 'it is known, and not sent once more');
  await bridge.accept(entries(4, 5));
  broker.closesAt = () => false;
  await bridge.accept(entries(3, 3), { isReplay: true });
  t.equal(positions().at(-1), 3, 'until a person says so');
  broker.cut();
  const after: string[] = [];
  while (after.at(-1) !== 'nothing thrown') after.push(await outcomeOfPromise(() => bridge.accept(entries(6, 8))));
  t.ok(after.length <= 2, 'a break by chance costs one try');
});

t.test('mqtt sink: nobody there, the wrong key, the wrong account', async (t) => {
  const { broker, sink, directory } = await opened(t);
  t.equal(await outcomeOfPromise(() => sink({ port: 1 }).accept(entries(1, 1))), 'sink.not_reached');
  const pin = Buffer.from(pinOfKey(generateSigningKey())).toString('base64url');
  t.equal(await outcomeOfPromise(() => sink({ pin }).accept(entries(1, 1))), 'sink.not_trusted');
  const caPath = join(directory, 'ca.pem');
  writeFileSync(caPath, await makeCertificate(generateSigningKey(), 'other'));
  t.equal(await outcomeOfPromise(() => sink({ pin: undefined, caPath }).accept(entries(1, 1))), 'sink.not_trusted');
  t.strictSame(broker.accounts, [], 'none of them was told the password');
  broker.returnCode = 5;
  t.equal(await outcomeOfPromise(() => sink().accept(entries(1, 1))), 'sink.not_admitted');
  broker.returnCode = 3;
  t.equal(await outcomeOfPromise(() => sink().accept(entries(1, 1))), 'sink.unavailable');
  t.equal(
    outcomeOf(() => sink({ passwordPath: join(directory, 'nowhere') })),
    'config.invalid',
  );
  t.equal(
    outcomeOf(() => sink({ username: undefined })),
    'config.invalid',
  );
});

t.test('mqtt sink: two who ask at once share one connection, and a stop ends what waits', async (t) => {
  const { broker, sink, life } = await opened(t);
  const bridge = sink();
  await Promise.all([bridge.accept(entries(1, 2)), bridge.accept(entries(9, 9))]);
  t.equal(broker.accounts.length, 1);
  broker.mayAcknowledge = () => false;
  const waiting = outcomeOfPromise(() => bridge.accept(entries(3, 3)));
  await broker.until(4);
  life.abort();
  t.equal(await waiting, 'sink.lost');
});
