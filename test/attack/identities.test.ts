/** Identities that are forged, replayed, expired or revoked. */
import type { KeyObject } from 'node:crypto';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { issueCertificate, makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { Candidate, DAY_MS, enrolmentCodeOf, giveCode } from '../support/enrolling.ts';
import { checkIn, TestKiosk } from '../support/test-kiosk.ts';
import { AttackedGateway } from './attacked-gateway.ts';
import { eventually } from './eventually.ts';
import { HonestKiosks } from './honest-kiosks.ts';
import * as mqtt from './packets.ts';
import { RawClient } from './raw-client.ts';

const NOT_AUTHORISED = 5;

const gateway = await AttackedGateway.start(t.testdir());
const honest = await HonestKiosks.start(gateway);
const { deployment } = gateway.trust;
let steppedMs = 0;

/** A kiosk that enrolled by a code, as `vestibule enrol` gives it. */
async function enrolled() {
  const kiosk = new TestKiosk(gateway.trust, systemClock);
  const candidate = new Candidate(kiosk.kiosk, kiosk.signingKey);
  const code = enrolmentCodeOf(
    await giveCode(gateway.directory, { venue: gateway.venue as VenueId, direction: 'in' }, systemClock.wall() + steppedMs),
  );
  const papers = await candidate.enrol(code);
  candidate.certificatePem = papers.certificatePem;
  return { kiosk, candidate, code, cert: papers.certificatePem };
}

const knock = async (clientId: string, key: KeyObject, cert?: string): Promise<{ client: RawClient; code: number | undefined }> => {
  const client = await RawClient.tls(gateway.tlsPort, { key, ...(cert === undefined ? {} : { cert }) }, { localAddress: '127.0.0.100' });
  return { client, code: client.isClosed ? undefined : await client.connack(mqtt.connect(clientId)) };
};

t.test('forged: certificates by oneself, by another authority, of another deployment, with another’s name or key', async (t) => {
  const { kiosk, cert } = await enrolled();
  const key = kiosk.signingKey;
  const ownCa = generateSigningKey();
  const ca = { privateKey: ownCa, certificatePem: await makeCertificate(ownCa, `vestibule-ca ${deployment}`) };
  const now = systemClock.wall();
  const forge = (publicKey: Uint8Array, commonName: string, organisation: string = deployment) =>
    issueCertificate(
      {
        publicKey,
        subject: { commonName, unit: 'kiosk', organisation },
        notBeforeMs: now,
        notAfterMs: (now + DAY_MS) as EpochMillis,
        use: { kind: 'client' },
      },
      ca,
    );
  const thief = generateSigningKey();
  const attempts: [string, KeyObject, string][] = [
    ['by itself, with the kiosk’s own key', key, await makeCertificate(key, kiosk.kiosk)],
    ['by another authority of the same name, with the kiosk’s own key', key, await forge(kiosk.publicKey, kiosk.kiosk)],
    ['of another deployment', key, await forge(kiosk.publicKey, kiosk.kiosk, newPlaceId<KioskId>())],
    ['the name, with a thief’s key', thief, await forge(rawPublicKey(thief), kiosk.kiosk)],
    ['the name, by the thief itself', thief, await makeCertificate(thief, kiosk.kiosk)],
  ];
  for (const [what, privateKey, pem] of attempts) {
    const { client, code } = await knock(kiosk.kiosk, privateKey, pem);
    t.equal(code, NOT_AUTHORISED, what);
    client.end();
  }
  // Another's certificate without its key does not come through the handshake.
  t.throws(() => connectTls({ port: gateway.tlsPort, cert, key: thief.export({ type: 'pkcs8', format: 'pem' }).toString() }));
  await gateway.counted('admission.uncertified', 3);
  await gateway.counted('admission.wrong_key', 2);
  const right = await knock(kiosk.kiosk, key, cert);
  t.equal(right.code, 0, 'the kiosk itself');
  right.client.end();
});

t.test('replayed: a batch of one kiosk sent by another, by itself again, and on another topic', async (t) => {
  const victim = await gateway.admit();
  const thief = await gateway.admit();
  const start = await victim.start();
  const batch = start.batch([start.seal(checkIn())]);
  const own = await knock(victim.kiosk, victim.signingKey);
  const replay = await knock(thief.kiosk, thief.signingKey);
  const { client } = replay;
  for (const [sender, topic] of [
    [own.client, victim.batchTopic],
    [own.client, victim.batchTopic],
    [client, thief.batchTopic],
  ] as const) {
    const answers = mqtt.parse(sender.received).length;
    sender.write(mqtt.publish(topic, batch, 9));
    await eventually('its PUBACK', () => mqtt.parse(sender.received).length > answers);
  }
  const state = await gateway.state(({ kiosks }) => kiosks[thief.kiosk]?.quarantine.items === 1);
  t.strictSame(state.kiosks[thief.kiosk]?.quarantine.reasons, { 'seal.signature': 1 });
  client.write(mqtt.publish(victim.batchTopic, batch, 10));
  await client.closed;
  const { rows } = await gateway.tell();
  t.equal(rows[thief.kiosk], undefined);
  own.client.end();
});

t.test('revoked: its session ends at once, and neither a new one nor a resumed one nor a renewal is given', async (t) => {
  const { kiosk, candidate, code, cert } = await enrolled();
  const ticket = Promise.withResolvers<Buffer>();
  const key = kiosk.signingKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const first = connectTls({ host: '127.0.0.1', port: gateway.tlsPort, rejectUnauthorized: false, key, cert });
  first.once('session', ticket.resolve);
  const session = await ticket.promise;
  first.destroy();
  const { client } = await knock(kiosk.kiosk, kiosk.signingKey, cert);
  const fromMs = performance.now();
  await gateway.revoke(kiosk);
  await client.closed;
  t.ok(performance.now() - fromMs < 2_000, 'the live session');
  const resumed = new RawClient(connectTls({ host: '127.0.0.1', port: gateway.tlsPort, rejectUnauthorized: false, key, cert, session }));
  t.equal(await resumed.connack(mqtt.connect(kiosk.kiosk)), NOT_AUTHORISED);
  const again = await knock(kiosk.kiosk, kiosk.signingKey, cert);
  t.equal(again.code, NOT_AUTHORISED);
  await t.rejects(candidate.renew(code), { code: 'admission.revoked' });
  await gateway.counted('admission.revoked', 2);
  for (const one of [resumed, again.client]) one.end();
});

t.test('codes: one that is used, guessed or malformed makes no kiosk', async (t) => {
  const { code } = await enrolled();
  await t.rejects(new Candidate().enrol(code), { code: 'enrol.used' });
  for (let i = 0; i < 20; i++)
    await t.rejects(new Candidate().enrol({ ...code, secret: new Uint8Array(16).fill(i) }), { code: 'enrol.unknown' });
  await gateway.counted('enrol.unknown', 20);
});

t.test('HTTP on the kiosks’ port: garbage, endless headers and endless bodies end there', async (t) => {
  const own = { key: generateSigningKey(), alpn: 'http/1.1' };
  for (const bytes of [
    'nonsense\r\n\r\n',
    `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(5_000)}\r\n`,
    `POST /1/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n${'x'.repeat(100_000)}`,
    'POST /1/enrol HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\nPOST /1/renew HTTP/1.1\r\n\r\n',
    'POST /../keys/ca.key HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n',
  ]) {
    const client = await RawClient.tls(gateway.tlsPort, own, { localAddress: '127.0.0.101' });
    const answer = await client.ask(Buffer.from(bytes));
    t.ok(client.isClosed || /^HTTP\/1\.1 4\d\d /.test(answer.toString()), `${answer.toString().slice(0, 15)} to ${bytes.slice(0, 20)}`);
    t.notMatch(answer.toString(), /PRIVATE KEY/);
    client.end();
  }
});

t.test('expired: the session ends, no other is given, and all that is left is to renew', async (t) => {
  const { kiosk, candidate, code, cert } = await enrolled();
  const { client } = await knock(kiosk.kiosk, kiosk.signingKey, cert);
  steppedMs = 91 * DAY_MS;
  await gateway.step(steppedMs);
  await client.closed;
  const late = await knock(kiosk.kiosk, kiosk.signingKey, cert);
  t.equal(late.code, NOT_AUTHORISED);
  await gateway.counted('admission.expired');
  late.client.end();
  const papers = await candidate.renew(code);
  const renewed = await knock(kiosk.kiosk, kiosk.signingKey, papers.certificatePem);
  t.equal(renewed.code, 0);
  renewed.client.end();
});

t.test('after all that: no crash, no honest kiosk harmed, none of their rows lost or taken twice', async (t) => {
  await honest.areUnharmed(t);
  await gateway.stop();
});
