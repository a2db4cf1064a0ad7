/**
 * From the voltage of a Sharp infrared distance sensor to whether somebody stands before it. Pure.
 *
 * The output falls with distance: V = a + b / (d + 0.42 cm), as the sheets' second figures show. The two constants follow from the two
 * voltages that each sheet gives as typical; a sensor may be 0.15 V beside the first. Nearer than its nearest distance a sensor's output falls again, so something held against it seems
 * further away.
 * Source: Sharp, GP2Y0A21YK0F sheet E4-A00201EN (0.4 V at 80 cm, 1.9 V more at 10 cm, typical); GP2Y0A41SK0F sheet OP13008EN (0.4 V at
 * 30 cm, 2.25 V more at 4 cm, typical).
 */

export type ProximitySensor = 'gp2y0a21' | 'gp2y0a41';

interface Sheet {
  readonly nearest: number;
  readonly furthest: number;
  readonly voltsFurthest: number;
  readonly voltsMore: number;
}

const SHEETS: Readonly<Record<ProximitySensor, Sheet>> = {
  gp2y0a21: { nearest: 10, furthest: 80, voltsFurthest: 0.4, voltsMore: 1.9 },
  gp2y0a41: { nearest: 4, furthest: 30, voltsFurthest: 0.4, voltsMore: 2.25 },
};

const LENS_CM = 0.42;

/** @returns centimetres, between the sheet's nearest and furthest; `undefined` for a voltage below that of the furthest: nothing is there. */
export function centimetresOf(sensor: ProximitySensor, volts: number): number | undefined {
  const { nearest, furthest, voltsFurthest, voltsMore } = SHEETS[sensor];
  if (volts < voltsFurthest) return undefined;
  const slope = voltsMore / (1 / (nearest + LENS_CM) - 1 / (furthest + LENS_CM));
  const atInfinity = voltsFurthest - slope / (furthest + LENS_CM);
  return Math.min(furthest, Math.max(nearest, slope / (volts - atInfinity) - LENS_CM));
}

/** Samples in a row that have to agree: at 20 a second, an arm that passes is not somebody. */
const AGREEING_SAMPLES = 4;
/** Somebody is gone when this much further away than what counts as near. */
const GONE_CM = 5;

export interface Nearness {
  readonly isNear: boolean;
  /** Samples in a row that say otherwise. */
  readonly against: number;
}

export const NOBODY_NEAR: Nearness = { isNear: false, against: 0 };

/** @param centimetres as centimetresOf gives it. */
export function nextNearness({ isNear, against }: Nearness, centimetres: number | undefined, nearCentimetres: number): Nearness {
  const boundCentimetres = isNear ? nearCentimetres + GONE_CM : nearCentimetres;
  const saysNear = centimetres !== undefined && centimetres <= boundCentimetres;
  if (saysNear === isNear) return { isNear, against: 0 };
  return against + 1 >= AGREEING_SAMPLES ? { isNear: saysNear, against: 0 } : { isNear, against: against + 1 };
}
