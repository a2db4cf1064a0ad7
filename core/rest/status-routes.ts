/** How the core does, for its administrator: counts and codes, and of nobody. */
import { z } from 'zod';
import type { CoreCounts } from '../core.ts';
import type { SetAside } from '../notes.ts';
import type { NoticeCounts } from '../notice/notices.ts';
import { type Route, route } from './route.ts';

export interface StatusSources {
  readonly core: { counts(): CoreCounts; setAside(limit: number): SetAside[]; readonly notices: { counts(): NoticeCounts } };
  readonly version: string;
}

const count = z.int().min(0);
const MOST_SET_ASIDE = 1_000;

const status = z.object({
  version: z.string(),
  days: count.describe('day files within retention'),
  unreadableDays: count.describe('of these, those whose files are lost or can not be read'),
  tracing: z.object({
    toTrace: count.describe('cases and flags that are to be traced'),
    waiting: count.describe('of these, those that wait for a day that can not be read; their notices stay as they are'),
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

export function statusRoutesOf({ core, version }: StatusSources): Route[] {
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
        tracing: tracingOf(core.notices.counts()),
        setAsideBy: countedBy(core.setAside(MOST_SET_ASIDE)),
      }),
    }),
  ];
}

const tracingOf = ({ toTrace, waiting }: NoticeCounts) => ({ toTrace, waiting });

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
