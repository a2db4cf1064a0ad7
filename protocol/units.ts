/** Units as types: a number that carries its unit cannot be added to one that carries another. */

declare const unit: unique symbol;

/** Milliseconds since 1970-01-01T00:00:00Z by the wall clock, which may be wrong and may step. */
export type EpochMillis = number & { readonly [unit]: 'EpochMillis' };

/** Milliseconds since this machine booted, suspended ones too (CLOCK_BOOTTIME); never steps back, starts again at each boot. */
export type MonotonicMillis = number & { readonly [unit]: 'MonotonicMillis' };

/** Hundredths of a degree Celsius, whole: 3805 is 38.05 °C. Whole numbers survive every codec unchanged. */
export type CentiCelsius = number & { readonly [unit]: 'CentiCelsius' };

/** @param celsius degrees, any finite number; rounded to the nearest hundredth. */
export const toCentiCelsius = (celsius: number): CentiCelsius => Math.round(celsius * 100) as CentiCelsius;
