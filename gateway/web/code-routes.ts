/** The HTTP API's part for enrolment codes: what the command `vestibule enrol` does. */
import { z } from 'zod';
import type { EntranceId, KioskId, VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import type { GivenCode } from '../enrol/code-book.ts';
import { type CodeDesk, LONGEST_LIFE_MS, openCodeDesk, SHORTEST_LIFE_MS } from '../enrol/give-codes.ts';
import { kioskName } from '../kiosk-name.ts';
import { symbolRows } from './code-symbol.ts';
import type { ManageSources } from './manage-routes.ts';
import { NotThere, type Route, route } from './route.ts';
import * as schema from './schema.ts';

const direction = z.enum(['in', 'out', 'both']);
const MOST_CODES = 500;

const codeOrder = z
  .strictObject({
    venue: schema.placeIdParam.optional(),
    entrance: schema.placeIdParam.optional().describe("one of the venue's; left out: a new one"),
    direction: direction.optional(),
    replaces: schema.placeIdParam
      .optional()
      .describe('the kiosk whose place and entrance it takes, which is revoked when the code is used'),
    name: kioskName.optional().describe('what the kiosk will be called; left out: as the one that it replaces, else nothing'),
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

const codeView = z.object({
  number: z.int().min(1),
  state: z.enum(['open', 'used', 'withdrawn', 'expired']),
  venue: schema.placeIdParam,
  entrance: schema.placeIdParam,
  direction: direction.optional(),
  replaces: schema.placeIdParam.optional(),
  name: z.string().optional().describe('that was asked for'),
  kiosk: schema.placeIdParam.optional().describe('which it became'),
  madeAtMs: z.int(),
  expiresAtMs: z.int(),
});
type CodeView = z.infer<typeof codeView>;

export function codeRoutesOf({ directory, clock }: ManageSources): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/1/codes',
      summary: 'Codes that were given out, the newest 500: which are open, and which kiosk each became; never the code itself',
      role: 'manager',
      answer: z.object({ codes: z.array(codeView) }),
      audit: { action: 'look.codes' },
      handle: () =>
        withDesk(directory, ({ book }) => ({
          codes: book
            .codes()
            .slice(0, MOST_CODES)
            .map((code) => codeViewOf(code, clock.wall())),
        })),
    }),
    route({
      method: 'POST',
      path: '/api/1/codes',
      summary: 'Gives out a code by which one machine becomes a kiosk',
      role: 'manager',
      body: codeOrder,
      answer: givenCode,
      audit: { action: 'code.give', about: ({ body }) => body.replaces ?? body.venue ?? '' },
      handle: ({ body }) =>
        withDesk(directory, (desk) => {
          const nowMs = clock.wall();
          const door = {
            venue: body.venue as VenueId,
            entrance: body.entrance as EntranceId | undefined,
            direction: body.direction,
            role: 'kiosk',
            name: body.name,
          } as const;
          const [code] =
            body.replaces === undefined
              ? desk.give([door], body.lifeMs, nowMs)
              : [desk.giveInPlaceOf(body.replaces as KioskId, body.lifeMs, nowMs, body.name)];
          if (code === undefined) throw new TypeError('codes: none was given');
          const { number, text, venueName, expiresAtMs } = code;
          desk.book.open([number]);
          return { number, text, symbol: symbolRows(text), venueName, expiresAtMs };
        }),
    }),
    route({
      method: 'DELETE',
      path: '/api/1/codes/:number',
      summary: 'Takes a code back that nobody has used',
      role: 'manager',
      params: z.object({ number: z.coerce.number().int().min(1) }),
      answer: z.object({}),
      audit: { action: 'code.withdraw', about: ({ params }) => String(params.number) },
      handle: ({ params }) =>
        withDesk(directory, ({ book }) => {
          if (!book.withdraw(params.number, clock.wall())) throw new NotThere('no such code, or it was used or withdrawn already');
          return {};
        }),
    }),
  ];
}

function codeViewOf(code: GivenCode, nowMs: EpochMillis): CodeView {
  const { number, venue, entrance, bound, withdrawnAtMs, madeAtMs, expiresAtMs } = code;
  const unused = withdrawnAtMs !== undefined ? 'withdrawn' : nowMs < expiresAtMs ? 'open' : 'expired';
  return {
    ...{ number, venue, entrance, madeAtMs, expiresAtMs },
    state: bound === undefined ? unused : 'used',
    ...(code.direction === undefined ? {} : { direction: code.direction }),
    ...(code.replaces === undefined ? {} : { replaces: code.replaces }),
    ...(code.name === undefined ? {} : { name: code.name }),
    ...(bound === undefined ? {} : { kiosk: bound.kiosk }),
  };
}

/** Opened for each request: the command writes the same file. */
async function withDesk<T>(directory: string, use: (desk: CodeDesk) => T): Promise<T> {
  const desk = await openCodeDesk(directory);
  try {
    return use(desk);
  } finally {
    desk.close();
  }
}
