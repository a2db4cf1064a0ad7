import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { CERTIFICATE_DAYS, retireAuthority } from '../../gateway/authority.ts';
import { makeCertificate } from '../../protocol/certificate.ts';
import type { EnrolmentCode } from '../../protocol/code.ts';
import { generateSigningKey, publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { formatTimeRequest, parseTimeAnswer, RENEW_PATH, TIME_PATH } from '../../protocol/enrol.ts';
import { openTime } from '../../protocol/signed-time.ts';
import { Candidate, DAY_MS, enrolmentCodeOf, giveCode, giveCodeInPlaceOf, HOUR_MS } from '../support/enrolling.ts';
import { bytesSecret, searchBytes, searchTree, textSecret } from '../support/leak-search.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const NOT_AUTHORISED = { code: 5 };

const codeFrom = async ({ directory, venue, clock }: TestGateway, lifeMs = HOUR_MS): Promise<EnrolmentCode> =>
  enrolmentCodeOf(await giveCode(directory, { venue, direction: 'in' }, clock.wall(), lifeMs));

/** A kiosk that has enrolled, and what it asks the API with. */
async function enrolled(gateway: TestGateway) {
  const kiosk = new TestKiosk(gateway.running.trust, gateway.clock);
  const candidate = new Candidate(kiosk.kiosk, kiosk.signingKey);
  const code = await codeFrom(gateway);
  const papers = await candidate.enrol(code);
  candidate.certificatePem = papers.certificatePem;
  return { kiosk, candidate, code, papers };
}

async function online(t: Test, { kiosk, candidate }: Awaited<ReturnType<typeof enrolled>>, gateway: TestGateway) {
  const client = await kiosk.connect(gateway.running.tlsPort, { cert: candidate.certificatePem } as never);
  t.teardown(() => client.end(true));
  return client;
}

t.test('enrolment: a code makes a kiosk of the first key that comes with it, and is of no use to any other', async (t) => {
  const gateway = await startTestGateway(t);
  const code = await codeFrom(gateway);
  const [first, second] = [new Candidate(), new Candidate()];
  const papers = await first.enrol(code);
  t.match(papers, { kiosk: first.kiosk, role: 'kiosk', posting: { venue: gateway.venue, direction: 'in' } });
  t.strictSame(papers.trust, gateway.running.trust);
  await t.rejects(second.enrol(code), { code: 'enrol.used' });
  await t.rejects(first.enrol(code, second.kiosk), { code: 'enrol.used' }, 'nor for the same key under another name');
  t.match(gateway.registry.kiosk(first.kiosk), { publicKey: first.publicKey, revokedAtMs: undefined });
  t.equal(gateway.registry.kiosk(second.kiosk), undefined);
});

t.test('enrolment: of fifty that come with one code at one moment, one becomes a kiosk', async (t) => {
  const gateway = await startTestGateway(t);
  const code = await codeFrom(gateway);
  const crowd = Array.from({ length: 50 }, () => new Candidate());
  const outcomes = await Promise.allSettled(crowd.map((candidate) => candidate.enrol(code)));
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  t.equal([...gateway.registry.kiosks()].length, 1);
});

t.test('enrolment: the same key and code get the same papers again, also when the code has expired since', async (t) => {
  const gateway = await startTestGateway(t);
  const { candidate, code, papers } = await enrolled(gateway);
  t.strictSame(await candidate.enrol(code), papers);
  gateway.clock.stepWall(DAY_MS);
  t.strictSame(await candidate.enrol(code), papers);
  const [one, two] = await Promise.all([candidate.enrol(code), candidate.enrol(code)]);
  t.strictSame(one, two);
});

t.test('enrolment: a request that comes again puts nothing back that an operator changed since', async (t) => {
  const gateway = await startTestGateway(t);
  const { candidate, code } = await enrolled(gateway);
  gateway.registry.revoke(candidate.kiosk, gateway.clock.wall());
  await t.rejects(candidate.enrol(code), { code: 'admission.revoked' });
  await t.rejects(candidate.renew(code), { code: 'admission.revoked' });
  await t.rejects(candidate.enrol(await codeFrom(gateway)), { code: 'admission.revoked' }, 'nor with a new code: its key may be a thief’s');
});

t.test('enrolment: a code that is unknown, expired or withdrawn is refused by its name, and a refusal uses up no code', async (t) => {
  const gateway = await startTestGateway(t);
  const candidate = new Candidate();
  const code = await codeFrom(gateway);
  await t.rejects(candidate.enrol({ ...code, secret: new Uint8Array(16) }), { code: 'enrol.unknown' });
  const short = await codeFrom(gateway, 60_000);
  gateway.clock.stepWall(60_000);
  await t.rejects(candidate.enrol(short), { code: 'enrol.expired' });
  const taken = await enrolled(gateway);
  await t.rejects(candidate.enrol(code, taken.candidate.kiosk), { code: 'admission.wrong_key' }, 'another kiosk’s name');
  await t.rejects(taken.candidate.enrol(code, candidate.kiosk), { code: 'admission.wrong_key' }, 'another name for a known key');
  t.equal((await candidate.enrol(code)).kiosk, candidate.kiosk, 'the code is still good');
});

t.test('enrolment: codes that nobody can use any more are forgotten while the gateway runs', async (t) => {
  const gateway = await startTestGateway(t);
  const code = await codeFrom(gateway);
  await t.rejects(new Candidate().enrol({ ...code, secret: new Uint8Array(16) }), { code: 'enrol.unknown' });
  gateway.clock.stepWall(61 * DAY_MS);
  await t.rejects(new Candidate().enrol(code), { code: 'enrol.expired' }, 'two months later it is still known');
  await gateway.clock.leap(HOUR_MS);
  await t.rejects(new Candidate().enrol(code), { code: 'enrol.unknown' });
});

t.test('enrolment: a gateway with another key is told nothing', async (t) => {
  const gateway = await startTestGateway(t);
  const code = await codeFrom(gateway);
  const candidate = new Candidate();
  await t.rejects(candidate.enrol({ ...code, gatewayKeyHash: new Uint8Array(16) }), { code: 'link.pin' });
  t.equal((await candidate.enrol(code)).kiosk, candidate.kiosk);
});

t.test('enrolment: a kiosk that enrols again with another code moves to that door', async (t) => {
  const gateway = await startTestGateway(t);
  const { candidate } = await enrolled(gateway);
  const before = gateway.registry.kiosk(candidate.kiosk)?.placement.entrance;
  const { posting } = await candidate.enrol(await codeFrom(gateway));
  t.not(posting.entrance, before);
  t.equal(gateway.registry.kiosk(candidate.kiosk)?.placement.entrance, posting.entrance);
});

t.test('certificates: an enrolled kiosk must show its own, of this authority, and not ended', async (t) => {
  const gateway = await startTestGateway(t);
  const one = await enrolled(gateway);
  const client = await online(t, one, gateway);
  t.ok(client.connected);
  client.end(true);
  const port = gateway.running.tlsPort;
  await t.rejects(one.kiosk.connect(port), NOT_AUTHORISED, 'the same key in a certificate of its own');
  const other = await enrolled(gateway);
  const cert = await makeCertificate(one.kiosk.signingKey, other.kiosk.kiosk);
  await t.rejects(one.kiosk.connect(port, { cert } as never), NOT_AUTHORISED);
  gateway.clock.stepWall(CERTIFICATE_DAYS * DAY_MS);
  await t.rejects(one.kiosk.connect(port, { cert: one.papers.certificatePem } as never), NOT_AUTHORISED, 'one that has ended');
});

t.test('certificates: one that has ended may be renewed, and with the new one its kiosk is let in', async (t) => {
  const gateway = await startTestGateway(t);
  const one = await enrolled(gateway);
  gateway.clock.stepWall(3 * 365 * DAY_MS);
  const renewed = await one.candidate.renew(one.code);
  t.not(renewed.certificatePem, one.papers.certificatePem);
  one.candidate.certificatePem = renewed.certificatePem;
  t.ok((await online(t, one, gateway)).connected);
});

t.test('certificates: the same one until two thirds of its time are over, then another, once', async (t) => {
  const gateway = await startTestGateway(t);
  const { candidate, code, papers } = await enrolled(gateway);
  gateway.clock.stepWall(59 * DAY_MS);
  t.equal((await candidate.renew(code)).certificatePem, papers.certificatePem);
  gateway.clock.stepWall(2 * DAY_MS);
  const [one, two] = await Promise.all([candidate.renew(code), candidate.renew(code)]);
  t.not(one.certificatePem, papers.certificatePem);
  t.equal(one.certificatePem, two.certificatePem);
  t.equal((await candidate.renew(code)).certificatePem, one.certificatePem, 'a lost reply does no harm');
});

t.test('certificates: a gateway whose clock was wrong for a while mends what it issued', async (t) => {
  const gateway = await startTestGateway(t);
  gateway.clock.stepWall(20 * 365 * DAY_MS);
  const { candidate, code, papers } = await enrolled(gateway);
  gateway.clock.stepWall(-20 * 365 * DAY_MS);
  t.not((await candidate.renew(code)).certificatePem, papers.certificatePem);
});

t.test('certificates: a kiosk admitted by its key alone needs none, and may ask for one', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  t.ok((await kiosk.connect(gateway.running.tlsPort).then((client) => client.end(true))) !== undefined);
  const candidate = new Candidate(kiosk.kiosk, kiosk.signingKey);
  const { certificatePem } = await candidate.renew(await codeFrom(gateway));
  await t.rejects(kiosk.connect(gateway.running.tlsPort), NOT_AUTHORISED, 'from then on it has to show it');
  const client = await kiosk.connect(gateway.running.tlsPort, { cert: certificatePem } as never);
  t.teardown(() => client.end(true));
  await t.rejects(new Candidate().renew(await codeFrom(gateway)), { code: 'admission.unknown_kiosk' });
});

t.test('certificates: a session ends with the certificate it began with', async (t) => {
  const gateway = await startTestGateway(t);
  const one = await enrolled(gateway);
  const client = await online(t, one, gateway);
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  gateway.clock.stepWall(CERTIFICATE_DAYS * DAY_MS);
  await gateway.clock.advance(100);
  await closed;
});

t.test('revocation: a live session is cut within a tenth of a second, and the kiosk may not come back', async (t) => {
  const gateway = await startTestGateway(t);
  const one = await enrolled(gateway);
  const client = await online(t, one, gateway);
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  gateway.registry.revoke(one.kiosk.kiosk, gateway.clock.wall());
  await gateway.clock.advance(100);
  await closed;
  const cert = one.candidate.certificatePem;
  await t.rejects(one.kiosk.connect(gateway.running.tlsPort, { cert } as never), NOT_AUTHORISED);
  await t.rejects(one.candidate.renew(one.code), { code: 'admission.revoked' });
});

t.test('swap: the new kiosk keeps the entrance, and the old one is revoked when it comes, not before', async (t) => {
  const gateway = await startTestGateway(t);
  const old = await enrolled(gateway);
  const client = await online(t, old, gateway);
  const code = enrolmentCodeOf(await giveCodeInPlaceOf(gateway.directory, old.kiosk.kiosk, gateway.clock.wall()));
  t.equal(gateway.registry.kiosk(old.kiosk.kiosk)?.revokedAtMs, undefined);
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  const fresh = new Candidate();
  const papers = await fresh.enrol(code);
  t.strictSame(papers.posting, old.papers.posting);
  t.ok(gateway.registry.kiosk(old.kiosk.kiosk)?.revokedAtMs !== undefined);
  await gateway.clock.advance(100);
  await closed;
});

t.test('rotation: with another authority kiosks are refused once, renew by their key, and are let in', async (t) => {
  const gateway = await startTestGateway(t);
  const one = await enrolled(gateway);
  await gateway.stop();
  retireAuthority(join(gateway.directory, 'keys'));
  const again = await startTestGateway(t, { after: gateway });
  const moved = { ...one.code, port: again.running.tlsPort };
  await t.rejects(one.kiosk.connect(again.running.tlsPort, { cert: one.papers.certificatePem } as never), NOT_AUTHORISED);
  const { certificatePem } = await one.candidate.renew(moved);
  one.candidate.certificatePem = certificatePem;
  t.ok((await online(t, one, again)).connected);
});

t.test('time: signed for the one who asks, admitted or not', async (t) => {
  const gateway = await startTestGateway(t);
  const code = await codeFrom(gateway);
  const nonce = new Uint8Array(16).fill(7);
  const signed = parseTimeAnswer(await new Candidate().ask(TIME_PATH, formatTimeRequest(nonce), code));
  const { deployment, receiptKey } = gateway.running.trust;
  const publicKey = publicKeyFromRaw(receiptKey);
  t.equal(openTime(signed, { nonce, deployment, publicKey }), gateway.clock.wall());
  t.throws(() => openTime(signed, { nonce: new Uint8Array(16), deployment, publicKey }), { code: 'seal.signature' });
});

/** One request as bytes, and all that comes back until the gateway closes. */
function talk(port: number, text: string, own?: { key: string; cert: string }): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'], ...own }, () =>
      socket.write(text),
    );
    socket.on('data', (chunk) => {
      heard += String(chunk);
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

t.test('kiosk API: what is no request of ours is refused, and the gateway goes on', async (t) => {
  const gateway = await startTestGateway(t);
  const port = gateway.running.tlsPort;
  const key = generateSigningKey();
  const own = { key: key.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: await makeCertificate(key, 'x') };
  const post = (path: string, body: string, more = '') =>
    talk(port, `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`, own);
  const statusOf = (answer: string) => /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
  t.equal(statusOf(await post('/1/enrol', '{')), '400');
  t.equal(statusOf(await post('/1/enrol', '[]')), '400');
  t.equal(statusOf(await post('/1/enrol', '{"secret":"AAAA","kiosk":"x"}')), '400');
  for (const body of ['', '{', '[]', 'null', '"x"']) t.match(await post(RENEW_PATH, body), /400.*decode\.malformed/s, `renew: ${body}`);
  t.match(await post(RENEW_PATH, '{"more":1}'), /403.*admission\.unknown_kiosk/s, 'a key that is not known is passed over');
  t.match(await post(RENEW_PATH, `{${' '.repeat(1_022)}}`), /403/, '1,024 bytes');
  t.match(await post(RENEW_PATH, `{${' '.repeat(1_023)}}`), /413.*decode\.overlong/s);
  t.match(await post('/1/enrol', 'x'.repeat(5_000)), /413.*decode\.overlong/s);
  t.match(await post('/2/enrol', '{}'), /404.*decode\.unsupported/s);
  t.match(await talk(port, 'GET /1/renew HTTP/1.1\r\nHost: x\r\n\r\n', own), /405.*allow: POST.*decode\.unsupported/s);
  t.match(await talk(port, 'POST /1/renew HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}', own), /400.*decode\.malformed/s, 'no Host');
  t.match(await talk(port, 'POST /1/renew HTTP/1.1\r\nHost: x\r\n\r\n', own), /411.*decode\.malformed/s, 'no length');
  const chunked = 'POST /1/renew HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n';
  t.match(await talk(port, chunked, own), /411.*decode\.malformed/s);
  t.match(await talk(port, `POST ${RENEW_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`), /401.*admission\.no_certificate/s);
  t.equal(await talk(port, 'nonsense\r\n\r\n', own), '');
  t.equal(await talk(port, `GET / HTTP/1.1\r\nX: ${'y'.repeat(10_000)}\r\n\r\n`, own), '');
  t.equal((await new Candidate().enrol(await codeFrom(gateway))).posting.venue, gateway.venue);
});

t.test('privacy: no secret of a code is in a log line or a file, nor a key', async (t) => {
  const gateway = await startTestGateway(t);
  const given = await giveCode(gateway.directory, { venue: gateway.venue }, gateway.clock.wall());
  const code = enrolmentCodeOf(given);
  const candidate = new Candidate();
  await candidate.enrol(code);
  await new Candidate().enrol(code).catch(() => {});
  await until(() => gateway.log.of('kiosk.enrolled').length > 0);
  const secrets = [textSecret('code', given.text), bytesSecret('secret', code.secret), bytesSecret('public key', candidate.publicKey)];
  const isKeyFile = (path: string) => path.startsWith('keys');
  t.strictSame(searchTree(gateway.directory, secrets, isKeyFile), []);
  t.strictSame(searchBytes('log', Buffer.from(gateway.log.text), secrets), []);
  t.equal(searchBytes('planted', Buffer.from(`x ${given.text} y`), secrets).length, 1, 'what is looked for can be found');
  t.notMatch(readFileSync(join(gateway.directory, 'enrolment.db'), 'latin1'), gateway.venue, 'the book is encrypted');
});

t.test('kiosk API: a gateway that stops while it is asked ends in order', async (t) => {
  const gateway = await startTestGateway(t);
  const code = await codeFrom(gateway);
  const asking = Array.from({ length: 20 }, () => new Candidate().enrol(code).catch(() => {}));
  await until(() => gateway.log.of('kiosk.enrolled').length > 0);
  await gateway.stop();
  await Promise.all(asking);
  t.equal(gateway.log.of('certificate.issued').length, 1, 'what was begun is done before the stores are closed');
});
