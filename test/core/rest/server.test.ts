/** The core's REST listener: who is let in, what is written down before an answer leaves, and what is refused. */
import t from 'tap';
import { z } from 'zod';
import { NotThere, type Route, route } from '../../../core/rest/route.ts';
import { StoreError } from '../../../protocol/errors.ts';
import { PAGE_HEADERS } from '../../../protocol/page-headers.ts';
import { openTestRest } from './rest-fixture.ts';

const rows = z.object({ rows: z.array(z.object({ no: z.int() })) });
const look = (more: Partial<Route> = {}): Route =>
  ({
    ...route({
      method: 'GET',
      path: '/core/1/things',
      summary: 'Things',
      roles: ['analyst'],
      purposes: ['statistics'],
      answer: rows,
      rows: { most: 3, of: (answer) => answer.rows.length },
      audit: { action: 'look.things' },
      handle: () => ({ rows: [{ no: 1, secret: 'never told' }, { no: 2 }] }),
    }),
    ...more,
  }) as Route;
const asAnalyst = { path: '/core/1/things', token: 'analyst@north', purpose: 'statistics' } as const;

t.test('rest: an answer says what its schema names and no more, and is in the audit log with its rows', async (t) => {
  const { ask, audit } = await openTestRest(t, [look()]);
  const answer = await ask(asAnalyst);
  t.equal(answer.status, 200);
  t.equal(answer.text, '{"rows":[{"no":1},{"no":2}]}');
  t.match(answer.headers, PAGE_HEADERS);
  t.match(await ask({ path: '/%ff' }), { status: 400, headers: { ...PAGE_HEADERS, connection: 'close' } }, 'a path that can not be read');
  t.match(audit.entries(9), [
    { who: 'person-analyst', role: 'analyst', purpose: 'statistics', action: 'look.things', outcome: 'done', rows: 2 },
  ]);
});

t.test('rest: without a token, a role, or a purpose that is allowed, nothing is told, and each refusal is written down', async (t) => {
  const { ask, audit } = await openTestRest(t, [look()]);
  const { token: _, ...nobody } = asAnalyst;
  t.match(await ask(nobody), { status: 401, json: { code: 'admission.wrong_account' } });
  t.match(await ask({ ...asAnalyst, token: 'clinician@north' }), { status: 403, json: { code: 'admission.not_allowed' } });
  t.match(await ask({ ...asAnalyst, purpose: 'contact-tracing' }), { status: 403, json: { code: 'admission.no_purpose' } });
  const { purpose: __, ...aimless } = asAnalyst;
  t.match(await ask(aimless), { status: 403, json: { code: 'admission.no_purpose', title: /one of statistics/ } });
  t.match(
    audit.entries(9).map(({ who, outcome, detail }) => `${who} ${outcome} ${detail}`),
    [
      'person-analyst refused admission.no_purpose',
      'person-analyst refused admission.no_purpose',
      'person-clinician refused admission.not_allowed',
      'stranger refused admission.wrong_account',
    ],
  );
});

t.test('rest: what can not be written into the audit log is not told, and a deed not done', async (t) => {
  let done = 0;
  const deed = look({
    method: 'POST',
    audit: { action: 'thing.do' },
    handle: () => {
      done += 1;
      return { rows: [] };
    },
  });
  const { ask, audit, rest } = await openTestRest(t, [look(), deed]);
  t.equal((await ask({ ...asAnalyst, method: 'POST', body: {} })).status, 200);
  t.equal(done, 1);
  audit.append = () => {
    throw new StoreError('store.disk_full', 'audit.db: full');
  };
  const looked = await ask(asAnalyst);
  t.match(looked, { status: 503, json: { code: 'store.disk_full' } });
  t.notMatch(looked.text, /"no"/);
  t.equal((await ask({ ...asAnalyst, method: 'POST', body: {} })).status, 503);
  t.equal(done, 1);
  t.equal((await ask({ ...asAnalyst, token: 'clinician' })).status, 503, 'a refusal that can not be written is one still');
  await rest.close();
});

t.test('rest: an answer with more rows than it may have is not given', async (t) => {
  const { ask, audit, log } = await openTestRest(t, [look({ handle: () => ({ rows: [1, 2, 3, 4].map((no) => ({ no })) }) })]);
  const answer = await ask(asAnalyst);
  t.equal(answer.status, 500);
  t.notMatch(answer.text, /"no"/);
  t.match(audit.entries(1), [{ outcome: 'failed', detail: 'bug', rows: 0 }]);
  t.ok(log.lines.some(({ event }) => event === 'rest.internal'));
});

t.test('rest: what is not there, or not as the schema says, is refused and written down', async (t) => {
  const missing = look({
    path: '/core/1/none',
    handle: () => {
      throw new NotThere('no such thing');
    },
  });
  const asked = look({ path: '/core/1/asked', query: z.strictObject({ no: z.coerce.number().int() }) });
  const { ask, audit } = await openTestRest(t, [missing, asked]);
  t.match(await ask({ ...asAnalyst, path: '/core/1/none' }), { status: 404, json: { title: 'no such thing' } });
  t.match(await ask({ ...asAnalyst, path: '/core/1/asked?no=x' }), { status: 400, json: { code: 'decode.malformed', title: /no:/ } });
  t.match(await ask({ ...asAnalyst, path: '/core/1/asked?no=1&more=2' }), { status: 400 });
  t.match(
    audit.entries(9).map(({ outcome, detail }) => `${outcome} ${detail}`),
    ['failed decode.malformed', 'failed decode.malformed', 'refused not there'],
  );
  t.equal((await ask({ path: '/core/1/elsewhere' })).status, 404);
  t.equal((await ask({ path: '/core/1/none', method: 'HEAD' })).status, 404);
});

t.test('rest: a body that is too long, or no JSON, is refused before it is read', async (t) => {
  const taking = look({ method: 'POST', body: z.strictObject({ words: z.string() }), audit: { action: 'thing.do' } });
  const { ask } = await openTestRest(t, [taking]);
  const post = { ...asAnalyst, method: 'POST' };
  t.equal((await ask({ ...post, body: { words: 'x'.repeat(70_000) } })).status, 413);
  t.equal((await ask({ ...post, body: { words: 'x' }, headers: { 'content-type': 'text/plain' } })).status, 415);
  t.equal((await ask({ ...post, body: { words: 'x' } })).status, 200);
  t.equal((await ask({ ...post, token: 'x@y', body: { words: 'x'.repeat(70_000) } })).status, 403, 'who asks comes before what');
});

t.test('rest: who asks too often waits; the others do not', async (t) => {
  const both = look({ roles: ['analyst', 'auditor'] });
  const { ask, audit, clock } = await openTestRest(t, [both]);
  for (let i = 0; i < 60; i++) await ask(asAnalyst);
  const refused = await ask(asAnalyst);
  t.match(refused, { status: 429, json: { code: 'admission.too_often' } });
  t.equal(refused.headers['retry-after'], '1');
  t.equal((await ask({ ...asAnalyst, token: 'auditor' })).status, 200);
  t.match(audit.entries(2)[1], { who: 'person-analyst', outcome: 'refused', detail: 'admission.too_often' });
  await clock.advance(1_000);
  t.equal((await ask(asAnalyst)).status, 200);
});

t.test('rest: strangers who knock all the time are counted, and do not fill the log', async (t) => {
  const { ask, audit, clock } = await openTestRest(t, [look()]);
  for (let i = 0; i < 70; i++) t.equal((await ask({ path: '/core/1/things' })).status, 401);
  t.equal(audit.head().entries, 60);
  t.equal((await ask({ ...asAnalyst, token: 'clinician' })).status, 403);
  t.match(audit.entries(1), [{ who: 'person-clinician' }], 'somebody known is not hidden among them');
  await clock.advance(60_000);
  t.match(audit.entries(1), [{ action: 'refused.many', about: '10' }]);
  t.equal(audit.verify().kind, 'whole');
});
