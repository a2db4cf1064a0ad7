/**
 * A route of the core's REST interface as a value: who may ask and what for, what is checked, how much is told at a time, what the audit log
 * says of it. The server (server.ts) carries them out, docs/core-openapi.json is made of them, and a table of roles and endpoints is tested
 * cell by cell against them.
 */
import type { z } from 'zod';
import type { Purpose, Regions, Role } from './roles.ts';

/** Who asks, once admitted. */
export interface Caller {
  /** The one by which they were admitted to this route, where they have several. */
  readonly role: Role;
  /** Stable for a person or a machine, and no name: what the audit log knows them by. `holder` for everybody who proves a card. */
  readonly subject: string;
  /** Whose venues they may see: ask `sees`. `'all'` for a machine that is not of a region. */
  readonly regions: Regions;
  /** One that the route allows; `undefined` where it asks for none. */
  readonly purpose: Purpose | undefined;
  /** The name of a machine, as it was added; `undefined` for people. */
  readonly machine: string | undefined;
}

export interface Asked<Params, Query, Body> {
  readonly caller: Caller;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Of the caller's machine: for a bound on tries, in RAM. */
  readonly address: string;
  /** Writes the deed of a route whose proof is in its body (`audit.isAfterProof`) down: once that holds, and before anything is told or done. @throws StoreError. */
  readonly writeDown: () => void;
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal;
}

interface RouteOf<Params, Query, Body, Answer> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Parameters as `:name`. Never a card: what is in a path lies in logs of proxies. A card is sent in a body. */
  readonly path: string;
  readonly summary: string;
  /** Who may: at least one. `holder` stands alone; the handler itself then looks at the proof. */
  readonly roles: readonly Role[];
  /** One of them must be stated; none asked for where empty. */
  readonly purposes: readonly Purpose[];
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** What is not in it is left out of the answer. */
  readonly answer: z.ZodType<Answer>;
  /** How many rows an answer may have, and has; an answer with more is not given. Left out where it tells of no people. */
  readonly rows?: { readonly most: number; readonly of: (answer: Answer) => number };
  /**
   * What the audit log says of it: `look.…` for what changes nothing, written before the answer leaves; else it is a deed, written before it is
   * done, and once more when it failed. `about` names a case, a venue, a gateway or a number, and never a card.
   */
  readonly audit: {
    readonly action: string;
    readonly about?: (asked: Asked<Params, Query, Body>) => string;
    /** The handler says by `writeDown` when it is to be written: until then whoever asks has proved nothing, and is refused as a stranger is. */
    readonly isAfterProof?: true;
  };
  /** For a machine that asks all the time and is told no more than it is to have anyway: only refusals are written down. */
  readonly isRoutine?: true;
  /** @throws ExpectedError; NotThere. */
  readonly handle: (asked: Asked<Params, Query, Body>) => Answer | Promise<Answer>;
}

export type Route = RouteOf<unknown, unknown, unknown, unknown>;

/** Checks one route's parts against each other; a list of routes needs not know their types any more. */
export const route = <Params, Query, Body, Answer>(made: RouteOf<Params, Query, Body, Answer>): Route => made as unknown as Route;

/** What was asked for is not there, or not for this caller: which of the two is not told. */
export class NotThere extends Error {}
