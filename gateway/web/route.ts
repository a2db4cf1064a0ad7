/**
 * A route of the HTTP API as a value: who may ask, what is checked, what is written into the audit log, what is answered. The server
 * carries them out, and docs/openapi.json is made of them.
 */
import type { z } from 'zod';
import type { Role } from '../accounts.ts';
import type { Deed } from '../audit.ts';

/** Who asks. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
  readonly via: Deed['via'];
  /** A program's looks are not a person's, and are not written down. */
  readonly isPerson: boolean;
}

export interface Asked<Params, Query, Body> {
  readonly caller: Caller;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

interface RouteOf<Params, Query, Body, Answer> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Parameters as `:name`. */
  readonly path: string;
  readonly summary: string;
  /** The least role. */
  readonly role: Role;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  readonly answer: z.ZodType<Answer>;
  /** What the audit log says of it, before it is carried out: without its entry there is no answer. */
  readonly audit: { readonly action: string; readonly about?: (asked: Asked<Params, Query, Body>) => string };
  /** @throws ExpectedError; NotThere. */
  readonly handle: (asked: Asked<Params, Query, Body>) => Answer | Promise<Answer>;
}

export type Route = RouteOf<unknown, unknown, unknown, unknown>;

/** Checks one route's parts against each other; a list of routes needs not know their types any more. */
export const route = <Params, Query, Body, Answer>(made: RouteOf<Params, Query, Body, Answer>): Route => made as unknown as Route;

/** What was asked for is not there. */
export class NotThere extends Error {}
