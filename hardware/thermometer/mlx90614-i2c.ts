/**
 * MLX90614 on this machine's own I2C bus.
 *
 * Room: one open link in, readings out. May touch: the link it is handed.
 * May not: open, reopen, retry a bus, store, or log what was measured.
 */
import { DecodeError, DeviceError, type ErrorCode } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import type { I2cLink } from '../i2c/i2c-link.ts';
import { ANSWER_BYTES, decodeTemperature, decodeWord, type Quantity, READ_COMMAND } from './mlx90614-codec.ts';
import { NOTHING_PRESENTED, nextPresentation } from './presentation.ts';
import type { Reading } from './reading.ts';

/** As it is sold (FIR 1024, IIR 100 %) the sensor settles in 0.1 s (datasheet 3901090614, table of IIR and FIR settings): more often gives the same again. */
export const SAMPLE_EVERY_MS = 100;
/** A loose wire spoils a transfer or ten; a sensor that gives nothing good for this long is down. */
export const LONGEST_SILENCE_MS = 3_000;

export interface Mlx90614Settings {
  readonly device: string;
  readonly clock: Clock;
  /** Whether to refuse a controller that can not check the PEC. Without it a disturbed wire can make any temperature. */
  readonly isPecRequired: boolean;
  /** Called with each good sample: the device works. */
  readonly onAlive?: () => void;
  /** Told of each answer that was refused, by code. */
  readonly onRefused?: (code: ErrorCode) => void;
}

/**
 * Samples the sensor, and gives one reading for each presentation (presentation.ts), dated by its last sample.
 * @param signal on abort it returns.
 * @throws DeviceError `device.failed` at once where the controller can not check what it reads and that is required; after LONGEST_SILENCE_MS
 * without a good sample what the bus said last, or `device.timeout` where it said something each time and all of it was refused.
 */
export async function* readMlx90614(
  link: I2cLink,
  { device, clock, isPecRequired, onAlive = () => {}, onRefused = () => {} }: Mlx90614Settings,
  signal: AbortSignal,
): AsyncGenerator<Reading, void> {
  if (isPecRequired && link.ability === 'unchecked')
    throw new DeviceError('device.failed', `${device}: the controller of its bus can not check what it reads`);
  let state = NOTHING_PRESENTED;
  let goodAtMs = clock.monotonic();
  while (!signal.aborted) {
    let said: DeviceError | undefined;
    try {
      const objectRaw = await readQuantity(link, 'object', signal);
      const ambientRaw = await readQuantity(link, 'ambient', signal);
      const takenAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
      onAlive();
      const next = nextPresentation(state, { objectRaw, ambientRaw });
      state = next.state;
      if (next.steady !== undefined) yield { ...next.steady, takenAt, device };
      goodAtMs = clock.monotonic();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof DecodeError) onRefused(error.code);
      else if (error instanceof DeviceError && error.code !== 'device.gone') said = error;
      else throw error;
      // What lies on both sides of a gap is no steady forehead.
      state = { ...state, recent: [] };
    }
    if (clock.monotonic() - goodAtMs >= LONGEST_SILENCE_MS)
      throw said ?? new DeviceError('device.timeout', `${device}: no good sample for ${LONGEST_SILENCE_MS} ms`);
    await clock.sleep(SAMPLE_EVERY_MS, signal);
  }
}

async function readQuantity(link: I2cLink, quantity: Quantity, signal: AbortSignal): Promise<CentiCelsius> {
  const command = READ_COMMAND[quantity];
  if (link.ability !== 'transfers') return decodeWord(quantity, await link.readWord(command, signal));
  return decodeTemperature(quantity, await link.transfer(Uint8Array.of(command), ANSWER_BYTES, signal), link.address);
}
