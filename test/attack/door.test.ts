/** Connections that are opened, and not to deliver anything: too many, too often, half-open, flapping, under another's name. */
import t from 'tap';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { AttackedGateway } from './attacked-gateway.ts';
import { eventually, pause } from './eventually.ts';
import { HonestKiosks } from './honest-kiosks.ts';
import * as mqtt from './packets.ts';
import { RawClient } from './raw-client.ts';

/** More than an address may open at once and in the time that a busy gateway takes to look at them. */
const CROWD = 800;

const gateway = await AttackedGateway.start(t.testdir());
const honest = await HonestKiosks.start(gateway);

t.test('connections: an address that opens them as fast as it can is held off, and others come in', async (t) => {
  const crowd = await Promise.all(Array.from({ length: CROWD }, () => RawClient.tcp(gateway.tlsPort, { localAddress: '127.0.0.70' })));
  await gateway.counted('admission.too_often');
  await eventually('all but 64 closed', () => crowd.filter(({ isClosed }) => !isClosed).length <= 64);
  const { door } = await gateway.state((state) => state.door.addresses.some(({ address }) => address === '127.0.0.70'));
  t.ok(door.addresses.length <= 16);
  const newcomer = await gateway.admit();
  const client = await newcomer.connect(gateway.tlsPort);
  t.ok(client.connected, 'a kiosk of another address');
  client.end(true);
  for (const one of crowd) one.end();
});

t.test('half-open connections: who says nothing, or says it a byte at a time, is closed; who waits longest goes first', async (t) => {
  const silentTcp = await RawClient.tcp(gateway.tcpPort, { localAddress: '127.0.0.71' });
  const silentTls = await RawClient.tls(gateway.tlsPort, { key: generateSigningKey() }, { localAddress: '127.0.0.71' });
  const noHandshake = await RawClient.tcp(gateway.tlsPort, { localAddress: '127.0.0.71' });
  const slow = await RawClient.tcp(gateway.tcpPort, { localAddress: '127.0.0.71' });
  const bytes = mqtt.connect('slow');
  for (let i = 0; !slow.isClosed && i < 300; i++) {
    slow.write(bytes.subarray(i % bytes.length, (i % bytes.length) + (i < bytes.length - 1 ? 1 : 0)));
    await pause(50);
  }
  await eventually('all closed', () => [silentTcp, silentTls, noHandshake, slow].every(({ isClosed }) => isClosed));
  t.ok((await gateway.counted('admission.silent', 3)) >= 3);
  await gateway.counted('admission.no_handshake');
  const first = await RawClient.tcp(gateway.tlsPort, { localAddress: '127.0.0.72' });
  const more = await Promise.all(Array.from({ length: 64 }, () => RawClient.tcp(gateway.tlsPort, { localAddress: '127.0.0.72' })));
  await first.closed;
  t.equal(more.filter(({ isClosed }) => isClosed).length, 0);
  await gateway.counted('admission.too_many_connections');
  for (const one of more) one.end();
});

t.test('a kiosk behind the same address as the attack comes in, and an admitted client that goes silent is closed', async (t) => {
  const crowd = await Promise.all(Array.from({ length: 64 }, () => RawClient.tcp(gateway.tlsPort, { localAddress: '127.0.0.73' })));
  const kiosk = await gateway.admit();
  const quiet = await RawClient.tls(gateway.tlsPort, { key: kiosk.signingKey }, { localAddress: '127.0.0.73' });
  t.equal(await quiet.connack(mqtt.connect(kiosk.kiosk, { keepAliveS: 1 })), 0);
  const before = await gateway.counted('admission.silent');
  await quiet.closed;
  await gateway.counted('admission.silent', before + 1);
  for (const one of crowd) one.end();
});

t.test('flapping and duplicate ids: whoever connects again and again is told to come later, and who is there stays', async (t) => {
  const kiosk = await gateway.admit();
  const codes: (number | undefined)[] = [];
  let last: RawClient | undefined;
  // As many as it takes: on a busy machine each takes its time, and one in two seconds is let in.
  while (!codes.includes(3) && codes.length < 200) {
    const client = await RawClient.tls(gateway.tlsPort, { key: kiosk.signingKey }, { localAddress: '127.0.0.74' });
    codes.push(await client.connack(mqtt.connect(kiosk.kiosk)));
    if (codes.at(-1) === 0) last = client;
  }
  const admitted = codes.filter((code) => code === 0).length;
  t.ok(admitted >= 20 && codes.includes(3), `${admitted} admitted, then told: later`);
  t.equal(last?.isClosed, false, 'the one that is there was not thrown out by those');
  await gateway.state(({ kiosks }) => (kiosks[kiosk.kiosk]?.takeovers ?? 0) >= 19);
  await gateway.state(({ refused }) => refused.some((one) => one.kiosk === kiosk.kiosk && one.code === 'admission.too_often'));
  last?.end();
});

t.test('a name alone throws nobody out: another key, another kiosk, an operator under a kiosk’s name', async (t) => {
  const victim = await gateway.admit();
  const other = await gateway.admit();
  const there = await RawClient.tls(gateway.tlsPort, { key: victim.signingKey });
  t.equal(await there.connack(mqtt.connect(victim.kiosk)), 0);
  for (const key of [generateSigningKey(), other.signingKey]) {
    const imposter = await RawClient.tls(gateway.tlsPort, { key });
    t.equal(await imposter.connack(mqtt.connect(victim.kiosk)), 5);
  }
  const nameless = await RawClient.tls(gateway.tlsPort, undefined);
  t.equal(await nameless.connack(mqtt.connect(victim.kiosk)), 5);
  const operator = await RawClient.tcp(gateway.tcpPort);
  t.equal(await operator.connack(mqtt.connect(victim.kiosk, { account: 'operator', secret: gateway.secret })), 4);
  t.equal(there.isClosed, false);
  for (const code of ['admission.wrong_key', 'admission.no_certificate', 'admission.wrong_account']) await gateway.counted(code);
  there.end();
});

t.test('guesses at the operators’ account: refused, never many at a time, and neither kiosks nor operators wait for them', async (t) => {
  const guesses = await Promise.all(Array.from({ length: 40 }, () => RawClient.tcp(gateway.tcpPort, { localAddress: '127.0.0.75' })));
  const before = honest.acknowledged;
  const codes = await Promise.all(
    guesses.map((guess, i) => guess.connack(mqtt.connect(`guess-${i}`, { account: 'operator', secret: `guess ${i}` }))),
  );
  const told = (code: number): number => codes.filter((other) => other === code).length;
  t.ok(told(4) >= 8 && told(4) + told(3) === 40, `${told(4)} wrong, ${told(3)} told to come later`);
  t.ok(honest.acknowledged > before);
  const operator = await gateway.operator();
  t.ok(operator.connected);
});

t.test('after all that: no crash, no honest kiosk harmed, none of their rows lost or taken twice, the log not flooded', async (t) => {
  await honest.areUnharmed(t);
  const { logLines } = await gateway.tell();
  t.ok(gateway.isWatched, 'the operator who watches, too');
  const lines = Object.values(logLines).reduce((sum, count) => sum + count, 0);
  t.ok(lines < 200, `${lines} lines: ${JSON.stringify(logLines)}`);
  await gateway.stop();
});
