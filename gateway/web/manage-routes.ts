/** The HTTP API's part for who sets venues and kiosks up: what the command `vestibule venue` does; codes are in a file of their own. */
import { z } from 'zod';
import { type DeploymentId, newVenueId, type VenueId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { VENUE_KINDS } from '../policy/venue.ts';
import type { Registry } from '../registry.ts';
import { codeRoutesOf } from './code-routes.ts';
import { type Route, route } from './route.ts';
import * as schema from './schema.ts';

export interface ManageSources {
  /** The gateway's. */
  readonly directory: string;
  readonly registry: Registry;
  readonly deployment: DeploymentId;
  readonly clock: Clock;
}

const words = z.string().trim().max(100);
const direction = z.enum(['in', 'out', 'both']);

/** What a person may say of a venue here; the registry looks at each again. Thresholds are in degrees Celsius, null leaves it to the kiosks. */
const venueRules = z
  .strictObject({
    name: words.min(1),
    organisation: words,
    site: words,
    region: words,
    kind: z.enum(VENUE_KINDS),
    timezone: z.string().max(64),
    dwellMs: z.int(),
    lingeringMs: z.int(),
    thresholdCelsius: z.number().nullable(),
    unsignedCards: z.enum(['as-gateway', 'taken', 'refused']),
    areFlagsTold: z.boolean(),
    flagOverlapMs: z.int(),
    areFlaggedSuspected: z.boolean(),
  })
  .partial();

const venueParams = z.object({ venue: schema.placeIdParam });
const entranceParams = venueParams.extend({ entrance: schema.placeIdParam });

/** As the registry wants it: whole hundredths of a degree. */
function rulesOf({ thresholdCelsius, ...rules }: z.infer<typeof venueRules>): object {
  if (thresholdCelsius === undefined) return rules;
  return { ...rules, threshold: thresholdCelsius === null ? null : Math.round(thresholdCelsius * 100) };
}

export function manageRoutesOf(sources: ManageSources): Route[] {
  const { registry, deployment } = sources;
  return [
    ...codeRoutesOf(sources),
    route({
      method: 'POST',
      path: '/api/1/venues',
      summary: 'Adds a venue; name and time zone are needed',
      role: 'manager',
      body: venueRules,
      answer: z.object({ id: schema.placeIdParam }),
      audit: { action: 'venue.add' },
      handle: ({ body }) => ({ id: registry.venueBook.add(rulesOf(body), newVenueId(deployment)).id }),
    }),
    route({
      method: 'PUT',
      path: '/api/1/venues/:venue',
      summary: "Changes what is named of a venue's rules; its kiosks are told within a second",
      role: 'manager',
      params: venueParams,
      body: venueRules,
      answer: z.object({}),
      audit: { action: 'venue.edit', about: ({ params, body }) => `${params.venue} ${Object.keys(body).join(' ')}` },
      handle: ({ params, body }) => {
        registry.venueBook.edit(params.venue as VenueId, rulesOf(body));
        return {};
      },
    }),
    route({
      method: 'PUT',
      path: '/api/1/venues/:venue/entrances',
      summary: 'Adds an entrance, or gives the one of that name or id another direction, or another name',
      role: 'manager',
      params: venueParams,
      body: z
        .strictObject({
          name: words.min(1).describe('of the entrance, or its id'),
          direction: direction.optional().describe('told to its kiosks; needed for a new one'),
          rename: words.min(1).optional().describe('what it is called from now on'),
        })
        .refine(({ direction: way, rename }) => way !== undefined || rename !== undefined, 'neither direction nor rename'),
      answer: z.object({}),
      audit: { action: 'venue.entrance', about: ({ params }) => params.venue },
      handle: ({ params, body }) => {
        const { name, direction: way, rename } = body;
        const venue = params.venue as VenueId;
        registry.venueBook.together(() => {
          if (way !== undefined) registry.venueBook.putEntrance(venue, { name, direction: way });
          if (rename !== undefined) registry.venueBook.renameEntrance(venue, name, rename);
        });
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/1/venues/:venue/entrances/:entrance',
      summary: 'Removes an entrance at which no kiosk was ever admitted',
      role: 'manager',
      params: entranceParams,
      answer: z.object({}),
      audit: { action: 'venue.entrance', about: ({ params }) => `${params.venue} without ${params.entrance}` },
      handle: ({ params }) => {
        registry.venueBook.removeEntrance(params.venue as VenueId, params.entrance);
        return {};
      },
    }),
  ];
}
