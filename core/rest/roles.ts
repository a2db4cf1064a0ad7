/** Who may ask the core, and what for: closed lists. What each role may do is told by the routes (core/rest/route.ts). */

/** Whom an issuer of tokens vouches for. */
export const PEOPLE = ['clinician', 'health-officer', 'analyst', 'auditor', 'administrator'] as const;
/** Known by the key of their certificate, or by a token that lies here as a hash. */
export const MACHINES = ['gateway', 'partner'] as const;
/** `holder` is whoever proves a card's key code: the proof is in what they send, and is looked at by the route. */
export const ROLES = [...PEOPLE, ...MACHINES, 'holder'] as const;

export type PersonRole = (typeof PEOPLE)[number];
export type MachineRole = (typeof MACHINES)[number];
export type Role = (typeof ROLES)[number];

/**
 * What a look, or a deed, is for; each query states one, in the header `Vestibule-Purpose`.
 * - `contact-tracing`: to find and reach those who met a case
 * - `case-management`: to record, correct or close a case
 * - `venue-measures`: to clean, air or close a venue
 * - `statistics`: to count, with small counts withheld
 * - `oversight`: to see whether all of this is done rightly
 * - `operation`: to keep the core running
 * - `rights-of-the-holder`: to answer somebody who asks about their own card
 */
export const PURPOSES = [
  'contact-tracing',
  'case-management',
  'venue-measures',
  'statistics',
  'oversight',
  'operation',
  'rights-of-the-holder',
] as const;
export type Purpose = (typeof PURPOSES)[number];
export const PURPOSE_HEADER = 'vestibule-purpose';

/** Whose venues somebody may see: those of the regions that are named, or all. */
export type Regions = readonly string[] | 'all';

/** @param region of a venue; `undefined` where none is known: only who sees all sees it. */
export const sees = (regions: Regions, region: string | undefined): boolean =>
  regions === 'all' || (region !== undefined && regions.includes(region));
