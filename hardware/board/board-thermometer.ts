/**
 * The thermometer of a board, as a driver: when to sample, and one reading for each forehead.
 *
 * Where the board has a proximity sensor it is sampled fast only while somebody stands there; between, once a second, so that a sensor whose
 * wire has come off is noticed before the next visitor.
 * Source: Melexis, MLX90614 family datasheet 3901090614: with the factory's filter settings a new value every 0.1 s or so.
 */
import { DecodeError, DeviceError, type ErrorCode } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { NOTHING_PRESENTED, nextPresentation } from '../thermometer/presentation.ts';
import type { Reading, Sample } from '../thermometer/reading.ts';

export const SAMPLE_EVERY_MS = 100;
const IDLE_EVERY_MS = 1_000;
/** Samples refused for so long are a fault, not noise. */
const LONGEST_REFUSAL_MS = 3_000;

export interface BoardThermometer {
  readonly device: string;
  readonly clock: Clock;
  readonly isNear: () => boolean;
  /** @throws DecodeError for a sample that is wrong in itself, DeviceError for a sensor or board that does not answer. */
  readonly sample: (signal: AbortSignal) => Promise<Sample>;
  /** Called with each good sample: the device works. */
  readonly onAlive?: () => void;
  /** Told of each sample that was refused, by code. */
  readonly onRefused?: (code: ErrorCode) => void;
}

/**
 * @param signal on abort it returns.
 * @throws DeviceError `device.timeout` after LONGEST_REFUSAL_MS without a good sample, and what `sample` throws.
 */
export async function* readBoardTemperatures(
  { device, clock, isNear, sample, onAlive = () => {}, onRefused = () => {} }: BoardThermometer,
  signal: AbortSignal,
): AsyncGenerator<Reading, void> {
  let state = NOTHING_PRESENTED;
  let goodAtMs: number = clock.monotonic();
  while (!signal.aborted) {
    const wasNear = isNear();
    try {
      const found = await sample(signal);
      const takenAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
      goodAtMs = takenAt.monotonicMs;
      onAlive();
      const next = wasNear && isNear() ? nextPresentation(state, found) : { state: NOTHING_PRESENTED, steady: undefined };
      state = next.state;
      if (next.steady !== undefined) yield { ...next.steady, takenAt, device };
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof DecodeError)) throw error;
      onRefused(error.code);
      if (clock.monotonic() - goodAtMs >= LONGEST_REFUSAL_MS)
        throw new DeviceError('device.timeout', `${device}: no good sample for ${LONGEST_REFUSAL_MS} ms`);
    }
    await clock.sleep(isNear() ? SAMPLE_EVERY_MS : IDLE_EVERY_MS, signal);
  }
}
