/** The HTTP API: what an operator's page, a script or the command line may ask of a running gateway. */
import { z } from 'zod';
import type { KioskId } from '../../protocol/ids.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Accounts } from '../accounts.ts';
import type { AuditLog } from '../audit.ts';
import type { Db } from '../database.ts';
import { kioskName } from '../kiosk-name.ts';
import { mayReplay, type QuarantineDesk, type QuarantinedItem } from '../quarantine-desk.ts';
import type { Registry } from '../registry.ts';
import type { WordsFor } from './error-words.ts';
import { flagsOf } from './flags.ts';
import { NotThere, type Route, route } from './route.ts';
import * as schema from './schema.ts';

/** The level of the process's log, which only the command line knows how to set. */
export interface LogLevelDoor {
  get(): string;
  set(level: (typeof schema.LOG_LEVELS)[number]): void;
}

export interface RouteSources {
  readonly overview: () => schema.Overview;
  readonly registry: Registry;
  readonly db: Db;
  readonly accounts: Accounts;
  readonly audit: AuditLog;
  readonly desk: QuarantineDesk;
  readonly words: WordsFor;
  readonly clock: Clock;
  readonly logLevel: LogLevelDoor;
  /** A revoked kiosk is cut off at once, not at the next tick. */
  readonly cutOff: (kiosk: KioskId) => void;
}

const MOST_ITEMS = 500;
const MOST_ENTRIES = 200;
/** More would hold up the kiosks: a tenth of a second goes to 20,000. The command reads all, in a process of its own. */
const MOST_CHECKED = 20_000;

const kioskParams = z.object({ kiosk: schema.placeIdParam });
const numberParams = z.object({ no: z.coerce.number().int().min(1) });
const done = z.object({});

export function routesOf(sources: RouteSources): Route[] {
  const { overview, registry, db, accounts, audit, desk, words, clock, logLevel, cutOff } = sources;

  const itemView = (item: QuarantinedItem): schema.QuarantineView => {
    const { code, meaning, advice } = words(item.reason);
    const { no, kiosk, receivedAtMs, sizeBytes, seq } = item;
    return { no, kiosk, receivedAtMs, code, meaning, advice, sizeBytes, ...(seq === undefined ? {} : { seq }), mayReplay: mayReplay(item) };
  };

  return [
    route({
      method: 'GET',
      path: '/api/1/overview',
      summary: 'Gateway, venues and kiosks as they are now; /api/1/live tells what changes',
      role: 'read-only',
      answer: schema.overview,
      audit: { action: 'look.overview' },
      handle: () => overview(),
    }),
    route({
      method: 'GET',
      path: '/api/1/kiosks/:kiosk',
      summary: 'One kiosk',
      role: 'read-only',
      params: kioskParams,
      answer: schema.kioskView,
      audit: { action: 'look.kiosk', about: ({ params }) => params.kiosk },
      handle: ({ params }) => overview().kiosks.find(({ kiosk }) => kiosk === params.kiosk) ?? missing('no such kiosk'),
    }),
    route({
      method: 'POST',
      path: '/api/1/kiosks/:kiosk/revoke',
      summary: 'Takes its admission back and cuts it off at once; what it keeps it can not send any more',
      role: 'manager',
      params: kioskParams,
      body: z.strictObject({ confirm: schema.placeIdParam.describe("the kiosk's id once more: what was confirmed is what is done") }),
      answer: done,
      audit: { action: 'kiosk.revoke', about: ({ params }) => params.kiosk },
      handle: ({ params, body }) => {
        if (body.confirm !== params.kiosk) missing('the confirmation names another kiosk');
        if (!registry.revoke(params.kiosk as KioskId, clock.wall())) missing('no such kiosk is admitted');
        cutOff(params.kiosk as KioskId);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/api/1/kiosks/:kiosk/admit',
      summary: 'Admits a revoked kiosk again, at the door where it hung; it comes back by itself, and sends what it kept',
      role: 'manager',
      params: kioskParams,
      body: z.strictObject({ confirm: schema.placeIdParam.describe("the kiosk's id once more") }),
      answer: done,
      audit: { action: 'kiosk.admit', about: ({ params }) => params.kiosk },
      handle: ({ params, body }) => {
        if (body.confirm !== params.kiosk) missing('the confirmation names another kiosk');
        const known = registry.kiosk(params.kiosk as KioskId);
        if (known?.revokedAtMs === undefined) return missing('no such kiosk was revoked');
        const { kiosk, publicKey, placement } = known;
        registry.admit({ kiosk, publicKey, venue: placement.venue, entrance: placement.entrance }, clock.wall());
        return {};
      },
    }),
    route({
      method: 'PUT',
      path: '/api/1/kiosks/:kiosk/name',
      summary: 'Gives a kiosk a name, or with an empty one takes it back',
      role: 'manager',
      params: kioskParams,
      body: z.strictObject({ name: kioskName.describe('no other one of its venue has it') }),
      answer: done,
      audit: { action: 'kiosk.name', about: ({ params }) => params.kiosk },
      handle: ({ params, body }) => {
        if (registry.kiosk(params.kiosk as KioskId) === undefined) missing('no such kiosk');
        registry.rename(params.kiosk as KioskId, body.name);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/api/1/flags',
      summary: 'High-temperature flags that have not expired, the newest first, without naming anyone',
      role: 'read-only',
      answer: z.object({ flags: z.array(schema.flagView) }),
      audit: { action: 'look.flags' },
      handle: () => ({ flags: flagsOf(db, accounts, clock.wall()) }),
    }),
    route({
      method: 'POST',
      path: '/api/1/flags/handled',
      summary: 'Says that somebody has dealt with a flag',
      role: 'manager',
      body: z.strictObject({ flag: z.string().regex(/^[0-9a-z]{16}-[0-9a-f]{16}-\d{1,16}$/) }),
      answer: done,
      audit: { action: 'flag.handled', about: ({ body }) => body.flag },
      handle: ({ body, caller }) => {
        if (!flagsOf(db, accounts, clock.wall()).some(({ flag }) => flag === body.flag)) missing('no such flag stands');
        accounts.handleFlag(body.flag, caller.name, clock.wall());
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/api/1/quarantine',
      summary: 'What was wrong in itself, with its reason; the newest 500',
      role: 'read-only',
      query: z.object({ kiosk: schema.placeIdParam.optional() }),
      answer: z.object({ items: z.array(schema.quarantineView) }),
      audit: { action: 'look.quarantine', about: ({ query }) => query.kiosk ?? '' },
      handle: ({ query }) => ({ items: desk.items(MOST_ITEMS, query.kiosk as KioskId | undefined).map(itemView) }),
    }),
    route({
      method: 'POST',
      path: '/api/1/quarantine/:no/replay',
      summary: 'Tries one item again; what is taken leaves quarantine, what is not stays with the reason of this try',
      role: 'manager',
      params: numberParams,
      answer: schema.replayAnswer,
      audit: { action: 'quarantine.replay', about: ({ params }) => String(params.no) },
      handle: async ({ params }) => {
        const replayed =
          (await desk.replay(params.no)) ?? missing(`quarantine: nothing is number ${params.no}, or its kiosk is not admitted`);
        if (replayed.outcome === 'taken') return { outcome: 'taken' as const, acceptedRows: replayed.acceptedRows };
        const { code, meaning } = words(replayed.code);
        return { outcome: 'quarantined' as const, acceptedRows: 0, code, meaning };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/1/quarantine/:no',
      summary: 'Throws one item away for good',
      role: 'manager',
      params: numberParams,
      answer: done,
      audit: { action: 'quarantine.drop', about: ({ params }) => String(params.no) },
      handle: ({ params }) => (desk.drop(params.no) ? {} : missing(`quarantine: nothing is number ${params.no}`)),
    }),
    route({
      method: 'GET',
      path: '/api/1/audit',
      summary: 'The audit log, the newest 200 entries before one',
      role: 'manager',
      query: z.object({ before: z.coerce.number().int().min(1).optional() }),
      answer: z.object({ entries: z.array(schema.auditView), finding: z.enum(['whole', 'broken', 'cut', 'unchecked']), head: z.string() }),
      audit: { action: 'look.audit' },
      handle: ({ query }) => {
        const { entries, hash } = audit.head();
        return {
          entries: audit.entries(MOST_ENTRIES, query.before),
          finding: entries > MOST_CHECKED ? ('unchecked' as const) : audit.verify().kind,
          head: `${entries}:${hash}`,
        };
      },
    }),
    route({
      method: 'GET',
      path: '/api/1/log-level',
      summary: 'The least level of log lines',
      role: 'read-only',
      answer: z.object({ level: z.string() }),
      audit: { action: 'look.log-level' },
      handle: () => ({ level: logLevel.get() }),
    }),
    route({
      method: 'PUT',
      path: '/api/1/log-level',
      summary: 'Changes it until the gateway stops',
      role: 'manager',
      body: schema.logLevel,
      answer: z.object({ level: z.string() }),
      audit: { action: 'log-level.set', about: ({ body }) => body.level },
      handle: ({ body }) => {
        logLevel.set(body.level);
        return { level: logLevel.get() };
      },
    }),
  ];
}

function missing(what: string): never {
  throw new NotThere(what);
}
