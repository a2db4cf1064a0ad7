/** What came of a case, for health officers within their regions: who was exposed and by which rows, which venues were told, and where it may come from. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { VenueId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { anchorOf, type Case } from '../case/case.ts';
import type { Core } from '../core.ts';
import { dayOf } from '../day.ts';
import { contactPseudonym } from '../pseudonym.ts';
import { cursorOf, next, numberOf, pageQuery } from './pages.ts';
import { sees } from './roles.ts';
import { type Caller, NotThere, type Route, route } from './route.ts';
import { tell, told } from './small-counts.ts';

export interface NoticeSources {
  readonly core: Pick<Core, 'notices' | 'cases' | 'gateways' | 'backwardClusters'>;
  readonly clock: Clock;
}

const MOST_EXPOSURES = 200;
const MOST_VENUE_NOTICES = 500;
const MOST_CLUSTERS = 500;
const count = z.int().min(0);
const caseParams = z.strictObject({ case: z.coerce.number().int().min(1) });

const step = z.object({
  of: z
    .enum(['case', 'between'])
    .describe('`case`: the case and the person between, or this contact; `between`: that person and this contact'),
  venue: z.string(),
  fromMs: count,
  toMs: count,
  overlapMs: count,
  isCertain: z.boolean().describe('whether the minimum is reached whatever the clocks were'),
  isDoubtful: z.boolean(),
  groupSize: count,
  rows: z.array(z.object({ stream: count, seq: count })).describe('the scans that made it, by kiosk under one key and number'),
});

export function noticeRoutesOf({ core, clock }: NoticeSources): Route[] {
  const { cases, gateways, notices } = core;
  const own = (caller: Caller, id: number): Case => {
    const found = cases.find(id);
    const region = found && (found.region ?? (found.venue && gateways.regionOf(found.venue)));
    if (found === undefined || !sees(caller.regions, region)) throw new NotThere('a case of your regions');
    return found;
  };
  const isOwnVenue = (caller: Caller, venue: VenueId): boolean =>
    caller.role === 'gateway'
      ? gateways.venues().some((one) => one.venue === venue && one.gateway === caller.machine)
      : sees(caller.regions, gateways.regionOf(venue));
  return [
    route({
      method: 'GET',
      path: '/core/1/cases/:case/exposures',
      summary: 'Who was exposed to a case, as far as at venues of one’s regions, and which rows say so; names nobody',
      roles: ['health-officer'],
      purposes: ['contact-tracing'],
      params: caseParams,
      query: pageQuery(MOST_EXPOSURES),
      answer: z.object({
        exposures: z.array(
          z.object({
            contact: z.string().describe('for people to speak of; holds for this answer only'),
            level: z.enum(['high', 'medium', 'flag']),
            order: z.int().min(1).max(2),
            day: z.string().describe('UTC, of the longest meeting'),
            overlapMs: count,
            isCertain: z.boolean(),
            policyVersion: count,
            venueRuleVersion: count.describe('of a flag: by which version of its venue’s rule; else 0'),
            raisedAtMs: count.optional(),
            firstShownAtMs: count.optional(),
            endsAtMs: count.optional(),
            lineage: z.array(step),
          }),
        ),
        next,
      }),
      rows: { most: MOST_EXPOSURES, of: ({ exposures }) => exposures.length },
      audit: { action: 'look.exposures', about: ({ params }) => `case ${params.case}` },
      handle: ({ caller, params, query: { limit, cursor } }) => {
        const { id } = own(caller, params.case);
        const offset = numberOf(cursor, 0);
        const found = notices.book.ofSource(`case/${id}`, offset, limit + 1);
        const answerKey = randomBytes(32);
        const exposures = found
          .slice(0, limit)
          .flatMap(({ card, degree, metAtMs, lineage, raisedAtMs, firstShownAtMs, endsAtMs, ...rest }) => {
            const seen = lineage.filter(({ venue }) => isOwnVenue(caller, venue));
            const [first] = seen;
            if (first === undefined) return [];
            const day = dayOf(metAtMs);
            return {
              ...rest,
              contact: contactPseudonym(answerKey, card, first.venue, day),
              order: degree,
              day,
              ...(raisedAtMs === undefined ? {} : { raisedAtMs }),
              ...(firstShownAtMs === undefined ? {} : { firstShownAtMs }),
              ...(endsAtMs === undefined ? {} : { endsAtMs }),
              lineage: seen.map(({ rows, ...one }) => ({ ...one, rows: [...rows] })),
            };
          });
        return { exposures, ...(found.length > limit ? { next: cursorOf(String(offset + limit)) } : {}) };
      },
    }),
    route({
      method: 'GET',
      path: '/core/1/cases/:case/clusters',
      summary: 'Where a case may have been infected: its visits of the weeks before, and how many were there',
      roles: ['health-officer'],
      purposes: ['contact-tracing'],
      params: caseParams,
      answer: z.object({
        policyVersion: count,
        clusters: z.array(z.object({ venue: z.string(), fromMs: count, toMs: count, visitors: told, cases: count })),
      }),
      rows: { most: MOST_CLUSTERS, of: ({ clusters }) => clusters.length },
      audit: { action: 'look.clusters', about: ({ params }) => `case ${params.case}` },
      handle: async ({ caller, params }) => {
        const { card, ...rest } = own(caller, params.case);
        const { policy } = notices;
        const anchorMs = Math.min(anchorOf({ card, ...rest }, policy.anchor), clock.wall());
        const known = cases.open().filter(({ state }) => state === 'confirmed');
        const found = await core.backwardClusters(
          { card, anchorMs },
          policy,
          known.map((one) => one.card),
        );
        const clusters = found
          .filter(({ venue }) => isOwnVenue(caller, venue))
          .map(({ venue, span: { fromMs, toMs }, visitors, cases }) => ({ venue, fromMs, toMs, visitors: tell(visitors), cases }));
        return { policyVersion: policy.version, clusters: clusters.slice(0, MOST_CLUSTERS) };
      },
    }),
    route({
      method: 'GET',
      path: '/core/1/venues/:venue/notices',
      summary: 'When cases were at a venue and how busy it was, for cleaning and airing; by whole hours, and of nobody',
      // A gateway for its own venues, so that whoever runs it can tell them.
      roles: ['health-officer', 'gateway'],
      purposes: ['venue-measures'],
      params: z.strictObject({ venue: z.string().regex(/^[0-9a-hjkmnp-tv-z]{16}$/) }),
      query: pageQuery(MOST_VENUE_NOTICES),
      answer: z.object({ notices: z.array(z.object({ fromMs: count, toMs: count, visitors: told })), next }),
      rows: { most: MOST_VENUE_NOTICES, of: ({ notices }) => notices.length },
      audit: { action: 'look.venue_notices', about: ({ params }) => params.venue },
      handle: ({ caller, params, query: { limit, cursor } }) => {
        const venue = params.venue as VenueId;
        if (!isOwnVenue(caller, venue)) throw new NotThere('a venue of yours');
        const beforeMs = numberOf(cursor, Number.MAX_SAFE_INTEGER);
        const found = notices.book.venues(venue, beforeMs, limit + 1);
        const page = found.slice(0, limit);
        const last = page.at(-1);
        return {
          notices: page.map(({ fromMs, toMs, visitors }) => ({ fromMs, toMs, visitors: tell(visitors ?? 0) })),
          ...(found.length > limit && last !== undefined ? { next: cursorOf(String(last.fromMs)) } : {}),
        };
      },
    }),
  ];
}
