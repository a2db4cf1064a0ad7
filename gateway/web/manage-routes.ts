/** The HTTP API's part for who sets venues and kiosks up: what the commands `vestibule enrol` and `vestibule venue` do. */
import { z } from 'zod';
import type { EntranceId, KioskId, VenueId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { LONGEST_LIFE_MS, openCodeDesk, SHORTEST_LIFE_MS } from '../enrol/give-codes.ts';
import { VENUE_KINDS } from '../policy/venue.ts';
import type { Registry } from '../registry.ts';
import { symbolRows } from './code-symbol.ts';
import { type Route, route } from './route.ts';
import * as schema from './schema.ts';

export interface ManageSources {
  /** The gateway's. */
  readonly directory: string;
  readonly registry: Registry;
  readonly clock: Clock;
}

const words = z.string().trim().max(100);
const direction = z.enum(['in', 'out', 'both']);

const codeOrder = z
  .strictObject({
    venue: schema.placeIdParam.optional(),
    entrance: schema.placeIdParam.optional().describe("one of the venue's; left out: a new one"),
    direction: direction.optional(),
    replaces: schema.placeIdParam
      .optional()
      .describe('the kiosk whose place and entrance it takes, which is revoked when the code is used'),
    lifeMs: z.int().min(SHORTEST_LIFE_MS).max(LONGEST_LIFE_MS).default(86_400_000),
  })
  .refine(({ venue, replaces }) => (venue === undefined) !== (replaces === undefined), 'either venue or replaces');

const givenCode = z.object({
  number: z.int().min(1),
  text: z.string().describe('a secret until it is used'),
  symbol: z.array(z.string()).describe('as a QR symbol: a row each, 1 for a dark module'),
  venueName: z.string(),
  expiresAtMs: z.int(),
});

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
  })
  .partial();

const venueParams = z.object({ venue: schema.placeIdParam });

/** As the registry wants it: whole hundredths of a degree. */
function rulesOf({ thresholdCelsius, ...rules }: z.infer<typeof venueRules>): object {
  if (thresholdCelsius === undefined) return rules;
  return { ...rules, threshold: thresholdCelsius === null ? null : Math.round(thresholdCelsius * 100) };
}

export function manageRoutesOf({ directory, registry, clock }: ManageSources): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/1/codes',
      summary: 'Gives out a code by which one machine becomes a kiosk',
      role: 'manager',
      body: codeOrder,
      answer: givenCode,
      audit: { action: 'code.give', about: ({ body }) => body.replaces ?? body.venue ?? '' },
      handle: async ({ body }) => {
        const desk = await openCodeDesk(directory);
        try {
          const nowMs = clock.wall();
          const door = {
            venue: body.venue as VenueId,
            entrance: body.entrance as EntranceId | undefined,
            direction: body.direction,
            role: 'kiosk',
          } as const;
          const [code] =
            body.replaces === undefined
              ? desk.give([door], body.lifeMs, nowMs)
              : [desk.giveInPlaceOf(body.replaces as KioskId, body.lifeMs, nowMs)];
          if (code === undefined) throw new TypeError('codes: none was given');
          const { number, text, venueName, expiresAtMs } = code;
          return { number, text, symbol: symbolRows(text), venueName, expiresAtMs };
        } finally {
          desk.close();
        }
      },
    }),
    route({
      method: 'POST',
      path: '/api/1/venues',
      summary: 'Adds a venue; name and time zone are needed',
      role: 'manager',
      body: venueRules,
      answer: z.object({ id: schema.placeIdParam }),
      audit: { action: 'venue.add' },
      handle: ({ body }) => ({ id: registry.venueBook.add(rulesOf(body)).id }),
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
      summary: 'Adds an entrance, or gives the one of that name another direction',
      role: 'manager',
      params: venueParams,
      body: z.strictObject({ name: words.min(1), direction }),
      answer: z.object({}),
      audit: { action: 'venue.entrance', about: ({ params }) => params.venue },
      handle: ({ params, body }) => {
        registry.venueBook.putEntrance(params.venue as VenueId, body);
        return {};
      },
    }),
  ];
}
