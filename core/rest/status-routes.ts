/** How the core does, for its administrator: counts and codes, and of nobody. */
import { z } from 'zod';
import type { Clock } from '../../protocol/time.ts';
import type { CaseState } from '../case/case.ts';
import type { CoreCounts } from '../core.ts';
import type { SetAside } from '../notes.ts';
import type { NoticeCounts } from '../notice/notices.ts';
import { coreMetrics, type MetricSources } from './metrics.ts';
import { type Route, route } from './route.ts';

export interface StatusSources {
  readonly core: MetricSources['core'] & {
    counts(): CoreCounts;
    setAside(limit: number): SetAside[];
    readonly notices: { counts(): NoticeCounts };
    readonly cases: { counts(): Readonly<Record<CaseState, number>> };
  };
  readonly version: string;
  readonly clock: Clock;
}

const count = z.int().min(0);
const MOST_SET_ASIDE = 1_000;

const status = z.object({
  version: z.string(),
  days: count.describe('day files within retention'),
  unreadableDays: count.describe('of these, those whose files are lost or can not be read'),
  tracing: z.object({
    toTrace: count.describe('cases and flags that are to be traced'),
    waiting: count.describe(
      'of these, those that wait for what can not be done now, as where a day can not be read; their notices stay as they are',
    ),
    fault: z.string().optional().describe('why nothing is traced now, a code of docs/errors.md; absent while all is well'),
    failures: count.describe('how often the thread that traces has failed since the core was opened'),
    oldestDueMs: count.optional().describe('since when the oldest of them has waited; absent where none does'),
  }),
  cases: z.object({ suspected: count, confirmed: count, dismissed: count }),
  notices: z.object({
    noticed: count.describe('cards that there are notices for'),
    leftOut: count.describe('cards beyond those that gateways can be told of'),
  }),
  checkIns: count,
  checkOuts: count,
  readings: count.describe('temperature readings: that they were taken, never what they read'),
  undos: count,
  flags: z.object({ confirmed: count, unconfirmed: count, cleared: count }),
  doubted: count,
  setAside: count,
  expired: count,
  daysDropped: count,
  setAsideBy: z.array(z.object({ kiosk: z.string(), reason: z.string(), count })).describe('of the latest 1,000 that were set aside'),
});

export function statusRoutesOf({ core, version, clock }: StatusSources): Route[] {
  return [
    route({
      method: 'GET',
      path: '/core/1/status',
      summary: 'How much the core holds, and what it had to set aside and why',
      roles: ['administrator'],
      purposes: ['operation'],
      answer: status,
      audit: { action: 'look.status' },
      handle: () => ({
        version,
        ...core.counts(),
        ...tracingOf(core.notices.counts()),
        cases: core.cases.counts(),
        setAsideBy: countedBy(core.setAside(MOST_SET_ASIDE)),
      }),
    }),
    route({
      method: 'GET',
      path: '/core/1/metrics',
      summary: 'What Prometheus reads: counts and ages, of nobody',
      roles: ['administrator'],
      purposes: ['operation'],
      answer: z.string(),
      audit: { action: 'metrics.read' },
      isRoutine: true,
      handle: () => coreMetrics({ core, version, nowMs: clock.wall() }),
    }),
  ];
}

const tracingOf = ({ toTrace, waiting, oldestDueMs, fault, failures, noticed, leftOut }: NoticeCounts) => ({
  tracing: {
    toTrace,
    waiting,
    failures,
    ...(oldestDueMs === undefined ? {} : { oldestDueMs }),
    ...(fault === undefined ? {} : { fault }),
  },
  notices: { noticed, leftOut },
});

function countedBy(notes: readonly SetAside[]): { readonly kiosk: string; readonly reason: string; readonly count: number }[] {
  const counts = new Map<string, { readonly kiosk: string; readonly reason: string; count: number }>();
  for (const { kiosk, reason } of notes) {
    const name = `${kiosk} ${reason}`;
    const known = counts.get(name);
    if (known === undefined) counts.set(name, { kiosk, reason, count: 1 });
    else known.count += 1;
  }
  return [...counts.values()];
}
