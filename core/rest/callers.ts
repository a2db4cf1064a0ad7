/**
 * Who asks: a person by an issuer's bearer token, a machine by the key of its certificate or by a token that lies here as a hash. There is no
 * password, and nobody is let in by default.
 * Source: RFC 6750 (bearer tokens); RFC 8705, section 2.2 (certificates known by their key).
 */
import { AdmissionError } from '../../protocol/errors.ts';
import type { Purpose, Regions, Role } from './roles.ts';
import { PURPOSE_HEADER, PURPOSES } from './roles.ts';
import type { Caller, Route } from './route.ts';

/** Somebody known, before it is asked what they may. */
export interface Known {
  /** One or more. */
  readonly roles: readonly Role[];
  readonly subject: string;
  readonly regions: Regions;
  /** The name of a machine. */
  readonly machine?: string;
}

/** What a request shows of who sent it. */
export interface Shown {
  /** After `Bearer `. */
  readonly token: string | undefined;
  /** SHA-256 of the public key of a client's certificate. */
  readonly keyPin: Uint8Array | undefined;
}

/** @returns `undefined` for what it does not know. @throws AdmissionError for what it knows to be wrong, or can not look at now. */
export type Identify = (shown: Shown) => Known | undefined | Promise<Known | undefined>;

const HOLDER: Known = { roles: ['holder'], subject: 'holder', regions: [] };

/** @throws AdmissionError `admission.wrong_account` when nobody known asks, and as `identify` throws. */
export async function identify(made: Route, shown: Shown, ways: readonly Identify[]): Promise<Known> {
  // What a holder proves is in the body.
  if (made.roles.includes('holder')) return HOLDER;
  for (const way of ways) {
    const known = await way(shown);
    if (known !== undefined) return known;
  }
  throw new AdmissionError('admission.wrong_account', 'neither a token nor a certificate that is known here');
}

/**
 * @param stated the purpose's header as it came.
 * @throws AdmissionError `admission.not_allowed` for a role that may not, `admission.no_purpose` without one that the route allows.
 */
export function callerOf(made: Route, known: Known, stated: unknown): Caller {
  const role = made.roles.find((allowed) => known.roles.includes(allowed));
  if (role === undefined) throw new AdmissionError('admission.not_allowed', `this is not for the role ${known.roles.join(', ')}`);
  return { role, subject: known.subject, regions: known.regions, purpose: purposeOf(made, stated), machine: known.machine };
}

function purposeOf({ purposes }: Route, stated: unknown): Purpose | undefined {
  if (purposes.length === 0) return undefined;
  const purpose = purposes.find((allowed) => allowed === stated);
  if (purpose !== undefined) return purpose;
  const what = PURPOSES.some((listed) => listed === stated) ? 'this is not for the purpose that was stated' : 'no purpose was stated';
  throw new AdmissionError('admission.no_purpose', `${what}: ${PURPOSE_HEADER} says one of ${purposes.join(', ')}`);
}
