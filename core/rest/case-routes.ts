/**
 * Cases: results of tests by clinicians, what health officers suspect, confirm and dismiss, and what partner systems alert to. A case is named by
 * its number, a card only by whoever has it, in a body.
 */
import { z } from 'zod';
import { decodeCode } from '../../protocol/code.ts';
import { CodeError, DecodeError } from '../../protocol/errors.ts';
import { RESULTS } from '../../protocol/event.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import { CASE_SOURCES, CASE_STATES, type Case } from '../case/case.ts';
import type { Cases, CaseToRaise } from '../case/cases.ts';
import type { Gateways } from '../gateways.ts';
import type { HolderDesk } from '../holder/holder-desk.ts';
import { cutPage, next, numberOf, pageQuery } from './pages.ts';
import { sees } from './roles.ts';
import { type Caller, NotThere, type Route, route } from './route.ts';

export interface CaseSources {
  readonly core: {
    readonly cases: Pick<Cases, 'record' | 'raise' | 'decide' | 'find' | 'list' | 'venueOfSticker'>;
    readonly gateways: Pick<Gateways, 'regionOf'>;
    readonly holder: Pick<HolderDesk, 'isTakenBack'>;
  };
  readonly clock: Clock;
}

const MOST_CASES = 500;
const LATEST_MS = 253_402_300_799_999;

const code = z.string().min(1).max(256);
const key = z
  .string()
  .regex(/^[\x21-\x7e]{1,64}$/)
  .describe('the same request again, with the same key, changes nothing; another one under it is refused');
const atMs = z.int().min(0).max(LATEST_MS).describe('ms since 1970, UTC; not in the future');
const region = z.string().min(1).max(100).describe('under whose health office; one of your own');
const times = { testedAtMs: atMs.optional(), onsetAtMs: atMs.optional() };

const shownCase = z.object({
  case: z.int().min(1),
  state: z.enum(CASE_STATES),
  source: z.enum(CASE_SOURCES),
  isDecided: z.boolean().describe('whether a health officer has decided; then its source changes nothing'),
  confirmedAtMs: atMs.optional(),
  testedAtMs: atMs.optional(),
  onsetAtMs: atMs.optional(),
  raisedAtMs: atMs,
  changedAtMs: atMs,
  region: z.string().optional(),
});
type ShownCase = z.infer<typeof shownCase>;

const STICKER_STATES = ['unused', 'linked', 'expired', ...RESULTS] as const;

export function caseRoutesOf({ core: { cases, gateways, holder }, clock }: CaseSources): Route[] {
  const regionOf = (one: Case): string | undefined => one.region ?? (one.venue && gateways.regionOf(one.venue));
  const show = (one: Case): ShownCase => {
    const { id, state, source, isDecided, confirmedAtMs, testedAtMs, onsetAtMs, raisedAtMs, changedAtMs } = one;
    const of = regionOf(one);
    return {
      ...{ case: id, state, source, isDecided, raisedAtMs, changedAtMs },
      ...(confirmedAtMs === undefined ? {} : { confirmedAtMs }),
      ...(testedAtMs === undefined ? {} : { testedAtMs }),
      ...(onsetAtMs === undefined ? {} : { onsetAtMs }),
      ...(of === undefined ? {} : { region: of }),
    };
  };
  const refuseFuture = (...moments: readonly (number | undefined)[]): void => {
    if (moments.some((moment) => moment !== undefined && moment > clock.wall()))
      throw new DecodeError('decode.out_of_range', 'case: a time that is yet to come');
  };
  const raise = (said: Omit<CaseToRaise, 'card'>, text: string, caller: Caller): ShownCase => {
    if (!sees(caller.regions, said.region)) throw new NotThere('a region of yours');
    refuseFuture(said.testedAtMs, said.onsetAtMs, said.confirmedAtMs);
    const card = cardIn(text);
    // Nothing is kept under it any more, whoever says it.
    if (holder.isTakenBack(card)) throw new NotThere('a card that is in use');
    return show(cases.raise({ ...said, card }));
  };

  return [
    route({
      method: 'POST',
      path: '/core/1/results',
      summary: 'Records what a test showed, by its sticker; voids one that is to be of no use',
      roles: ['clinician'],
      purposes: ['case-management'],
      body: z.strictObject({ sticker: code.describe('the sticker, as a scanner reads it'), result: z.enum(RESULTS), key }),
      answer: z.object({ state: z.enum(STICKER_STATES) }),
      audit: { action: 'result.record' },
      handle: ({ caller, body }) => {
        const sticker = stickerIn(body.sticker);
        const venue = cases.venueOfSticker(sticker);
        // One that was never linked has no place yet: anybody may take it out of use, and nobody can record anything else for it.
        if (venue !== undefined && !sees(caller.regions, gateways.regionOf(venue))) throw new NotThere('a sticker of a clinic of yours');
        return { state: cases.record({ sticker, result: body.result, recorder: caller.subject, key: body.key, venue }) };
      },
    }),
    route({
      method: 'GET',
      path: '/core/1/cases',
      summary: "The cases of one's regions, by number: no cards, no names",
      roles: ['health-officer'],
      purposes: ['contact-tracing', 'case-management'],
      query: pageQuery(MOST_CASES),
      answer: z.object({ cases: z.array(shownCase), next }),
      rows: { most: MOST_CASES, of: (answer) => answer.cases.length },
      audit: { action: 'look.cases' },
      handle: ({ caller, query: { limit, cursor } }) => {
        const own: Case[] = [];
        let last = numberOf(cursor, 0);
        for (let some = cases.list(last, MOST_CASES); some.length > 0 && own.length <= limit; some = cases.list(last, MOST_CASES)) {
          own.push(...some.filter((one) => sees(caller.regions, regionOf(one))));
          last = some.at(-1)?.id ?? last;
        }
        const page = cutPage(own, limit, ({ id }) => String(id));
        return { cases: page.rows.map(show), ...(page.next === undefined ? {} : { next: page.next }) };
      },
    }),
    route({
      method: 'POST',
      path: '/core/1/cases',
      summary: 'Raises a case of a card, suspected or confirmed',
      roles: ['health-officer'],
      purposes: ['case-management'],
      body: z.strictObject({
        card: code.describe('the card, as a scanner reads it'),
        state: z.enum(['suspected', 'confirmed']),
        region,
        key,
        ...times,
      }),
      answer: shownCase,
      audit: { action: 'case.raise' },
      handle: ({ caller, body: { card, ...said } }) => raise({ ...said, source: 'officer', by: caller.subject }, card, caller),
    }),
    route({
      method: 'POST',
      path: '/core/1/cases/:case/decision',
      summary: 'Suspects, confirms or dismisses a case: from then on what its source says changes nothing',
      roles: ['health-officer'],
      purposes: ['case-management'],
      params: z.strictObject({ case: z.coerce.number().int().min(1) }),
      body: z.strictObject({ state: z.enum(CASE_STATES), onsetAtMs: atMs.optional() }),
      answer: shownCase,
      audit: { action: 'case.decide', about: ({ params }) => `case ${params.case}` },
      handle: ({ caller, params, body: { state, onsetAtMs } }) => {
        refuseFuture(onsetAtMs);
        const known = cases.find(params.case);
        if (known === undefined || !sees(caller.regions, regionOf(known))) throw new NotThere('a case of yours');
        const decided = cases.decide(params.case, state, { onsetAtMs });
        if (decided === undefined) throw new NotThere('a case of yours');
        return show(decided);
      },
    }),
    route({
      method: 'POST',
      path: '/core/1/alerts',
      summary: 'Takes what another system knows of the holder of a card',
      roles: ['partner'],
      purposes: ['case-management'],
      body: z.strictObject({
        card: code.describe('the card, as a scanner reads it'),
        state: z.enum(['suspected', 'confirmed']),
        confirmedAtMs: atMs.optional(),
        ...{ region, key, ...times },
      }),
      answer: shownCase,
      audit: { action: 'case.alert' },
      handle: ({ caller, body: { card, ...said } }) =>
        raise({ ...said, source: 'partner', by: caller.machine ?? caller.subject }, card, caller),
    }),
  ];
}

/** @throws CodeError for whatever is not a card. */
function cardIn(text: string): VisitorUuid {
  const read = decodeCode(text.trim());
  if (read.kind !== 'visitor' && read.kind !== 'group' && read.kind !== 'unsigned')
    throw new CodeError('code.kind', `a ${read.kind} code: not a visitor's card`);
  return read.card;
}

/** Who made it is not asked: one that no clinic has linked makes no case. @throws CodeError for whatever is not a sticker. */
function stickerIn(text: string): Uint8Array {
  const read = decodeCode(text.trim());
  if (read.kind !== 'sticker') throw new CodeError('code.kind', `a ${read.kind} code: not a test sticker`);
  return read.sticker;
}
