/** The kiosks' door for HTTP under attack: codes that many come with, answers that are lost, requests that are none, and who only holds on. */
import t from 'tap';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { ENROL_PATH, formatEnrolRequest } from '../../protocol/enrol.ts';
import type { VenueId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { Candidate, enrolmentCodeOf, giveCode, giveCodeInPlaceOf } from '../support/enrolling.ts';
import { AttackedGateway } from './attacked-gateway.ts';
import { pause } from './eventually.ts';
import { HonestKiosks } from './honest-kiosks.ts';
import { RawClient } from './raw-client.ts';

/** An exchange may take 15 s (gateway/enrol/api.ts); more for a machine that is busy. */
const LONGEST_HELD_MS = 40_000;
const CROWD = 30;

const gateway = await AttackedGateway.start(t.testdir());
const honest = await HonestKiosks.start(gateway);
const key = generateSigningKey();
let addresses = 0;
/** Each from an address of its own: none is refused for what another did. */
const knock = (own = key): Promise<RawClient> =>
  RawClient.tls(gateway.tlsPort, { key: own, alpn: 'http/1.1' }, { localAddress: `127.0.3.${1 + (addresses++ % 250)}` });
const post = (path: string, body: string, more = '', length: string | number = Buffer.byteLength(body)): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${length}\r\n\r\n${body}`;
const newCode = async () =>
  enrolmentCodeOf(await giveCode(gateway.directory, { venue: gateway.venue as VenueId, direction: 'in' }, systemClock.wall()));

t.test('codes: of many that come with one and hear no answer, it is one’s, and that one’s for good', async (t) => {
  const code = await newCode();
  const crowd = Array.from({ length: CROWD }, () => new Candidate());
  const lost = await Promise.all(crowd.map(({ privateKey }) => knock(privateKey)));
  for (const [at, client] of lost.entries()) {
    const { kiosk = '' } = crowd[at] ?? {};
    client.write(Buffer.from(post(ENROL_PATH, formatEnrolRequest({ secret: code.secret, kiosk: kiosk as Candidate['kiosk'] }))));
    // Half of them are gone before it is read.
    if (at % 2 === 0) client.end();
  }
  await Promise.all(lost.filter((_, at) => at % 2 === 1).map(({ closed }) => closed));
  for (let round = 0; round < 2; round++) {
    const outcomes = await Promise.allSettled(crowd.map((candidate) => candidate.enrol(code)));
    const codes = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'papers' : String(outcome.reason.code)));
    t.strictSame(
      codes.filter((one) => one !== 'enrol.used'),
      ['papers'],
      'one has papers, the others are told why not',
    );
  }
});

t.test('swap: whoever is replaced has no papers from then on, however it asks while it happens', async (t) => {
  const old = new Candidate();
  await old.enrol(await newCode());
  const code = enrolmentCodeOf(await giveCodeInPlaceOf(gateway.directory, old.kiosk, systemClock.wall()));
  const [, ...asked] = await Promise.allSettled([
    new Candidate().enrol(code),
    ...Array.from({ length: 10 }, () => old.renew(code)),
    old.enrol(code),
  ]);
  for (const outcome of asked) if (outcome.status === 'rejected') t.match(outcome.reason, { code: /^(?:admission\.revoked|enrol\.used)$/ });
  const isOlds = asked.at(-1)?.status === 'fulfilled';
  if (isOlds) t.equal((await old.renew(code)).kiosk, old.kiosk, 'it was first with the code, and stays where it is');
  else await t.rejects(old.renew(code), { code: 'admission.revoked' });
});

t.test('requests that are none of ours: refused by a code or not answered, and not held on to', async (t) => {
  const release = `/1/release/${'ab'.repeat(32)}`;
  const ranges = ['bytes=0-', 'bytes=-5', 'bytes=0-1,2-3', 'bytes=5-1', 'bytes=0-262144', 'bytes=9007199254740993-9007199254740994'];
  const paths = [
    `${release}/..`,
    '/1/release/../../keys/ca.key',
    release.toUpperCase(),
    `${release}%00`,
    '/1/renew?x',
    '//1/renew',
    '/1/%72enew',
  ];
  const requests = [
    ...['-2', '+2', '0x2', '2, 2', '1e3', '99999999999999999999999'].map((length) => post('/1/renew', '{}', '', length)),
    ...[
      'Expect: what nobody knows',
      'Connection: Upgrade\r\nUpgrade: websocket',
      'Content-Length: 2',
      ' folded: x',
      'Transfer-Encoding: x',
    ].map((header) => post('/1/renew', '{}', `${header}\r\n`)),
    ...ranges.map((range) => `GET ${release} HTTP/1.1\r\nHost: x\r\nRange: ${range}\r\n\r\n`),
    ...paths.flatMap((path) => [post(path, '{}'), `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`]),
    ...['{"__proto__":{"secret":"x"}}', '['.repeat(1_000), `{"secret":${'1'.repeat(500)}}`, '"\\ud800"'].map((body) =>
      post(ENROL_PATH, body),
    ),
    ...['/1/place', '/1/leave', '/1/holder/ask', '/1/holder/challenge', '/1/renew'].map((path) => post(path, '{}')),
    ...['CONNECT x:443 HTTP/1.1', 'OPTIONS * HTTP/1.1', 'PRI * HTTP/2.0', 'GET /\0 HTTP/1.1'].map((line) => `${line}\r\nHost: x\r\n\r\n`),
  ];
  for (const request of requests) {
    const client = await knock();
    client.write(Buffer.from(request, 'latin1'));
    await client.closed;
    const answer = client.received.toString('latin1');
    t.match(answer, /^(?:$|HTTP\/1\.1 4\d\d .*\r\n\r\n\{"code":"[a-z_.]+"\}$)/s, `${request.split('\r\n')[0]}: ${answer.slice(0, 40)}`);
  }
});

t.test('who only holds on, in a header, a body or a second request, is let go of in its time', async (t) => {
  const fromMs = systemClock.monotonic();
  const held = ['', 'POST /1/renew HTTP/1.1\r\nHost: x\r\nX: ', post('/1/renew', '{', '', 900), '\r\n\r\n', 'GET /1/release'];
  const clients = await Promise.all(held.map(() => knock()));
  for (const [at, client] of clients.entries()) client.write(Buffer.from(held[at] ?? ''));
  while (clients.some(({ isClosed }) => !isClosed) && systemClock.monotonic() - fromMs < LONGEST_HELD_MS) {
    await pause(200);
    for (const client of clients.slice(1)) client.write(Buffer.from(' '));
  }
  t.strictSame(
    clients.map(({ isClosed }) => isClosed),
    held.map(() => true),
  );
});

t.test('after all that: no crash, no honest kiosk harmed, none of their rows lost or taken twice', async (t) => {
  await honest.areUnharmed(t);
  await gateway.stop();
});
