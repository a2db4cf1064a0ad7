/**
 * A thermometer module that sends samples by itself, on a serial line.
 *
 * Room: one open link in, readings out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was measured.
 */
import { DecodeError, DeviceError, type ErrorCode } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { ByteLink } from '../byte-link.ts';
import { Ending } from '../until-abort.ts';
import { NOTHING_PRESENTED, nextPresentation } from './presentation.ts';
import type { Reading, Sample } from './reading.ts';

/** What one model of module needs. */
export interface SendingModule {
  /** Sent once, when the port has been opened. */
  readonly command: Uint8Array;
  readonly newFramer: () => { push(bytes: Uint8Array): (Sample | DecodeError)[] };
}

/** These modules send ten times a second or more; three seconds without a good frame are a fault, not a pause. */
export const LONGEST_SILENCE_MS = 3_000;

export interface ThermometerSettings {
  readonly device: string;
  readonly clock: Clock;
  /** Called with each good frame: the device works. */
  readonly onAlive?: () => void;
  /** Told of each frame that was refused, by code. */
  readonly onRefused?: (code: ErrorCode) => void;
}

/**
 * Tells the module to send, then gives one reading for each presentation (presentation.ts), dated by its last sample.
 * @param signal on abort it returns.
 * @throws DeviceError `device.timeout` after LONGEST_SILENCE_MS without a good frame, and what the link throws.
 */
export async function* readSending(
  { command, newFramer }: SendingModule,
  link: ByteLink,
  { device, clock, onAlive = () => {}, onRefused = () => {} }: ThermometerSettings,
  signal: AbortSignal,
): AsyncGenerator<Reading, void> {
  const ending = new Ending(signal);
  let cancel = clock.after(LONGEST_SILENCE_MS, ending.end);
  const framer = newFramer();
  let state = NOTHING_PRESENTED;
  try {
    await link.write(command, ending.signal);
    for await (const chunk of link.read(ending.signal)) {
      const takenAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
      for (const found of framer.push(chunk)) {
        if (found instanceof DecodeError) {
          onRefused(found.code);
          continue;
        }
        onAlive();
        const next = nextPresentation(state, found);
        state = next.state;
        // While the consumer works nothing is read: that is no silence of the device.
        cancel();
        if (next.steady !== undefined) yield { ...next.steady, takenAt, device };
        cancel = clock.after(LONGEST_SILENCE_MS, ending.end);
      }
    }
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  } finally {
    cancel();
    ending.release();
  }
  if (!signal.aborted) throw new DeviceError('device.timeout', `${device}: no good frame for ${LONGEST_SILENCE_MS} ms`);
}
