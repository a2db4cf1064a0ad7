/** What a thermometer gives: samples by the dozen, and of them one value for one forehead. */
import type { CentiCelsius, EpochMillis, MonotonicMillis } from '../../protocol/units.ts';

/** What a sensor saw at one moment, as it gave it. Never log it. */
export interface Sample {
  /** The surface it looked at. */
  readonly objectRaw: CentiCelsius;
  /** Its own temperature. */
  readonly ambientRaw: CentiCelsius;
}

/** A reading is a visitor's: never log it. */
export interface Reading {
  /** The surface the sensor looked at, as it gave it. */
  readonly objectRaw: CentiCelsius;
  /** The sensor's own temperature; left out where the sensor does not tell. */
  readonly ambientRaw?: CentiCelsius;
  readonly takenAt: { readonly wallMs: EpochMillis; readonly monotonicMs: MonotonicMillis };
  readonly device: string;
}
