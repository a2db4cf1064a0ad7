/**
 * What makes an event doubtful: a copied card, somebody playing with a kiosk at night, a clock that jumps. Pure: each rule takes what
 * is known and one more observation, and says whether it doubts. A doubt lowers the weight that tracing gives to an event; it never
 * takes the event away, and never says who.
 */
import type { VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';

export interface DoubtPolicy {
  /** Nobody is at another venue sooner, ms. Venues of one house are near each other: short. */
  readonly shortestWayMs: number;
  /** People who come through one door in a window of `doorWindowMs`; more are none. */
  readonly mostInDoorWindow: number;
  readonly doorWindowMs: number;
  /** Hours of the venue's own day, from (included) and to (not included), in which hardly anybody comes. */
  readonly nightFromHour: number;
  readonly nightToHour: number;
  /** The same at night, in a window of `nightWindowMs`. */
  readonly mostInNightWindow: number;
  readonly nightWindowMs: number;
  /** How far wall clock and running clock of one boot may drift apart, ms. */
  readonly largestClockStepMs: number;
}

export const DOUBT_POLICY: DoubtPolicy = {
  shortestWayMs: 60_000,
  // A card takes a second and a half at the least, laid under a scanner without a word said.
  mostInDoorWindow: 200,
  doorWindowMs: 300_000,
  nightFromHour: 1,
  nightToHour: 5,
  mostInNightWindow: 20,
  nightWindowMs: 900_000,
  largestClockStepMs: 120_000,
};

/** When something was, at the least and at the most. */
export interface Span {
  readonly atMs: EpochMillis;
  readonly uncertaintyMs: number;
}

/** A card's last known place. */
export interface Sighting extends Span {
  readonly venue: VenueId;
}

/** @returns whether a card can not have been at both: two venues, and less time between them than the way takes, whatever the clocks' error. */
export function areTwoPlaces(one: Sighting, other: Sighting, { shortestWayMs }: DoubtPolicy): boolean {
  if (one.venue === other.venue) return false;
  const longestMs = Math.abs(one.atMs - other.atMs) + one.uncertaintyMs + other.uncertaintyMs;
  return longestMs < shortestWayMs;
}

/** @param hour of the venue's day, 0 to 23. */
export const isNight = (hour: number, { nightFromHour, nightToHour }: DoubtPolicy): boolean => hour >= nightFromHour && hour < nightToHour;

/** Where a boot's wall clock stands over its running clock. */
export interface ClockBase {
  /** Hex. */
  readonly boot: string;
  readonly offsetMs: number;
}

/** @returns whether a synced clock stands elsewhere than it stood in the same boot. A restart explains every other difference. */
export const hasJumped = (before: ClockBase | undefined, now: ClockBase, { largestClockStepMs }: DoubtPolicy): boolean =>
  before !== undefined && before.boot === now.boot && Math.abs(before.offsetMs - now.offsetMs) > largestClockStepMs;
