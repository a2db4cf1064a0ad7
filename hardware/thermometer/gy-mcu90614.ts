/**
 * GY-MCU90614 thermometer driver.
 *
 * Room: one open link in, readings out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was measured.
 */
import { DecodeError, DeviceError, type ErrorCode } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { ByteLink } from '../byte-link.ts';
import { SampleFramer, SEND_CONTINUOUSLY } from './gy-mcu90614-codec.ts';
import { NOTHING_PRESENTED, nextPresentation } from './presentation.ts';
import type { Reading } from './reading.ts';

/** The module's own, as it is delivered. */
export const BAUD_RATE = 9_600;
/** The module sends about ten frames a second; thirty missing ones are a fault, not a pause. */
export const LONGEST_SILENCE_MS = 3_000;

export interface ThermometerSettings {
  readonly device: string;
  readonly clock: Clock;
  /** Called with each good frame: the device works. */
  readonly onAlive?: () => void;
  /** Told of frames that were refused, by code. */
  readonly onRefused?: (code: ErrorCode) => void;
}

/**
 * Sets the module to send continuously, then gives one reading for each presentation (presentation.ts).
 * @param signal on abort it returns.
 * @throws DeviceError `device.timeout` after LONGEST_SILENCE_MS without a good frame, and what the link throws.
 */
export async function* readTemperatures(
  link: ByteLink,
  { device, clock, onAlive = () => {}, onRefused = () => {} }: ThermometerSettings,
  signal: AbortSignal,
): AsyncGenerator<Reading, void> {
  const silence = new AbortController();
  const stop = () => silence.abort();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let cancel = clock.after(LONGEST_SILENCE_MS, stop);
  const framer = new SampleFramer();
  let state = NOTHING_PRESENTED;
  try {
    await link.write(SEND_CONTINUOUSLY, silence.signal);
    for await (const chunk of link.read(silence.signal)) {
      for (const found of framer.push(chunk)) {
        if (found instanceof DecodeError) {
          onRefused(found.code);
          continue;
        }
        cancel();
        cancel = clock.after(LONGEST_SILENCE_MS, stop);
        onAlive();
        const next = nextPresentation(state, found);
        state = next.state;
        if (next.steady !== undefined) yield { ...next.steady, takenAt: { wallMs: clock.wall(), monotonicMs: clock.monotonic() }, device };
      }
    }
  } catch (error) {
    if (!silence.signal.aborted) throw error;
  } finally {
    cancel();
    signal.removeEventListener('abort', stop);
  }
  if (!signal.aborted) throw new DeviceError('device.timeout', `${device}: no good frame for ${LONGEST_SILENCE_MS} ms`);
}
