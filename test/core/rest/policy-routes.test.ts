import t, { type Test } from 'tap';
import { policyRoutesOf } from '../../../core/rest/policy-routes.ts';
import { TRACE_BOUNDS, TracePolicies } from '../../../core/trace/policy-book.ts';
import { DEFAULT_TRACE_POLICY } from '../../../core/trace/trace.ts';
import type { VisitorUuid } from '../../../protocol/ids.ts';
import { until } from '../../support/until.ts';
import { outcomeOf } from '../../support/wire.ts';
import { fixture, NOW } from '../core-fixture.ts';
import { checkIn, HOUR, KioskStub, MINUTE, newCard } from '../kiosk-stub.ts';
import { openTestRest } from './rest-fixture.ts';

const OFFICER = { token: 'health-officer@*', purpose: 'case-management' };
const path = '/core/1/policy';

async function opened(t: Test) {
  const { open, keys, clock, dir } = await fixture(t);
  const core = await open('core');
  const rest = await openTestRest(t, policyRoutesOf({ core, clock }), { dir });
  /** Asks as the officer; some time passes, since each person has a rate. */
  const ask = async (question: object) => {
    await rest.clock.advance(5_000);
    return await rest.ask({ path, ...OFFICER, ...question });
  };
  return { core, keys, audit: rest.audit, ask };
}

t.test('policy routes: an officer sets another, which names its version, and every open case is traced anew by it', async (t) => {
  const { core, keys, ask, audit } = await opened(t);
  const kiosk = new KioskStub(keys);
  const [sick, short, long] = [newCard(), newCard(), newCard()];
  const come = (card: VisitorUuid, minutesAgo: number) => ({ happening: checkIn(card), atMs: NOW - minutesAgo * MINUTE });
  const leave = (card: VisitorUuid, minutesAgo: number) => ({
    happening: { type: 'check-out', card } as const,
    atMs: NOW - minutesAgo * MINUTE,
  });
  await core.accept([await kiosk.batch([come(sick, 90), come(short, 89), leave(short, 79), come(long, 70), leave(sick, 10)], NOW)]);
  const { id } = core.cases.raise({ card: sick, state: 'confirmed', source: 'officer', by: 'officer-1', key: 'one' });
  const exposed = () => core.notices.book.ofSource(`case/${id}`, 0, 10);
  await until(() => exposed().length === 1);
  t.match(exposed(), [{ policyVersion: 1 }]);

  const set = await ask({ method: 'POST', body: { instead: 1, minimumOverlapMs: 5 * MINUTE } });
  t.match(set, { status: 200, json: { ...DEFAULT_TRACE_POLICY, version: 2, minimumOverlapMs: 5 * MINUTE } });
  await until(() => exposed().length === 2);
  t.match(exposed(), [{ policyVersion: 2 }, { policyVersion: 2 }]);
  t.match(audit.entries(1), [
    { action: 'policy.set', about: 'instead of 1: minimumOverlapMs 300000', outcome: 'done', who: 'person-health-officer' },
  ]);

  const shown = await ask({ method: 'GET' });
  t.match(shown, {
    status: 200,
    json: {
      policy: { version: 2 },
      versions: [{ version: 2, setBy: 'person-health-officer', minimumOverlapMs: 300_000 }, DEFAULT_TRACE_POLICY],
    },
  });
  t.match(await ask({ method: 'POST', body: { instead: 2, minimumOverlapMs: 5 * MINUTE } }), { json: { version: 2 } }, 'nothing changed');
});

t.test(
  'policy routes: refused are what is out of bounds, a version that is in force no more, and who may not see all regions',
  async (t) => {
    const { core, ask, audit } = await opened(t);
    const post = (body: object, more: object = {}) => ask({ method: 'POST', body, ...more });
    for (const [name, { least, most }] of Object.entries(TRACE_BOUNDS))
      for (const value of [least - 1, most + 1, least + 0.5, '1'])
        t.match(await post({ instead: 1, [name]: value }), { status: 400, json: { code: 'decode.malformed' } }, `${name} ${value}`);
    t.match(await post({ instead: 1, highWindowMs: 5 * 24 * HOUR, farWindowMs: 4 * 24 * HOUR }), {
      status: 400,
      json: { code: 'decode.out_of_range' },
    });
    t.match(await post({ minimumOverlapMs: 5 * MINUTE }), { status: 400 }, 'which one it takes the place of is to be said');
    t.match(await post({ instead: 7, minimumOverlapMs: 5 * MINUTE }), { status: 409, json: { code: 'policy.older' } });
    t.match(await post({ instead: 1, lingering: 5 }), { status: 400 });
    t.match(await post({ instead: 1, minimumOverlapMs: 5 * MINUTE }, { token: 'health-officer@north' }), {
      status: 403,
      json: { code: 'admission.not_allowed' },
    });
    t.match(audit.entries(1), [{ action: 'policy.set', outcome: 'refused' }]);
    t.strictSame(core.notices.policy, DEFAULT_TRACE_POLICY);
  },
);

t.test('trace policies: what was set is in force after a restart, and from the next trace on for who reads the file beside', async (t) => {
  const { open } = await fixture(t);
  const core = await open('core');
  const { policies } = core.notices;
  for (const [at, minutes] of [20, 30, 20].entries()) {
    const set = policies.set({ minimumOverlapMs: minutes * MINUTE }, { by: 'root', nowMs: NOW + at });
    t.match(set, { version: at + 2, minimumOverlapMs: minutes * MINUTE });
  }
  t.strictSame(
    policies.latest(10).map(({ policy: { version, minimumOverlapMs }, setAtMs }) => [version, minimumOverlapMs / MINUTE, setAtMs]),
    [
      [4, 20, NOW + 2],
      [3, 30, NOW + 1],
      [2, 20, NOW],
      [1, 15, undefined],
    ],
  );
  t.equal(policies.latest(3).length, 3);
  t.equal(
    outcomeOf(() => policies.set({ anchor: 'noon' as never }, { by: 'root', nowMs: NOW })),
    'decode.out_of_range',
  );
  core.close();
  const again = await open('core');
  t.match(again.notices.policy, { version: 4, minimumOverlapMs: 20 * MINUTE, anchor: 'confirmation' });
  t.ok(again.notices.policies instanceof TracePolicies);
});
