/**
 * Turns a stream of samples into one value for each forehead held before the sensor. Pure: samples in, at most one value out a presentation.
 */

import type { CentiCelsius } from '../../protocol/units.ts';
import type { Sample } from './reading.ts';

/**
 * What skin can be: 31.0 to 35.6 °C on healthy foreheads (Ng et al., Am J Infect Control 2005;33:227-9), more in fever, less after a cold
 * street. Below it the sensor sees the room, clothes or a hand from afar; above it a cup or a lamp.
 */
export const SKIN_LOWEST = 3_000 as CentiCelsius;
export const SKIN_HIGHEST = 4_500 as CentiCelsius;
/** Consecutive samples that agree make a value: a third of a second at the module's 14 a second. Odd, so that one is the median. */
export const STEADY_SAMPLES = 5;
/** How far apart those may lie: a head still coming nearer climbs faster. */
export const STEADY_SPAN = 50;
/** Consecutive samples off the skin that end a presentation; one alone may be a blink of the sensor. */
export const LEFT_SAMPLES = 3;

export interface PresentationState {
  /** Samples of skin in a row, latest last, at most STEADY_SAMPLES. */
  readonly recent: readonly Sample[];
  readonly isGiven: boolean;
  readonly offSkin: number;
}

export const NOTHING_PRESENTED: PresentationState = { recent: [], isGiven: false, offSkin: 0 };

/** @returns the next state, and the value of this presentation when this sample makes it steady: that of median object temperature. */
export function nextPresentation(state: PresentationState, sample: Sample): { state: PresentationState; steady: Sample | undefined } {
  if (sample.objectRaw < SKIN_LOWEST || sample.objectRaw > SKIN_HIGHEST) {
    const offSkin = state.offSkin + 1;
    return { state: offSkin >= LEFT_SAMPLES ? NOTHING_PRESENTED : { ...state, recent: [], offSkin }, steady: undefined };
  }
  if (state.isGiven) return { state: { ...state, offSkin: 0 }, steady: undefined };
  const recent = [...state.recent, sample].slice(-STEADY_SAMPLES);
  const inOrder = recent.toSorted((a, b) => a.objectRaw - b.objectRaw);
  const lowest = inOrder[0];
  const highest = inOrder[inOrder.length - 1];
  const isSteady =
    recent.length === STEADY_SAMPLES &&
    lowest !== undefined &&
    highest !== undefined &&
    highest.objectRaw - lowest.objectRaw <= STEADY_SPAN;
  return isSteady
    ? { state: { recent: [], isGiven: true, offSkin: 0 }, steady: inOrder[(STEADY_SAMPLES - 1) / 2] }
    : { state: { recent, isGiven: false, offSkin: 0 }, steady: undefined };
}
