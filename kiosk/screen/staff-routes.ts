/** What the page asks for the staff. Every one is refused while no staff card has the menu open. */

import { SOUND_LEVELS } from '../staff/settings.ts';
import type { StaffDoor } from '../staff/staff-door.ts';
import { LANGUAGES } from './languages.ts';

/** A POST of JSON to the page. */
export interface PageRoute {
  readonly path: string;
  /** JSON Schema of the body. */
  readonly body: object;
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
      body: {
        type: 'object',
        minProperties: 1,
        additionalProperties: false,
        properties: { language: { enum: LANGUAGES }, sound: { enum: SOUND_LEVELS }, isOutOfOrder: { type: 'boolean' } },
      },
      take: only((change: Parameters<StaffDoor['change']>[0]) => staff.change(change)),
    },
    {
      path: '/staff/paper',
      body: {
        type: 'object',
        required: ['atMs', 'way'],
        additionalProperties: false,
        properties: { atMs: { type: 'integer', minimum: 0, maximum: 253_402_300_799_999 }, way: { enum: ['in', 'out'] } },
      },
      take: only(({ atMs, way }: { atMs: number; way: 'in' | 'out' }) => (staff.beginPaper(atMs, way) ? undefined : REFUSED)),
    },
    { path: '/staff/paper-end', body: { type: 'object', additionalProperties: false }, take: only(() => staff.endPaper()) },
    { path: '/staff/test', body: { type: 'object', additionalProperties: false }, take: only(() => staff.test()) },
  ];
}
