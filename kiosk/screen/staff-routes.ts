/** What the page asks for the staff. Every one is refused while no staff card has the menu open. */

import { z } from 'zod';
import { SOUND_LEVELS } from '../staff/settings.ts';
import type { StaffDoor } from '../staff/staff-door.ts';
import { LANGUAGES } from './languages.ts';

/** A POST of JSON to the page. */
export interface PageRoute {
  readonly path: string;
  readonly body: z.ZodType;
  /** @returns what to answer, as JSON; `undefined` for nothing more than that it was done, and `refused` that it was not. */
  readonly take: (body: never) => Promise<unknown>;
}

export const REFUSED = Symbol('refused');

export function staffRoutes(staff: StaffDoor): readonly PageRoute[] {
  const only =
    <Body>(take: (body: Body) => unknown) =>
    async (body: Body) =>
      staff.isOpen ? await take(body) : REFUSED;
  return [
    {
      path: '/staff/settings',
      body: z
        .strictObject({
          language: z.enum(LANGUAGES).optional(),
          sound: z.enum(SOUND_LEVELS).optional(),
          isOutOfOrder: z.boolean().optional(),
        })
        .refine((change) => Object.keys(change).length > 0),
      take: only((change: Parameters<StaffDoor['change']>[0]) => staff.change(change)),
    },
    {
      path: '/staff/paper',
      body: z.strictObject({ atMs: z.int().min(0).max(253_402_300_799_999), way: z.enum(['in', 'out']) }),
      take: only(({ atMs, way }: { atMs: number; way: 'in' | 'out' }) => (staff.beginPaper(atMs, way) ? undefined : REFUSED)),
    },
    { path: '/staff/paper-end', body: z.strictObject({}), take: only(() => staff.endPaper()) },
    { path: '/staff/test', body: z.strictObject({}), take: only(() => staff.test()) },
  ];
}
