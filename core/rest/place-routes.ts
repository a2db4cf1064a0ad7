/** Gateways, their venues, and who was where together: what a health officer asks of a card, within their own regions. */
import { z } from 'zod';
import { decodeCode } from '../../protocol/code.ts';
import { CodeError } from '../../protocol/errors.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import type { Core } from '../core.ts';
import { cutPage, keyOf, next, numberOf, pageQuery } from './pages.ts';
import { sees } from './roles.ts';
import { type Route, route } from './route.ts';

export interface PlaceSources {
  readonly core: Pick<Core, 'gateways' | 'overlapsWith'>;
}

const MOST_VENUES = 500;
const MOST_OVERLAPS = 500;
const count = z.int().min(0);
const place = z.string();

const overlap = z.object({
  contact: z.string().describe('for people to speak of; holds for this venue, day and answer only'),
  venue: place,
  day: z.string().describe("UTC, of the overlap's start"),
  overlapMs: count,
  isCertain: z.boolean().describe('whether the minimum is reached whatever the clocks were'),
  groupSize: count,
  isDoubtful: z.boolean(),
  order: count.describe('1 for the overlap that started first'),
});

export function placeRoutesOf({ core }: PlaceSources): Route[] {
  const { gateways } = core;
  return [
    route({
      method: 'GET',
      path: '/core/1/gateways',
      summary: 'The gateways and partner systems that are let in, and what belongs to each',
      roles: ['administrator'],
      purposes: ['operation'],
      answer: z.object({
        machines: z.array(
          z.object({
            name: z.string(),
            role: z.enum(['gateway', 'partner']),
            deployment: z.string().optional(),
            regions: z.union([z.literal('all'), z.array(z.string())]),
            addedAtMs: count,
            kiosks: count,
            venues: count,
            taken: count.describe("how far its ledger was taken; 0 for a partner's"),
          }),
        ),
      }),
      audit: { action: 'look.gateways' },
      handle: () => ({
        machines: gateways.list().map(({ name, role, no, deployment, regions, addedAtMs }) => ({
          ...{ name, role, addedAtMs },
          ...(deployment === undefined ? {} : { deployment }),
          regions: regions === 'all' ? regions : [...regions],
          ...gateways.holdings({ no, name, role, deployment, regions, addedAtMs }),
          taken: gateways.taken(no),
        })),
      }),
    }),
    route({
      method: 'GET',
      path: '/core/1/venues',
      summary: "The venues of one's regions, each with its gateway",
      roles: ['health-officer', 'analyst', 'administrator'],
      purposes: ['contact-tracing', 'venue-measures', 'statistics', 'operation'],
      query: pageQuery(MOST_VENUES),
      answer: z.object({ venues: z.array(z.object({ venue: place, gateway: z.string(), region: z.string().optional() })), next }),
      rows: { most: MOST_VENUES, of: ({ venues }) => venues.length },
      audit: { action: 'look.venues' },
      handle: ({ caller, query: { limit, cursor } }) => {
        const after = cursor === undefined ? '' : keyOf(cursor);
        // Who runs the core has to see those of no region, too: ids and names of gateways, and nobody's visits.
        const isOwn = (region: string | undefined): boolean => caller.role === 'administrator' || sees(caller.regions, region);
        const page = cutPage(
          gateways.venues().filter(({ venue, region }) => venue > after && isOwn(region)),
          limit,
          ({ venue }) => venue,
        );
        const venues = page.rows.map(({ region, ...rest }) => ({ ...rest, ...(region === undefined ? {} : { region }) }));
        return { venues, ...(page.next === undefined ? {} : { next: page.next }) };
      },
    }),
    route({
      method: 'POST',
      path: '/core/1/overlaps',
      summary: "Who was at the same place at the same time as the holder of a card, at venues of one's regions; names nobody",
      roles: ['health-officer'],
      purposes: ['contact-tracing'],
      query: pageQuery(MOST_OVERLAPS),
      body: z.strictObject({
        code: z.string().min(1).max(256).describe('the card, as a scanner reads it'),
        minimumMinutes: z.number().positive().max(1_440).default(15),
      }),
      answer: z.object({
        overlaps: z.array(overlap),
        isElsewhere: z.boolean().describe('whether there are more, in regions of others: their health offices can ask for them'),
        unreadableDays: z.array(z.string()).describe('of which the answer knows nothing'),
        next,
      }),
      rows: { most: MOST_OVERLAPS, of: ({ overlaps }) => overlaps.length },
      audit: { action: 'look.overlaps' },
      handle: async ({ caller, body, query: { limit, cursor } }) => {
        const card = cardIn(body.code);
        const unreadableDays: string[] = [];
        const all = await core.overlapsWith(card, {
          minimumOverlapMs: Math.round(body.minimumMinutes * 60_000),
          onUnreadable: (day) => unreadableDays.push(day),
        });
        // By one minimum, whatever was asked for: told by the minimum, it would say how long they met in a region of others.
        const anyMinimum = await core.overlapsWith(card, { onUnreadable: () => {} });
        const own = all
          .filter(({ venue }) => sees(caller.regions, gateways.regionOf(venue)))
          .map((overlap, at) => ({ ...overlap, order: at + 1 }));
        const after = numberOf(cursor, 0);
        const page = cutPage(
          own.filter(({ order }) => order > after),
          limit,
          ({ order }) => String(order),
        );
        return {
          overlaps: [...page.rows],
          isElsewhere: anyMinimum.some(({ venue }) => !sees(caller.regions, gateways.regionOf(venue))),
          unreadableDays,
          ...(page.next === undefined ? {} : { next: page.next }),
        };
      },
    }),
  ];
}

/** @throws CodeError for whatever is not a card. */
function cardIn(text: string): VisitorUuid {
  const code = decodeCode(text.trim());
  if (code.kind !== 'visitor' && code.kind !== 'group' && code.kind !== 'unsigned')
    throw new CodeError('code.kind', `a ${code.kind} code: not a visitor's card`);
  return code.card;
}
