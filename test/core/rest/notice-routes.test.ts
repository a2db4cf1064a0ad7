import t, { type Test } from 'tap';
import { noticeRoutesOf } from '../../../core/rest/notice-routes.ts';
import type { Caller, Route } from '../../../core/rest/route.ts';
import { tell } from '../../../core/rest/small-counts.ts';
import { DEFAULT_TRACE_POLICY } from '../../../core/trace/trace.ts';
import { codeOf } from '../../../protocol/errors.ts';
import { newPlaceId, type VenueId, type VisitorUuid } from '../../../protocol/ids.ts';
import { until } from '../../support/until.ts';
import { fixture, NOW } from '../core-fixture.ts';
import { checkIn, HOUR, KioskStub, MINUTE, newCard } from '../kiosk-stub.ts';

interface Shown {
  readonly exposures: readonly {
    readonly contact: string;
    readonly level: string;
    readonly lineage: readonly { readonly venue: string }[];
  }[];
  readonly clusters: readonly { readonly venue: string; readonly visitors: unknown; readonly cases: number }[];
  readonly notices: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly policyVersion: number;
  readonly next?: string;
}

const officer = (...regions: string[]): Caller => ({
  ...{ role: 'health-officer', subject: 'officer-1', machine: undefined, purpose: 'contact-tracing' },
  regions: regions.length === 0 ? 'all' : regions,
});

/** A core with a policy of its own, two venues in two regions, and a confirmed case who met six at the one and one at the other. */
async function opened(t: Test) {
  const { open, keys, clock } = await fixture(t);
  const core = await open('core', { tracing: { ...DEFAULT_TRACE_POLICY, version: 7, minimumOverlapMs: 5 * MINUTE } });
  const north = new KioskStub(keys, { region: 'north' });
  const south = new KioskStub(keys, { region: 'south' });
  const [sick, elsewhere] = [newCard(), newCard()];
  const met = Array.from({ length: 6 }, newCard);
  const come = (card: VisitorUuid, minutesAgo: number) => ({ happening: checkIn(card), atMs: NOW - minutesAgo * MINUTE });
  await core.accept([await north.batch([come(sick, 300), ...met.map((card, at) => come(card, 290 - at))], NOW)]);
  await core.accept([await south.batch([come(sick, 100), come(elsewhere, 90)], NOW)]);
  const said = { card: sick, state: 'confirmed', source: 'officer', by: 'officer-1', key: 'one', region: 'north' } as const;
  const { id } = core.cases.raise(said);
  await until(() => core.notices.book.ofSource(`case/${id}`, 0, 1).length > 0);
  const routes = noticeRoutesOf({ core, clock });
  /** As the server does: checked, carried out, checked. @returns the answer, or why not. */
  const ask = async (path: string, params: object, caller = officer(), query: object = {}): Promise<Shown | string> => {
    const route = routes.find((one) => one.path === path) as Route;
    const read = (schema: Route['body'], value: unknown): unknown => (schema === undefined ? undefined : schema.parse(value));
    try {
      const signal = AbortSignal.any([]);
      const asked = {
        caller,
        params: read(route.params, params),
        query: read(route.query, query),
        body: undefined,
        address: '::1',
        signal,
        writeDown: () => {},
      };
      return route.answer.parse(await route.handle(asked)) as unknown as Shown;
    } catch (error) {
      return codeOf(error) ?? (error as Error).constructor.name;
    }
  };
  return { core, ask, id, met, sick, north: north.placement.venue, south: south.placement.venue };
}

t.test('notice routes: exposures of a case come a page at a time, by venues of one’s regions, and name nobody', async (t) => {
  const { ask, id, met, sick, north, south } = await opened(t);
  const path = '/core/1/cases/:case/exposures';
  const all = (await ask(path, { case: String(id) })) as Shown;
  t.equal(all.exposures.length, 7);
  t.match(all.exposures[0], { level: 'high', order: 1, policyVersion: 7, venueRuleVersion: 0 });
  t.strictSame(new Set(all.exposures.flatMap(({ lineage }) => lineage.map(({ venue }) => venue))), new Set([north, south]));
  const text = JSON.stringify(all);
  for (const card of [...met, sick]) t.notOk(text.includes(Buffer.from(card).toString('hex')));
  const again = (await ask(path, { case: String(id) })) as Shown;
  t.not(again.exposures[0]?.contact, all.exposures[0]?.contact, 'what a contact is called holds for one answer');

  const own = (await ask(path, { case: String(id) }, officer('north'))) as Shown;
  t.strictSame(new Set(own.exposures.flatMap(({ lineage }) => lineage.map(({ venue }) => venue))), new Set([north]));
  t.equal(await ask(path, { case: String(id) }, officer('south')), 'NotThere', 'a case of another region');
  t.equal(await ask(path, { case: '99' }), 'NotThere');

  const seen: number[] = [];
  let cursor: string | undefined;
  do {
    const page = (await ask(path, { case: String(id) }, officer(), { limit: '3', ...(cursor && { cursor }) })) as Shown;
    seen.push(page.exposures.length);
    cursor = page.next;
  } while (cursor !== undefined);
  t.strictSame(seen, [3, 3, 1]);
});

t.test('notice routes: clusters are found by the policy in force, small counts withheld', async (t) => {
  const { ask, id, north, south } = await opened(t);
  const path = '/core/1/cases/:case/clusters';
  const { clusters, policyVersion } = (await ask(path, { case: String(id) })) as Shown;
  t.equal(policyVersion, 7);
  t.strictSame(new Set(clusters.map(({ venue }) => venue)), new Set([north, south]));
  t.equal(clusters.find(({ venue }) => venue === north)?.visitors, tell(6));
  t.equal(clusters.find(({ venue }) => venue === south)?.visitors, tell(1));
  t.not(tell(1), 1, 'one is not told as one');
  const own = (await ask(path, { case: String(id) }, officer('north'))) as Shown;
  t.strictSame(
    own.clusters.map(({ venue }) => venue),
    [north],
  );
});

t.test('notice routes: a venue’s notices are by whole hours, of one’s own venues', async (t) => {
  const { ask, north } = await opened(t);
  const path = '/core/1/venues/:venue/notices';
  const { notices } = (await ask(path, { venue: north })) as Shown;
  t.equal(notices.length, 1);
  for (const { fromMs, toMs } of notices) t.strictSame([fromMs % HOUR, toMs % HOUR], [0, 0]);
  t.equal(await ask(path, { venue: north }, officer('south')), 'NotThere');
  t.equal(await ask(path, { venue: newPlaceId<VenueId>() }, officer('north')), 'NotThere');
  t.equal(await ask(path, { venue: 'no venue' }), 'ZodError');
  const gateway = (machine: string): Caller => ({ role: 'gateway', subject: machine, machine, purpose: 'venue-measures', regions: 'all' });
  t.equal(((await ask(path, { venue: north }, gateway('first'))) as Shown).notices.length, 1, 'its gateway, which tells the venue');
  t.equal(await ask(path, { venue: north }, gateway('south')), 'NotThere', 'no other');
});
