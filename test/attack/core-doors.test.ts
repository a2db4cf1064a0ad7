/** A served core's REST listener, attacked by strangers and by people who are let in: what it answers, writes down, and never writes anywhere. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import t from 'tap';
import { encodeCode } from '../../protocol/code.ts';
import { decodeChallenge, encodeProof, signProof } from '../../protocol/holder.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { systemClock } from '../../protocol/time.ts';
import { deriveVisitor, uuidOfPublicKey } from '../../protocol/visitor.ts';
import { bytesSecret, searchBytes, searchTree, textSecret } from '../support/leak-search.ts';
import { AttackedCore } from './attacked-core.ts';
import { RawClient } from './raw-client.ts';

const card = uuidOfPublicKey(randomBytes(32));
const uuid = Buffer.from(card).toString('hex');
const core = await AttackedCore.start(t);
const officer = await core.person('health-officer', ['north']);
const head = (path: string, token = officer): string =>
  `POST ${path} HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer ${token}\r\nVestibule-Purpose: contact-tracing\r\n`;
const post = (body: string | Buffer, type = 'application/json', path = '/core/1/overlaps'): Promise<string> =>
  core.raw(`${head(path)}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

t.test('core paths: only the one way to write a path leads anywhere, and no refusal says it again', async (t) => {
  const token = await core.person('administrator');
  const asked = { token, purpose: 'operation' };
  t.equal((await core.ask({ path: '/core/1/status', ...asked })).status, 200);
  const other = [
    '//core/1/status',
    '/core/1/status/',
    '/CORE/1/status',
    '/core/1/../1/status',
    '/core/./1/status',
    '/core/1/status;a',
    '/core/1/status%00',
  ];
  for (const path of other) t.equal((await core.ask({ path, ...asked })).status, 404, path);
  for (const method of ['HEAD', 'OPTIONS', 'TRACE', 'PATCH', 'DELETE', 'PUT'])
    t.equal((await core.ask({ path: '/core/1/status', method, ...asked })).status, 404, method);
  for (const header of ['x-http-method-override', 'x-method-override', 'x-original-url', 'x-rewrite-url'])
    t.equal((await core.ask({ path: '/core/1/status', headers: { [header]: 'POST' }, ...asked })).status, 200, 'what it says it is');
  for (const path of [`/core/1/cases/${uuid}/%ff/exposures`, `/core/1/${uuid}%`, `/core/1/cases/${uuid.repeat(4)}/exposures`]) {
    const answer = await core.raw(`GET ${path} HTTP/1.1\r\nHost: core\r\n\r\n`);
    t.equal(statusOf(answer), 400, path);
    t.notMatch(answer, uuid);
    t.match(answer, /connection: close/i, 'nobody tries a thousand of them at one handshake');
  }
});

t.test('core messages: what is two messages to some and one to others is none here', async (t) => {
  const smuggled = await core.raw(`${head('/core/1/overlaps')}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /`);
  t.equal(statusOf(smuggled), 400);
  t.equal(statusOf(await core.raw('GET /core/1/status HTTP/1.1\r\n\r\n')), 400, 'without a host');
  t.equal(statusOf(await core.raw(`GET /healthz HTTP/1.1\r\nHost: core\r\n${'X-A: b\r\n'.repeat(3_000)}\r\n`)), 431);
  t.equal(await core.raw('CONNECT elsewhere:443 HTTP/1.1\r\nHost: core\r\n\r\n'), '');
  const stranger = await core.raw(
    'POST /core/1/overlaps HTTP/1.1\r\nHost: core\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  );
  t.equal(statusOf(stranger), 401);
  t.match(stranger, /connection: close/i, 'whoever is refused is not listened to for longer');
});

t.test('core bodies: whatever is no question is refused and written down, and nothing of it said again', async (t) => {
  const bodies = [
    '{"__proto__":{"code":"x"}}',
    '{"constructor":{"prototype":{"code":"x"}}}',
    `{"code":"x","${uuid}":1}`,
    `{"code":"${uuid}"}`,
    '[]',
    'null',
    '7',
    '{"code":1',
    '{"code":"\\ud800"}',
    '{"code":"x","minimumMinutes":1e309}',
    '{"code":"x","minimumMinutes":-0}',
    '['.repeat(60_000),
    `{"code":"${'x'.repeat(70_000)}"}`,
  ];
  for (const body of bodies) {
    const answer = await post(body);
    t.match(statusOf(answer), /^4(00|13)$/, body.slice(0, 40));
    t.notMatch(answer, uuid);
    t.notMatch(answer, /__proto__|prototype/);
  }
  for (const type of ['text/plain', 'application/jsonx', 'application/json, text/plain', 'application/x-www-form-urlencoded', ''])
    t.equal(statusOf(await post('{"code":"x"}', type)), 415, type);
  t.equal(({} as Record<string, unknown>).code, undefined);
  const twice = encodeCode({ kind: 'unsigned', card });
  t.equal(statusOf(await post(`{"code":"nonsense","code":"${twice}"}`)), 200, 'of two the last is what is looked at and done');
  t.equal(statusOf(await post(`{"code":"${twice}","code":"nonsense"}`)), 400);
});

t.test('core pages: a cursor that was not given out leads nowhere', async (t) => {
  const token = await core.person('health-officer', '*', { sub: 'pages' });
  for (const text of ['1.5', '-1', '1e3', 'NaN', 'Infinity', '0x1', ' 1', '9'.repeat(40), '1; DROP TABLE deed']) {
    const cursor = Buffer.from(text).toString('base64url');
    for (const [path, purpose] of [
      ['/core/1/cases', 'contact-tracing'],
      ['/core/1/venues/0123456789abcdef/notices', 'venue-measures'],
    ] as const)
      t.match(await core.ask({ path: `${path}?cursor=${cursor}`, token, purpose }), { status: 400 }, `${path} ${text}`);
  }
  for (const query of ['limit=1&limit=2', 'limit=', 'limit=501', 'limit=1.5', 'limit[]=1', '__proto__=1', `${uuid}=1`]) {
    const answer = await core.ask({ path: `/core/1/cases?${query}`, token, purpose: 'contact-tracing' });
    t.equal(answer.status, 400, query);
    t.notMatch(answer.text, uuid);
  }
});

t.test('core tokens: whatever is not the issuer’s word, for here and now, lets nobody in', async (t) => {
  const { issuer } = core;
  const nowMs = systemClock.wall();
  const nowS = Math.floor(nowMs / 1_000);
  const claims = { vestibule_roles: 'administrator', vestibule_regions: '*' };
  const [first = '', second = '', third = ''] = (await issuer.token(claims, nowMs)).split('.');
  const tokens: Record<string, string> = {
    'alg none': issuer.unsigned(claims, nowMs),
    'the public key as a secret': await issuer.signedByPublicKey(claims, nowMs),
    'a forged one': await issuer.forged(claims, nowMs),
    'another issuer': await issuer.token({ ...claims, iss: 'https://elsewhere.example' }, nowMs),
    'an issuer that begins alike': await issuer.token({ ...claims, iss: `${issuer.url}.elsewhere.example` }, nowMs),
    'another audience': await issuer.token({ ...claims, aud: 'vestibule-core-2' }, nowMs),
    ended: await issuer.token({ ...claims, iat: nowS - 600, exp: nowS - 60 }, nowMs),
    'not yet': await issuer.token({ ...claims, nbf: nowS + 120 }, nowMs),
    'made tomorrow': await issuer.token({ ...claims, iat: nowS + 86_400, exp: nowS + 90_000 }, nowMs),
    'too old': await issuer.token({ ...claims, iat: nowS - 90_000, exp: nowS + 600 }, nowMs),
    'an end that is no number': await issuer
      .token({ ...claims, exp: String(nowS + 600) as unknown as number }, nowMs)
      .catch(() => `${first}.e30.${third}`),
    'a key by path': await issuer.token(claims, nowMs, { kid: '../../jwks' }),
    'a key by SQL': await issuer.token(claims, nowMs, { kid: "' OR 1=1 --" }),
    'a key by URL': await issuer.token(claims, nowMs, { kid: 'unknown', jku: 'https://elsewhere.example/jwks' }),
    nobody: await issuer.token({ ...claims, sub: '' }, nowMs),
    'a number': await issuer.token({ ...claims, sub: 7 as unknown as string }, nowMs),
    everybody: await issuer.token({ ...claims, sub: 'x'.repeat(256) }, nowMs),
    'another signature': `${first}.${second}.${third.slice(0, -8)}AAAAAAAA`,
    'no JSON': `${first}.${Buffer.from('{').toString('base64url')}.${third}`,
  };
  for (const [what, token] of Object.entries(tokens))
    t.match(
      await core.ask({ path: '/core/1/status', token, purpose: 'operation' }),
      { status: 401, json: { code: 'admission.wrong_token' } },
      what,
    );
  const good = `${first}.${second}.${third}`;
  for (const authorization of [`Basic ${good}`, `Bearer  ${good}`, `Bearer ${good} x`, `Bearer ${'a'.repeat(9_000)}`, `Bearer\t${good}`])
    t.match(
      (await core.ask({ path: '/core/1/status', purpose: 'operation', headers: { authorization } })).status,
      /401/,
      authorization.slice(0, 10),
    );
  for (const purpose of ['operation, operation', 'Operation', 'operation\u00a0', `operation ${uuid}`, 'toString'])
    t.match(
      await core.ask({ path: '/core/1/status', token: good, purpose }),
      { status: 403, json: { code: 'admission.no_purpose' } },
      purpose,
    );
});

t.test('core holder: proofs that do not hold are bounded, are not written as done, and fill no log', async (t) => {
  const ask = (body: unknown, path = 'ask') => core.ask({ method: 'POST', path: `/core/1/holder/${path}`, body });
  const visitor = deriveVisitor(newKeyCode());
  const challenge = async () => decodeChallenge((await ask({}, 'challenge')).text);
  const proof = JSON.parse(encodeProof(signProof('read', await challenge(), visitor))) as Record<string, string>;
  t.equal((await ask(proof)).status, 200);
  t.match(await ask(proof), { status: 403, json: { code: 'holder.challenge' } }, 'a second time');
  const fresh = JSON.parse(encodeProof(signProof('read', await challenge(), visitor))) as Record<string, string>;
  t.match(await ask({ ...fresh, action: 'revoke' }), { status: 403, json: { code: 'holder.not_proven' } }, 'for something else');
  const other = deriveVisitor(newKeyCode());
  const swapped = JSON.parse(encodeProof(signProof('read', await challenge(), other))) as Record<string, string>;
  t.match(
    await ask({ ...swapped, publicKey: proof.publicKey }),
    { status: 403, json: { code: 'holder.not_proven' } },
    "for somebody else's card",
  );
  let last = await ask(proof);
  while (last.status === 403) last = await ask(proof);
  t.match(last, { status: 429, json: { code: 'holder.too_often' }, headers: { 'retry-after': '60' } });
  // Slower than the bound on questions of one address, which is another.
  for (let i = 0; i < 150; i++) await ask({ action: 'read' });
});

t.test('core connections: whoever holds them, without a word or without reading an answer, shuts nobody out and ends nobody', async (t) => {
  const held: Socket[] = [];
  t.teardown(() => {
    for (const socket of held) socket.destroy();
  });
  const known = new RawClient(connectTls({ host: '127.0.0.1', port: core.port, rejectUnauthorized: false }));
  const asked = `GET /core/1/cases HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer ${officer}\r\nVestibule-Purpose: contact-tracing\r\n\r\n`;
  t.equal(statusOf((await known.ask(Buffer.from(asked))).toString('latin1')), 200);
  const deaf = 'GET /holder/page.js HTTP/1.1\r\nHost: core\r\n\r\n'.repeat(40);
  for (let address = 2; address <= 10; address++)
    for (let count = 0; count < 128; count++) {
      const at = { host: '127.0.0.1', port: core.port, localAddress: `127.0.0.${address}` };
      const isDeaf = address <= 4;
      const socket = isDeaf ? connectTls({ ...at, rejectUnauthorized: false } as ConnectionOptions) : connectTcp(at);
      held.push(socket.on('error', () => {}).pause());
      await Promise.race([once(socket, isDeaf ? 'secureConnect' : 'connect'), once(socket, 'close')]).catch(() => {});
      if (isDeaf) socket.write(deaf);
    }
  t.equal((await core.ask({ path: '/healthz' })).status, 200, 'somebody who comes after them');
  t.equal(statusOf((await known.ask(Buffer.from(asked))).toString('latin1')), 200, 'somebody who was there, and is known');
  known.end();
  t.match(core.child.written, /admission\.too_many_connections.*rest\.held_off/);
});

t.test('core: each refusal is in the audit log, whose growth strangers do not decide; no card is anywhere', async (t) => {
  const code = encodeCode({ kind: 'unsigned', card });
  const written = core.child.written;
  const entries = await core.audited();
  const count = (role: string, action: string, outcome: string): number =>
    entries.filter((one) => one.role === role && one.action === action && one.outcome === outcome).length;
  t.equal(count('health-officer', 'look.overlaps', 'failed'), 13 + 5 + 1, 'bodies that could not be read, too');
  t.equal(count('administrator', 'look.status', 'refused'), 5, 'purposes');
  t.equal(count('holder', 'holder.ask', 'done'), 1, 'only what was proved was done');
  t.ok(count('holder', 'holder.ask', 'refused') + count('stranger', 'look.status', 'refused') <= 120, 'two minutes of them at most');
  t.match(
    entries.find(({ action }) => action === 'refused.many'),
    { role: 'stranger', about: /^[1-9]\d*$/ },
    'the others are counted',
  );
  const secrets = [bytesSecret('UUID', card), textSecret('code', code)];
  t.strictSame(searchBytes('what it wrote', Buffer.from(written), secrets), []);
  t.strictSame(searchBytes('its audit log', Buffer.from(JSON.stringify(entries)), secrets), []);
  t.strictSame(
    searchTree(join(core.directory, 'core'), secrets, () => false),
    [],
  );
  t.equal(searchBytes('control', Buffer.from(`x ${uuid} ${code}`), secrets).length, 2, 'the search finds what is there');
});
