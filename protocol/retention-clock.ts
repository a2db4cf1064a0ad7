/**
 * By which time it is forgotten, where the wall clock may be wrong. A clock that jumped ahead would have everything forgotten at once, so that time is
 * believed no faster than it has passed by the clock of the running machine. Pure: gateway and core go by the same rule (docs/decisions/0047).
 */
import type { EpochMillis } from './units.ts';

const HOUR_MS = 3_600_000;
/** What a machine may have been off, or a clock been set, without anybody being asked. */
export const MOST_JUMP_MS = 48 * HOUR_MS;
/** Of running time: a clock that is still ahead after it is believed, or what a machine that was off held would be kept for ever. */
export const BELIEVED_AFTER_MS = 48 * HOUR_MS;

/** Far more than any clock drifts, and little of a retention. */
const FOLLOWED_SHARE = 1 / 10;

export interface ClockReading {
  readonly wallMs: EpochMillis;
  /** Since boot. */
  readonly monotonicMs: number;
  /** Names the boot that `monotonicMs` is of. */
  readonly boot: string;
}

/** What is known of time, kept over restarts. */
export interface ClockTrust {
  /** What time it was, as far as it is believed, when `monotonicMs` was read. */
  readonly atMs: EpochMillis;
  readonly monotonicMs: number;
  readonly boot: string;
  /** For how much running time the wall clock has been too far ahead; absent where it is not. */
  readonly aheadForMs?: number | undefined;
}

export interface ClockDoubt {
  readonly kind: 'ahead' | 'behind';
  /** How far the wall clock is off, to either side. */
  readonly byMs: number;
  /** In so much running time a clock that is ahead is believed. One that is behind is not believed by itself. */
  readonly believedInMs?: number;
}

/** @returns seconds that the wall clock is ahead, less than 0 where it is behind, 0 while it is believed: what metrics tell. */
export const secondsAhead = (doubt: Pick<ClockDoubt, 'kind' | 'byMs'> | undefined): number =>
  doubt === undefined ? 0 : (doubt.kind === 'behind' ? -doubt.byMs : doubt.byMs) / 1_000;

export interface JudgedClock {
  readonly trust: ClockTrust;
  /** By which it is forgotten. */
  readonly nowMs: EpochMillis;
  /** `undefined` while the wall clock is believed. */
  readonly doubt: ClockDoubt | undefined;
}

/** @param before `undefined` where nothing is known: then the wall clock is believed. */
export function judgeClock(before: ClockTrust | undefined, { wallMs, monotonicMs, boot }: ClockReading): JudgedClock {
  const read = { monotonicMs, boot };
  const believed = { trust: { ...read, atMs: wallMs }, nowMs: wallMs, doubt: undefined };
  if (before === undefined) return believed;
  // Of the time that the machine was off nothing is known.
  const ranMs = before.boot === boot ? Math.max(0, monotonicMs - before.monotonicMs) : 0;
  const atMs = (before.atMs + ranMs) as EpochMillis;
  const offMs = wallMs - atMs;
  if (Math.abs(offMs) <= MOST_JUMP_MS) {
    // A machine that was off is as late as it says. One that runs is followed slowly: many jumps, each small enough, come hardly further than one.
    const mostMs = before.boot === boot ? ranMs * FOLLOWED_SHARE : MOST_JUMP_MS;
    const followedMs = Math.trunc(Math.max(-mostMs, Math.min(mostMs, offMs)));
    return { trust: { ...read, atMs: (atMs + followedMs) as EpochMillis }, nowMs: wallMs, doubt: undefined };
  }
  // What comes now bears the clock's own, earlier time: by a later one it would be forgotten as it comes.
  if (offMs < 0) return { trust: { ...read, atMs }, nowMs: wallMs, doubt: { kind: 'behind', byMs: -offMs } };
  const aheadForMs = before.aheadForMs === undefined ? 0 : before.aheadForMs + ranMs;
  if (aheadForMs >= BELIEVED_AFTER_MS) return believed;
  const doubt = { kind: 'ahead' as const, byMs: offMs, believedInMs: BELIEVED_AFTER_MS - aheadForMs };
  return { trust: { ...read, atMs, aheadForMs }, nowMs: atMs, doubt };
}
