/** The HTTP API's part for entries that a sink refused: what the command `vestibule quarantine --sink` does. */
import { z } from 'zod';
import type { SinkDesk } from '../sinks/sink-desk.ts';
import type { WordsFor } from './error-words.ts';
import { NotThere, type Route, route } from './route.ts';
import * as schema from './schema.ts';

export interface SinkSources {
  readonly sinks: SinkDesk;
  readonly words: WordsFor;
}

const sinkParams = z.object({ sink: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/) });
const entryParams = sinkParams.extend({ position: z.coerce.number().int().min(1) });

export function sinkRoutesOf({ sinks, words }: SinkSources): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/1/sinks/:sink/set-aside',
      summary: 'Entries that a sink refuses for what they are, with the reason; 1,000 at most, in the order of the ledger',
      role: 'read-only',
      params: sinkParams,
      answer: z.object({ items: z.array(schema.setAsideView) }),
      audit: { action: 'look.set-aside', about: ({ params }) => params.sink },
      handle: ({ params }) => {
        const items = sinks.items(params.sink) ?? missing(`no sink is called ${params.sink}`);
        return {
          items: items.map(({ position, kiosk, kind, setAsideAtMs, reason }) => {
            const { code, meaning, advice } = words(reason);
            return { position, kiosk, kind, setAsideAtMs, code, meaning, advice };
          }),
        };
      },
    }),
    route({
      method: 'POST',
      path: '/api/1/sinks/:sink/set-aside/:position/replay',
      summary: 'Offers one of them again; what is refused stays with the reason of this try',
      role: 'manager',
      params: entryParams,
      answer: schema.reofferAnswer,
      audit: { action: 'set-aside.replay', about: ({ params }) => `${params.sink} ${params.position}` },
      handle: async ({ params }) => {
        const reoffered =
          (await sinks.replay(params.sink, params.position)) ?? missing(`sink ${params.sink}: ${params.position} is not set aside`);
        if (reoffered.outcome === 'taken') return { outcome: 'taken' as const };
        const { code, meaning } = words(reoffered.code);
        return { outcome: 'refused' as const, code, meaning };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/1/sinks/:sink/set-aside/:position',
      summary: 'Throws one of them away: that sink never gets it',
      role: 'manager',
      params: entryParams,
      answer: z.object({}),
      audit: { action: 'set-aside.drop', about: ({ params }) => `${params.sink} ${params.position}` },
      handle: ({ params }) =>
        sinks.drop(params.sink, params.position) ? {} : missing(`sink ${params.sink}: ${params.position} is not set aside`),
    }),
  ];
}

function missing(what: string): never {
  throw new NotThere(what);
}
