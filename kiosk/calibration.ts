/** How old a thermometer's calibration is. */
import { LONGEST_CALIBRATION_AGE_DAYS } from '../protocol/event-codec.ts';

/** @param calibratedOn a day, UTC. @returns whole days since then, none below 0; the greatest that an event can tell when it is older. */
export function calibrationAge(calibratedOn: string, wallMs: number): number {
  const days = Math.floor((wallMs - Date.parse(calibratedOn)) / 86_400_000);
  return Math.min(Math.max(0, days), LONGEST_CALIBRATION_AGE_DAYS);
}
