/** Days as the core counts them: UTC, from midnight to midnight, so that no zone or summer time moves an event between files. */
import type { EpochMillis } from '../protocol/units.ts';

declare const day: unique symbol;

/** `YYYY-MM-DD`, UTC; sorts as text in the order of time. */
export type Day = string & { readonly [day]: 'Day' };

export const DAY_MS = 86_400_000;

/** @param atMs within the years 0 to 9999. @returns the day that holds this instant. */
export const dayOf = (atMs: number): Day => new Date(atMs).toISOString().slice(0, 10) as Day;

/** @returns the first instant of a day. */
export const startOfDay = (of: Day): EpochMillis => Date.parse(`${of}T00:00:00Z`) as EpochMillis;

/**
 * The oldest day that may still be held. A file is dropped whole when the first instant of its day is `retentionDays` old,
 * so that nothing in it is ever older than that: today and the `retentionDays - 1` days before it are kept.
 * @param retentionDays whole days, 1 or more.
 */
export const firstKeptDay = (nowMs: number, retentionDays: number): Day => dayOf(nowMs - (retentionDays - 1) * DAY_MS);
