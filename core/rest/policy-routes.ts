/** By which policy is traced: what it says, what it said before, and another one. It is one for the whole core. */
import { z } from 'zod';
import { AdmissionError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { Notices } from '../notice/notices.ts';
import { ANCHORS, type SetPolicy, TRACE_BOUNDS } from '../trace/policy-book.ts';
import { type Route, route } from './route.ts';

export interface PolicySources {
  readonly core: { readonly notices: Pick<Notices, 'policies' | 'policyChanged'> };
  readonly clock: Clock;
}

const MOST_VERSIONS = 100;
const version = z.int().min(1);
const duration = ({ least, most }: { readonly least: number; readonly most: number }, words: string) =>
  z.int().min(least).max(most).describe(`${words}, ms`);
const rules = {
  highWindowMs: duration(TRACE_BOUNDS.highWindowMs, 'before the anchor: contacts in it are high, and theirs in it medium'),
  farWindowMs: duration(TRACE_BOUNDS.farWindowMs, 'before the anchor, no shorter: other contacts in it are medium'),
  backwardWindowMs: duration(TRACE_BOUNDS.backwardWindowMs, 'before the anchor: where a case may have been infected'),
  minimumOverlapMs: duration(TRACE_BOUNDS.minimumOverlapMs, 'how long two must have been together for a contact'),
  mediumMinimumOverlapMs: duration(TRACE_BOUNDS.mediumMinimumOverlapMs, 'how long for each of the two meetings of the second order'),
  anchor: z.enum(ANCHORS).describe('what of a case windows are counted back from'),
};
const shownPolicy = z.object({ version, ...rules });
const setPolicy = shownPolicy.extend({
  setAtMs: z.int().min(0).optional().describe('absent of the one that a core begins with'),
  setBy: z.string().optional().describe('as in the audit log'),
});

export function policyRoutesOf({ core: { notices }, clock }: PolicySources): Route[] {
  return [
    route({
      method: 'GET',
      path: '/core/1/policy',
      summary: 'By which policy is traced, and the versions before: results name the one they were found by',
      roles: ['health-officer', 'auditor', 'administrator'],
      purposes: ['contact-tracing', 'case-management', 'oversight', 'operation'],
      answer: z.object({ policy: shownPolicy, versions: z.array(setPolicy).describe('newest first, at most 100') }),
      audit: { action: 'look.policy' },
      handle: () => ({ policy: notices.policies.current(), versions: notices.policies.latest(MOST_VERSIONS).map(show) }),
    }),
    route({
      method: 'POST',
      path: '/core/1/policy',
      summary: 'Sets another policy: open cases are traced anew by it. For who may see all regions',
      roles: ['health-officer'],
      purposes: ['case-management'],
      body: z.strictObject({
        instead: version.describe('the version that it takes the place of: refused when that is in force no more'),
        ...z.object(rules).partial().shape,
      }),
      answer: shownPolicy,
      audit: { action: 'policy.set', about: ({ body: { instead, ...change } }) => `instead of ${instead}: ${wordsOf(change)}` },
      handle: ({ caller, body: { instead, ...change } }) => {
        if (caller.regions !== 'all') throw new AdmissionError('admission.not_allowed', 'policy: for who may see all regions');
        const set = notices.policies.set(change, { by: caller.subject, nowMs: clock.wall(), instead });
        notices.policyChanged();
        return set;
      },
    }),
  ];
}

const show = ({ policy, setAtMs, setBy }: SetPolicy) => ({
  ...policy,
  ...(setAtMs === undefined ? {} : { setAtMs }),
  ...(setBy === undefined ? {} : { setBy }),
});

const wordsOf = (change: object): string =>
  Object.entries(change)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
