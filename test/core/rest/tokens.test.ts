/** People known by bearer tokens of a real issuer on the loopback: what is taken, and every way in which one is not. */
import t, { type Test } from 'tap';
import type { Known } from '../../../core/rest/callers.ts';
import { type Issuer, subjectOf, tokensOf } from '../../../core/rest/tokens.ts';
import { codeOf } from '../../../protocol/errors.ts';
import { LogRecorder } from '../../support/log-recorder.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { TestIssuer } from '../../support/test-issuer.ts';
import { NOW } from '../core-fixture.ts';
import { STORE_KEY } from './rest-fixture.ts';

const OFFICER = { vestibule_roles: 'health-officer', vestibule_regions: ['north', 'east'] };

async function opened(t: Test, more: Partial<Issuer> = {}, alg = 'ES256') {
  const issuer = await TestIssuer.open(alg);
  t.teardown(() => issuer.close());
  const clock = new ManualClock(NOW);
  const log = new LogRecorder();
  const config: Issuer = {
    issuer: issuer.url,
    caPem: issuer.caPem,
    audience: issuer.audience,
    algorithms: ['ES256', 'EdDSA'],
    roleClaim: 'vestibule_roles',
    roles: {},
    regionClaim: 'vestibule_regions',
    clockToleranceS: 30,
    longestAgeS: 43_200,
    ...more,
  };
  const identify = tokensOf([config], STORE_KEY, { clock, log });
  const known = async (token: string): Promise<Known | string | undefined> => {
    try {
      return await identify({ token, keyPin: undefined });
    } catch (error) {
      return codeOf(error) ?? Promise.reject(error);
    }
  };
  return { issuer, clock, log, known };
}

t.test('tokens: a person is known by role, region and a pseudonym', async (t) => {
  const { issuer, known } = await opened(t);
  const person = await known(await issuer.token(OFFICER, NOW));
  t.strictSame(person, { roles: ['health-officer'], subject: subjectOf(STORE_KEY, issuer.url, 'vera'), regions: ['north', 'east'] });
  t.notMatch(JSON.stringify(person), 'vera');
  t.not(subjectOf(STORE_KEY, issuer.url, 'vera'), subjectOf(STORE_KEY, `${issuer.url}/`, 'vera'), 'of one issuer alone');
  t.match(await known(await issuer.token({ vestibule_roles: ['analyst', 'nonsense'], vestibule_regions: '*' }, NOW)), {
    roles: ['analyst'],
    regions: 'all',
  });
  t.match(await known(await issuer.token({ vestibule_roles: 'auditor' }, NOW)), { regions: [] });
  t.strictSame(issuer.asked, ['/.well-known/openid-configuration', '/jwks'], 'its keys are asked for once');
});

t.test('tokens: the issuer may call roles otherwise; a machine or a holder nobody is by a token', async (t) => {
  const { issuer, known } = await opened(t, { roles: { amtsarzt: 'health-officer' }, roleClaim: 'groups' });
  t.match(await known(await issuer.token({ groups: ['amtsarzt'] }, NOW)), { roles: ['health-officer'] });
  for (const groups of ['gateway', 'partner', 'holder', 'constructor', '', undefined, 7, {}])
    t.equal(await known(await issuer.token({ groups }, NOW)), 'admission.not_allowed', String(groups));
});

t.test('tokens: what is forged, for others, of another issuer or of a wrong algorithm is refused', async (t) => {
  const { issuer, known, log } = await opened(t);
  const good = await issuer.token(OFFICER, NOW);
  t.type(await known(good), 'object');
  const [head = '', body = '', signature = ''] = good.split('.');
  const admin = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), vestibule_roles: 'administrator' }));
  const other = await TestIssuer.open();
  t.teardown(() => other.close());
  const wrong: Record<string, string> = {
    'another key under its name': await issuer.forged(OFFICER, NOW),
    'no algorithm': issuer.unsigned(OFFICER, NOW),
    'the public key as a secret': await issuer.signedByPublicKey(OFFICER, NOW),
    'a changed body': `${head}.${admin.toString('base64url')}.${signature}`,
    'no signature': `${head}.${body}.`,
    'another audience': await issuer.token({ ...OFFICER, aud: 'elsewhere' }, NOW),
    'no audience': await issuer.token({ ...OFFICER, aud: undefined }, NOW),
    'another issuer': await other.token(OFFICER, NOW),
    "another issuer's, that says it is this": await other.token({ ...OFFICER, iss: issuer.url }, NOW),
    nobody: await issuer.token({ ...OFFICER, sub: undefined }, NOW),
    'no end': await issuer.token({ ...OFFICER, exp: undefined }, NOW),
    'no beginning': await issuer.token({ ...OFFICER, iat: undefined }, NOW),
    'a rule it must know': await issuer.token(OFFICER, NOW, { crit: ['x'], x: 1 }),
    'its own key in its head': await issuer.token(OFFICER, NOW, { kid: 'another', jwk: { kty: 'oct', k: 'AAAA' } }),
    garbage: 'a.b.c',
    'no JSON': `${Buffer.from('{').toString('base64url')}..`,
  };
  for (const [what, token] of Object.entries(wrong)) t.equal(await known(token), 'admission.wrong_token', what);
  t.equal(await known('a-token-of-a-machine'), undefined);
  t.ok(log.of('token.refused').length >= 15);
  t.notMatch(log.text, /vera|eyJ/, 'what was shown is in no log');
});

t.test('tokens: one that the algorithms leave out is refused, however well it is signed', async (t) => {
  const { issuer, known } = await opened(t, { algorithms: ['EdDSA'] });
  t.equal(await known(await issuer.token(OFFICER, NOW)), 'admission.wrong_token');
  await issuer.rotate('EdDSA');
  const after = await opened(t, { algorithms: ['EdDSA'] }, 'EdDSA');
  t.match(await after.known(await after.issuer.token(OFFICER, NOW)), { roles: ['health-officer'] });
});

t.test('tokens: times count to the tolerance, by the clock that is handed in', async (t) => {
  const { issuer, clock, known } = await opened(t);
  const token = await issuer.token(OFFICER, NOW);
  await clock.advance(329_000);
  t.type(await known(token), 'object', '29 s past its end');
  await clock.advance(2_000);
  t.equal(await known(token), 'admission.wrong_token');
  const early = { ...OFFICER, nbf: clock.wall() / 1_000 + 40 };
  t.equal(await known(await issuer.token(early, clock.wall())), 'admission.wrong_token');
  await clock.advance(11_000);
  t.type(await known(await issuer.token(early, clock.wall())), 'object');
  const long = await issuer.token({ ...OFFICER, exp: clock.wall() / 1_000 + 10 * 86_400 }, clock.wall());
  t.type(await known(long), 'object');
  await clock.advance(12 * 3_600_000 + 31_000);
  t.equal(await known(long), 'admission.wrong_token', 'half a day is enough');
  t.equal(await known(await issuer.token(OFFICER, clock.wall() + 3_600_000)), 'admission.wrong_token', 'made in an hour');
});

t.test(
  'tokens: another key of the issuer is asked for, at its pace; one that was taken back is not gone by after ten minutes',
  async (t) => {
    const { issuer, clock, known } = await opened(t);
    const before = await issuer.token({ ...OFFICER, exp: NOW / 1_000 + 3_600 }, NOW);
    t.type(await known(before), 'object');
    await issuer.rotate();
    const after = await issuer.token({ ...OFFICER, exp: NOW / 1_000 + 3_600 }, NOW);
    t.equal(await known(after), 'admission.wrong_token', 'it was asked a moment ago');
    t.equal(issuer.asked.length, 2);
    t.type(await known(before), 'object');
    await clock.advance(10_000);
    t.type(await known(after), 'object');
    t.equal(issuer.asked.length, 4);
    t.equal(await known(before), 'admission.wrong_token');
    await issuer.rotate();
    await clock.advance(599_000);
    t.type(await known(after), 'object');
    await clock.advance(2_000);
    t.equal(await known(after), 'admission.wrong_token');
  },
);

t.test('tokens: while the issuer is down nobody is let in, and it is not asked for each who tries', async (t) => {
  const { issuer, clock, known } = await opened(t);
  issuer.isDown = true;
  const token = await issuer.token({ ...OFFICER, exp: NOW / 1_000 + 3_600 }, NOW);
  for (let i = 0; i < 5; i++) t.equal(await known(token), 'admission.issuer_down');
  t.equal(issuer.asked.length, 1);
  issuer.isDown = false;
  await clock.advance(10_000);
  t.type(await known(token), 'object');
  issuer.isDown = true;
  await clock.advance(590_000);
  t.type(await known(token), 'object', 'keys are kept for ten minutes');
  await clock.advance(11_000);
  t.equal(await known(token), 'admission.issuer_down');
});

t.test('tokens: an issuer that goes over to another protocol lets nobody in, and nobody waits for it', async (t) => {
  const { issuer, clock, known } = await opened(t);
  issuer.isOther = true;
  const token = await issuer.token({ ...OFFICER, exp: NOW / 1_000 + 3_600 }, NOW);
  t.equal(await known(token), 'admission.issuer_down');
  issuer.isOther = false;
  await clock.advance(10_000);
  t.type(await known(token), 'object');
});

t.test('tokens: an issuer that tells of another, of no keys, of too much or of shared keys lets nobody in', async (t) => {
  const { issuer, clock, known } = await opened(t);
  const token = await issuer.token({ ...OFFICER, exp: NOW / 1_000 + 3_600 }, NOW);
  const discovery = '/.well-known/openid-configuration';
  const says: [string, string, string][] = [
    [discovery, JSON.stringify({ issuer: 'https://elsewhere.example', jwks_uri: `${issuer.url}/jwks` }), 'admission.issuer_down'],
    [discovery, JSON.stringify({ issuer: issuer.url, jwks_uri: 'http://127.0.0.1/jwks' }), 'admission.issuer_down'],
    [discovery, 'no JSON', 'admission.issuer_down'],
    ['/jwks', JSON.stringify({ keys: 'none' }), 'admission.issuer_down'],
    ['/jwks', JSON.stringify({ keys: [], more: 'x'.repeat(300_000) }), 'admission.issuer_down'],
    ['/jwks', JSON.stringify({ keys: Array.from({ length: 33 }, () => ({ kty: 'EC' })) }), 'admission.issuer_down'],
    ['/jwks', JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA' }] }), 'admission.wrong_token'],
  ];
  for (const [path, text, code] of says) {
    issuer.instead.clear();
    issuer.instead.set(path, text);
    await clock.advance(600_000);
    t.equal(await known(token), code, text.slice(0, 60));
  }
});

t.test('tokens: an issuer whose certificate is of no authority that is trusted is not asked for keys', async (t) => {
  const { issuer, known } = await opened(t, { caPem: undefined });
  t.equal(await known(await issuer.token(OFFICER, NOW)), 'admission.issuer_down');
  t.strictSame(issuer.asked, []);
});
