/** Long answers, a page at a time: how many rows at most, and where the next page begins. */
import { z } from 'zod';
import { DecodeError } from '../../protocol/errors.ts';

/** @param most rows of a page, and as many when not asked for fewer. A cursor is an answer's `next`, given back as it is. */
export const pageQuery = (most: number) =>
  z.strictObject({
    limit: z.coerce.number().int().min(1).max(most).default(most),
    cursor: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,128}$/)
      .optional()
      .describe('`next` of the page before'),
  });

export const next = z.string().optional().describe('the cursor of the next page; absent on the last');

/** @param key of the last row of a page: text that the next page begins after. */
export const cursorOf = (key: string): string => Buffer.from(key, 'utf8').toString('base64url');

/** @returns the key that `cursorOf` was given. */
export const keyOf = (cursor: string): string => Buffer.from(cursor, 'base64url').toString('utf8');

/** @returns the number that `cursorOf` was given; `first` without one. @throws DecodeError `decode.malformed` for what was never given out. */
export function numberOf(cursor: string | undefined, first: number): number {
  if (cursor === undefined) return first;
  const key = keyOf(cursor);
  if (!/^(0|[1-9]\d{0,14})$/.test(key)) throw new DecodeError('decode.malformed', 'request: cursor: nothing that was told here');
  return Number(key);
}

/** @returns the first `limit` of what is listed, and the cursor where there is more. @param rows ordered by their key, at least one more than `limit` where there are as many. */
export function cutPage<T>(
  rows: readonly T[],
  limit: number,
  keyOfRow: (row: T) => string,
): { readonly rows: readonly T[]; readonly next?: string } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return rows.length > limit && last !== undefined ? { rows: page, next: cursorOf(keyOfRow(last)) } : { rows: page };
}
