/**
 * Whom a temperature reading is of, and what it asks for. Pure.
 *
 * Scan, then reading: the reading is of the last scan, for `pairAfterScanMs`. Reading, then scan: only at a door where nobody has
 * been served for that long, and only for `pairBeforeScanMs`; else the second reading of one person would become the first of the
 * next. A reading that is nobody's is dropped, never kept. A wrong pairing is worse than a lost one.
 */
import type { Temperature } from '../protocol/event.ts';
import type { CentiCelsius, MonotonicMillis } from '../protocol/units.ts';
import { answer, closedUntil, type RawReading, type State, type Step, type TemperaturePolicy } from './check-in-state.ts';

export function takeReading(state: State, reading: RawReading, atMs: MonotonicMillis): Step {
  const { pairing, policy } = state;
  if (pairing?.kind === 'open' && pairing.attempt === 2 && atMs >= pairing.untilMs) {
    return answer({ ...state, pairing: closedUntil(atMs + policy.pairAfterScanMs) }, 'please-see-staff');
  }
  if (pairing === undefined || atMs >= pairing.untilMs)
    return { state: { ...state, pairing: undefined, loose: { reading, atMs } }, effects: [] };
  if (pairing.kind === 'closed') return { state, effects: [] };
  const estimate = (reading.objectRaw + policy.temperature.offset) as CentiCelsius;
  const { attempt, card, of } = pairing;
  const happening: Temperature = { type: 'temperature', card, of, attempt, estimate, ...measured(reading, policy.temperature) };
  const isHigh = estimate >= policy.temperature.threshold;
  return { state: { ...state, pending: { kind: 'temperature', isHigh, attempt, atMs } }, effects: [{ kind: 'append', happening }] };
}

const measured = (reading: RawReading, policy: TemperaturePolicy): Omit<Temperature, 'type' | 'card' | 'of' | 'attempt' | 'estimate'> => ({
  objectRaw: reading.objectRaw,
  ambientRaw: reading.ambientRaw,
  threshold: policy.threshold,
  offsetId: policy.offsetId,
  policyVersion: policy.policyVersion,
  calibrationAgeDays: reading.calibrationAgeDays,
  isRoomInRange: reading.ambientRaw !== undefined && reading.ambientRaw >= policy.roomLowest && reading.ambientRaw <= policy.roomHighest,
});
