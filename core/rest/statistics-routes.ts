/** What an analyst may count: visits by venue and hour, and how many met how many. Small counts are withheld (small-counts.ts). */
import { z } from 'zod';
import { DecodeError } from '../../protocol/errors.ts';
import type { VenueId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { DAY_MS, type Day, dayOf, startOfDay } from '../day.ts';
import type { Gateways } from '../gateways.ts';
import { CLASSES, visitsByHour, visitsByOthers } from '../statistics.ts';
import type { VisitStore } from '../store.ts';
import { Turns } from '../trace/turns.ts';
import { cutPage, keyOf, next, pageQuery } from './pages.ts';
import { sees } from './roles.ts';
import { type Caller, type Route, route } from './route.ts';
import { type Told, tell, told } from './small-counts.ts';
import { SteadyCounts } from './steady-counts.ts';

export interface StatisticsSources {
  readonly gateways: Pick<Gateways, 'venues'>;
  readonly visits: () => VisitStore;
  readonly clock: Clock;
}

/** Each venue is looked at anew: milliseconds, in which kiosks wait. */
const MOST_VENUES = 50;
const MINIMUM_OVERLAP_MS = 15 * 60_000;

const query = pageQuery(MOST_VENUES).extend({
  day: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d$/)
    .describe('UTC; one that is over: what is told twice must not tell who came in between'),
});
const venue = z.string().describe("the venue's id");
const region = z.string().optional();
const classes = CLASSES.map(([least, most]) => (Number.isFinite(most) ? (least === most ? `${least}` : `${least}-${most}`) : `${least}+`));

export function statisticsRoutesOf({ gateways, visits, clock }: StatisticsSources): Route[] {
  const steady = new SteadyCounts();
  const toldOf = (table: string, counts: readonly number[]): Told[] => steady.steady(table, counts).map(tell);
  const of = async <T>(
    caller: Caller,
    { day, limit, cursor }: z.infer<typeof query>,
    count: (store: VisitStore, venue: VenueId, day: Day) => T,
    signal: AbortSignal,
  ) => {
    if (day >= dayOf(clock.wall())) throw new DecodeError('decode.out_of_range', 'day: one that is over');
    const after = cursor === undefined ? '' : keyOf(cursor);
    const seen = gateways.venues().filter((one) => one.venue > after && sees(caller.regions, one.region));
    const page = cutPage(seen, limit, (one) => one.venue);
    const store = visits();
    const turns = new Turns(clock, signal);
    const fromMs = startOfDay(day as Day);
    const done = await store.makeReady({ fromMs, toMs: fromMs + DAY_MS - 1 }, turns);
    const venues: (T & { venue: string; region?: string })[] = [];
    try {
      for (const one of page.rows) {
        venues.push({
          venue: one.venue,
          ...(one.region === undefined ? {} : { region: one.region }),
          ...count(store, one.venue, day as Day),
        });
        // A PUBACK waits behind this.
        if (turns.isOver) await turns.next();
      }
    } finally {
      done();
    }
    return { day, venues, ...(page.next === undefined ? {} : { next: page.next }) };
  };

  return [
    route({
      method: 'GET',
      path: '/core/1/statistics/visits',
      summary: 'How many visits began in each hour of a day, by venue',
      roles: ['analyst'],
      purposes: ['statistics', 'venue-measures'],
      query,
      answer: z.object({
        day: z.string(),
        venues: z.array(z.object({ venue, region, visits: z.array(told).length(24).describe('of each hour, UTC') })),
        next,
      }),
      rows: { most: MOST_VENUES, of: ({ venues }) => venues.length },
      audit: { action: 'look.visits', about: ({ query }) => query.day },
      handle: ({ caller, query, signal }) =>
        of(caller, query, (store, venue, day) => ({ visits: toldOf(`hours ${venue} ${day}`, visitsByHour(store, venue, day)) }), signal),
    }),
    route({
      method: 'GET',
      path: '/core/1/statistics/contacts',
      summary: 'How many visits of a day met how many others of that day for a quarter of an hour, by venue',
      roles: ['analyst'],
      purposes: ['statistics', 'venue-measures'],
      query,
      answer: z.object({
        day: z.string(),
        others: z.array(z.string()).describe('the classes, as the counts below are ordered'),
        venues: z.array(z.object({ venue, region, visits: z.array(told).length(CLASSES.length) })),
        next,
      }),
      rows: { most: MOST_VENUES, of: ({ venues }) => venues.length },
      audit: { action: 'look.contacts', about: ({ query }) => query.day },
      handle: async ({ caller, query, signal }) => ({
        others: classes,
        ...(await of(
          caller,
          query,
          (store, venue, day) => ({ visits: toldOf(`others ${venue} ${day}`, visitsByOthers(store, venue, day, MINIMUM_OVERLAP_MS)) }),
          signal,
        )),
      }),
    }),
  ];
}
