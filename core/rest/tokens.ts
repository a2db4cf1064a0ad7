/**
 * Knows people by the bearer tokens of configured issuers. The only importer of jose in this room.
 * Source: RFC 7519 (JWT); RFC 8725 (best practices: algorithms by list, audience, issuer); RFC 9068, section 4.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import { AdmissionError } from '../../protocol/errors.ts';
import type { Log } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Identify, Known } from './callers.ts';
import { type IssuerAddress, IssuerKeys, type KeySet } from './issuer-keys.ts';
import { PEOPLE, type PersonRole, type Regions } from './roles.ts';

/** Signatures by a private key alone: with a shared one, whoever checks could sign. */
export const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface Issuer extends IssuerAddress {
  /** What its tokens for this core name as their audience. */
  readonly audience: string;
  readonly algorithms: readonly Algorithm[];
  /** The claim that names roles: one text, or a list. */
  readonly roleClaim: string;
  /** What the issuer calls our roles, where it calls them otherwise. */
  readonly roles: Readonly<Record<string, PersonRole>>;
  /** The claim that names regions: one text, or a list; `*` for all. */
  readonly regionClaim: string;
  /** How far its clock may be off, s. */
  readonly clockToleranceS: number;
  /** A token is not taken longer than this after it was made, however long it says, s. */
  readonly longestAgeS: number;
}

const MOST_REGIONS = 64;
const LONGEST_SUBJECT = 255;
const ALPHABET = '0123456789abcdefghijklmnopqrstuv';

/** @param storeKey makes the pseudonyms of people; an issuer's name for them is kept nowhere. */
export function tokensOf(
  issuers: readonly Issuer[],
  storeKey: Uint8Array,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Identify {
  const known = issuers.map((issuer) => ({ issuer, keys: new IssuerKeys(issuer, clock) }));
  return async ({ token }) => {
    // Three parts: one of a machine has none.
    if (token === undefined || !/^[\w-]+\.[\w-]*\.[\w-]*$/.test(token)) return undefined;
    try {
      const named = decodeJwt(token).iss;
      const found = known.find(({ issuer }) => issuer.issuer === named);
      if (found === undefined) throw new errors.JWTClaimValidationFailed('of an issuer that is not known here', {}, 'iss');
      return knownBy(await verified(token, found.issuer, found.keys, clock), found.issuer, storeKey);
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError)) throw cause;
      log.debug('token.refused', () => ({ reason: cause.code }));
      throw new AdmissionError('admission.wrong_token', 'a token that is not of its issuer, not for here, or not any more', { cause });
    }
  };
}

/** The name by which the audit log knows a person, and by which nobody is found who does not know the store key. */
export function subjectOf(storeKey: Uint8Array, issuer: string, sub: string): string {
  const key = new Uint8Array(hkdfSync('sha256', storeKey, new Uint8Array(), 'vestibule-subject-1', 32));
  let text = '';
  for (const byte of createHmac('sha256', key)
    .update(JSON.stringify([issuer, sub]))
    .digest()
    .subarray(0, 16))
    text += ALPHABET.charAt(byte % 32);
  return `person-${text}`;
}

/** Whether a key is one is for jose to say, when it is to verify with it. */
const asJwks = ({ keys }: KeySet): JSONWebKeySet => ({ keys: [...keys] });

async function verified(token: string, issuer: Issuer, keys: IssuerKeys, clock: Clock): Promise<JWTPayload> {
  const rules = {
    issuer: issuer.issuer,
    audience: issuer.audience,
    algorithms: [...issuer.algorithms],
    clockTolerance: issuer.clockToleranceS,
    maxTokenAge: issuer.longestAgeS,
    requiredClaims: ['exp', 'sub'],
    currentDate: new Date(clock.wall()),
  };
  try {
    return (await jwtVerify(token, createLocalJWKSet(asJwks(await keys.keys())), rules)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    const newer = await keys.newerKeys();
    if (newer === undefined) throw error;
    return (await jwtVerify(token, createLocalJWKSet(asJwks(newer)), rules)).payload;
  }
}

/** @throws AdmissionError `admission.not_allowed` when it names no role that there is. */
function knownBy(payload: JWTPayload, issuer: Issuer, storeKey: Uint8Array): Known {
  const own = (name: string): PersonRole | undefined => (Object.hasOwn(issuer.roles, name) ? issuer.roles[name] : undefined);
  const roles = textsIn(payload[issuer.roleClaim])
    .map((name) => own(name) ?? PEOPLE.find((role) => role === name))
    .filter((role) => role !== undefined);
  if (roles.length === 0) throw new AdmissionError('admission.not_allowed', 'the token names no role that there is here');
  // OpenID Connect Core 1.0, section 2: text, and at most 255 characters. All whom it names with nothing would be one person.
  if (typeof payload.sub !== 'string' || payload.sub === '' || payload.sub.length > LONGEST_SUBJECT)
    throw new errors.JWTClaimValidationFailed('names nobody', payload, 'sub');
  const named = textsIn(payload[issuer.regionClaim]);
  const regions: Regions = named.includes('*') ? 'all' : named.slice(0, MOST_REGIONS);
  return { roles: [...new Set(roles)], subject: subjectOf(storeKey, issuer.issuer, payload.sub), regions };
}

const textsIn = (claim: unknown): string[] =>
  (Array.isArray(claim) ? claim : [claim]).filter((text): text is string => typeof text === 'string' && text !== '' && text.length <= 64);
