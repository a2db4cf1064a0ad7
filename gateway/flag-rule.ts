/**
 * When does a high reading flag a card? Pure. A high first reading asks a person for a second one: high again confirms the flag,
 * normal clears it, and none within the window leaves it unconfirmed. Order of arrival does not matter, for readings come by two lanes.
 *
 * | first    | second  | verdict                                                       |
 * |----------|---------|---------------------------------------------------------------|
 * | high     | high    | confirmed                                                     |
 * | high     | normal  | cleared                                                       |
 * | high     | none    | pending, then unconfirmed                                     |
 * | not high | high    | pending, then unconfirmed: one high reading that nothing cleared |
 * | not high | other   | none                                                          |
 *
 * "Not high" is a normal one or one that has not come. Of several readings of one attempt, a high one counts.
 */
import type { EpochMillis } from '../protocol/units.ts';

export interface ReadingFact {
  readonly attempt: 1 | 2;
  readonly isHigh: boolean;
  /** By the gateway's clock: the window is about when news of the second could have come. */
  readonly receivedAtMs: EpochMillis;
}

export type Verdict =
  | { readonly kind: 'none' | 'confirmed' | 'unconfirmed' | 'cleared' }
  | { readonly kind: 'pending'; readonly deadlineMs: EpochMillis };

/**
 * @param readings of one scan, in any order.
 * @param nowMs by the same clock as `receivedAtMs`.
 * @param confirmWithinMs how long a second reading is waited for, from the receipt of the first high one.
 */
export function judge(readings: readonly ReadingFact[], nowMs: EpochMillis, confirmWithinMs: number): Verdict {
  const first = verdictOf(readings, 1);
  const second = verdictOf(readings, 2);
  if (first === 'high' && second === 'high') return { kind: 'confirmed' };
  if (first === 'high' && second === 'normal') return { kind: 'cleared' };
  if (first !== 'high' && second !== 'high') return { kind: 'none' };
  const highs = readings.filter(({ isHigh }) => isHigh).map(({ receivedAtMs }) => receivedAtMs);
  const deadlineMs = (Math.min(...highs) + confirmWithinMs) as EpochMillis;
  return nowMs < deadlineMs ? { kind: 'pending', deadlineMs } : { kind: 'unconfirmed' };
}

function verdictOf(readings: readonly ReadingFact[], attempt: 1 | 2): 'high' | 'normal' | undefined {
  const ofAttempt = readings.filter((reading) => reading.attempt === attempt);
  if (ofAttempt.length === 0) return undefined;
  return ofAttempt.some(({ isHigh }) => isHigh) ? 'high' : 'normal';
}
