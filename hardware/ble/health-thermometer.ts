/**
 * Bluetooth thermometer driver: readings from an open radio that waits for one thermometer.
 *
 * Room: one open link in, readings out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was measured.
 */
import { DecodeError, type ErrorCode } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { MonotonicMillis } from '../../protocol/units.ts';
import { SKIN_HIGHEST, SKIN_LOWEST } from '../thermometer/presentation.ts';
import type { Reading } from '../thermometer/reading.ts';
import { openRadio, type RadioLink, type RadioSettings } from './open-radio.ts';
import type { ThermometerOrder } from './radio-frames.ts';
import { decodeTemperatureMeasurement } from './temperature-measurement.ts';

export interface HealthThermometerSettings {
  readonly device: string;
  readonly clock: Clock;
  /** Told of each measurement that was refused, by code. */
  readonly onRefused?: (code: ErrorCode) => void;
}

/**
 * What a thermometer kept of earlier people comes in one row when it is switched on, the newest last (Health Thermometer Service 1.0, 3.1).
 * A measurement that none follows for this long is the newest. The radio speaks each second, so it takes a second more at most.
 */
const SETTLED_MS = 500;

/** @returns opens a radio that waits for the thermometer. It throws as openRadio. */
export const openHealthThermometer =
  (order: Omit<ThermometerOrder, 'type'>, settings: RadioSettings): ((signal: AbortSignal) => Promise<RadioLink>) =>
  (signal) =>
    openRadio({ type: 'thermometer', ...order }, settings, signal);

/**
 * One reading for each measurement of a body; the newest of those that come in a row. One that was told before, by its time stamp and value,
 * is not told again.
 * @param signal on abort it returns.
 * @throws what the link throws.
 */
export async function* readBodyTemperatures(
  link: RadioLink,
  { device, clock, onRefused = () => {} }: HealthThermometerSettings,
  signal: AbortSignal,
): AsyncGenerator<Reading, void> {
  let newest: { readonly reading: Reading; readonly stamped: string | undefined } | undefined;
  let cameMs = clock.monotonic();
  let told: string | undefined;
  const isSettled = (nowMs: MonotonicMillis) => nowMs - cameMs >= SETTLED_MS;
  for await (const answer of link.answers(signal)) {
    const takenAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
    if (newest !== undefined && isSettled(takenAt.monotonicMs)) {
      const { reading, stamped } = newest;
      newest = undefined;
      if (stamped === undefined || stamped !== told) yield reading;
      told = stamped;
    }
    if (answer.type !== 'measurement') continue;
    try {
      const { temperature, timeStamp } = decodeTemperatureMeasurement(answer.value);
      if (temperature < SKIN_LOWEST || temperature > SKIN_HIGHEST)
        throw new DecodeError('decode.out_of_range', 'temperature measurement: of no body');
      const stamped = timeStamp === undefined ? undefined : `${timeStamp} ${temperature}`;
      newest = { reading: { objectRaw: temperature, takenAt, device }, stamped };
      cameMs = takenAt.monotonicMs;
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      onRefused(error.code);
    }
  }
}
