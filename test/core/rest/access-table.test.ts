/**
 * Who may ask what: roles by endpoints, cell by cell. What is not marked is refused, and each refusal is in the audit log. A route without its
 * row fails, and so does a row without its route.
 */
import t from 'tap';
import { PURPOSES, ROLES, type Role } from '../../../core/rest/roles.ts';
import type { Route } from '../../../core/rest/route.ts';
import { allRoutes } from './all-routes.ts';
import { openTestRest } from './rest-fixture.ts';

const [G, C, O, A, U, S, H, P] = [
  'gateway',
  'clinician',
  'health-officer',
  'analyst',
  'auditor',
  'administrator',
  'holder',
  'partner',
] as const;

/** Without an account: whoever asks is a holder, whose proof the route looks at. */
const TABLE: Readonly<Record<string, { readonly roles: readonly Role[]; readonly purposes: readonly string[] }>> = {
  'GET /core/1/status': { roles: [S], purposes: ['operation'] },
  'GET /core/1/metrics': { roles: [S], purposes: ['operation'] },
  'GET /core/1/gateways': { roles: [S], purposes: ['operation'] },
  'GET /core/1/audit': { roles: [U], purposes: ['oversight'] },
  'GET /core/1/audit/verification': { roles: [U], purposes: ['oversight'] },
  'GET /core/1/venues': { roles: [O, A, S], purposes: ['contact-tracing', 'venue-measures', 'statistics', 'operation'] },
  'POST /core/1/overlaps': { roles: [O], purposes: ['contact-tracing'] },
  'GET /core/1/statistics/visits': { roles: [A], purposes: ['statistics', 'venue-measures'] },
  'GET /core/1/statistics/contacts': { roles: [A], purposes: ['statistics', 'venue-measures'] },
  'POST /core/1/holder/challenge': { roles: [H], purposes: [] },
  'POST /core/1/holder/ask': { roles: [H], purposes: [] },
  'POST /core/1/results': { roles: [C], purposes: ['case-management'] },
  'GET /core/1/cases': { roles: [O], purposes: ['contact-tracing', 'case-management'] },
  'POST /core/1/cases': { roles: [O], purposes: ['case-management'] },
  'POST /core/1/cases/:case/decision': { roles: [O], purposes: ['case-management'] },
  'GET /core/1/cases/:case/exposures': { roles: [O], purposes: ['contact-tracing'] },
  'GET /core/1/cases/:case/clusters': { roles: [O], purposes: ['contact-tracing'] },
  'GET /core/1/venues/:venue/notices': { roles: [O, G], purposes: ['venue-measures'] },
  'GET /core/1/policy': { roles: [O, U, S], purposes: ['contact-tracing', 'case-management', 'oversight', 'operation'] },
  'POST /core/1/policy': { roles: [O], purposes: ['case-management'] },
  'POST /core/1/alerts': { roles: [P], purposes: ['case-management'] },
};

const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

t.test('access: every route has its row, and every row its route', async (t) => {
  t.strictSame(allRoutes.map(nameOf).sort(), Object.keys(TABLE).sort());
  for (const made of allRoutes) {
    const row = TABLE[nameOf(made)];
    t.strictSame([...made.roles].sort(), [...(row?.roles ?? [])].sort(), nameOf(made));
    t.strictSame([...made.purposes].sort(), [...(row?.purposes ?? [])].sort(), nameOf(made));
    if (made.roles.includes('holder')) t.equal(made.roles.length, 1, 'who needs no account shares a route with nobody');
    else t.ok(made.purposes.length > 0, `${nameOf(made)}: a purpose is stated`);
    if (made.audit.action.startsWith('look.') && made.method === 'POST') t.ok(made.body, nameOf(made));
    if (made.isRoutine) t.ok(!made.audit.action.startsWith('look.'), nameOf(made));
  }
});

t.test('access: each role at each endpoint is let in or refused as the table says, and each refusal is written down', async (t) => {
  // What a route does is not asked here: whoever is let in is told so.
  const marked = allRoutes.map((made) => ({ ...made, handle: () => Promise.reject(new LetIn()) }) as Route);
  const { ask, audit, clock } = await openTestRest(t, marked);
  for (const made of marked) {
    const row = TABLE[nameOf(made)];
    if (row === undefined) continue;
    const path = made.path.replace(':case', '1') + (made.path.includes('statistics') ? '?day=2026-11-01' : '');
    for (const role of ROLES.filter((one) => one !== 'holder')) {
      const [purpose] = row.purposes;
      // One rate for each person; time passes between.
      await clock.advance(10_000);
      const before = audit.head().entries;
      const answer = await ask({
        path,
        method: made.method,
        token: `${role}@*`,
        ...(purpose === undefined ? {} : { purpose }),
        ...(made.method === 'GET' ? {} : { body: {} }),
      });
      const isLetIn = row.roles.includes(role) || row.roles.includes('holder');
      if (isLetIn) t.ok([400, 500].includes(answer.status), `${role} at ${nameOf(made)}: ${answer.status}`);
      else {
        t.match(answer, { status: 403, json: { code: 'admission.not_allowed' } }, `${role} at ${nameOf(made)}`);
        t.equal(audit.head().entries, before + 1);
        t.match(audit.entries(1), [
          { who: `person-${role}`, action: made.audit.action, outcome: 'refused', detail: 'admission.not_allowed' },
        ]);
      }
    }
  }
  t.equal(audit.verify().kind, 'whole');
});

t.test('access: each purpose at each endpoint is taken or refused as the table says, and none by itself', async (t) => {
  const marked = allRoutes.map((made) => ({ ...made, handle: () => Promise.reject(new LetIn()) }) as Route);
  const { ask, audit, clock } = await openTestRest(t, marked);
  for (const made of marked) {
    const { roles = [], purposes = [] } = TABLE[nameOf(made)] ?? {};
    if (purposes.length === 0) continue;
    const path = made.path.replace(':case', '1');
    for (const purpose of [...PURPOSES, 'curiosity', undefined]) {
      await clock.advance(10_000);
      const question = { path, method: made.method, token: `${roles[0]}@*`, ...(made.method === 'GET' ? {} : { body: {} }) };
      const { status } = await ask(purpose === undefined ? question : { ...question, purpose });
      const isAllowed = purpose !== undefined && purposes.includes(purpose);
      t.ok(isAllowed ? [400, 500].includes(status) : status === 403, `${purpose} at ${nameOf(made)}: ${status}`);
      t.match(audit.entries(1), [{ outcome: isAllowed ? 'failed' : 'refused' }]);
    }
  }
});

t.test('access: nobody is let in anywhere without being known', async (t) => {
  const { ask, clock } = await openTestRest(t, allRoutes);
  for (const made of allRoutes.filter(({ roles }) => !roles.includes('holder'))) {
    await clock.advance(10_000);
    const path = made.path.replace(':case', '1');
    for (const more of [{}, { token: '' }, { token: 'x'.repeat(9_000) }, { headers: { authorization: 'Basic YTpi' } }])
      t.equal(
        (await ask({ path, method: made.method, purpose: 'operation', ...more })).status,
        401,
        `${nameOf(made)} ${JSON.stringify(more).slice(0, 30)}`,
      );
  }
});

/** Not an expected error: the server tells whoever asked that it is a fault, and the table that they came this far. */
class LetIn extends Error {}
