/**
 * Lines of text as scans: standard input, for a laptop with a scanner that types.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { DeviceReport } from '../supervise.ts';
import { type Frame, LINE_ENDS, LineFramer } from './line-framer.ts';
import { LONGEST_SYMBOL_BYTES, type Scan, textOf } from './scan.ts';
import type { PumpSettings } from './scan-pump.ts';
import type { Typing } from './typing.ts';

type TextSettings = Omit<PumpSettings, 'prefix' | 'suffix'>;

/** The scans in an input's chunks. */
class TextLines {
  readonly #settings: TextSettings;
  readonly #lines = new LineFramer(LINE_ENDS, LONGEST_SYMBOL_BYTES);

  constructor(settings: TextSettings) {
    this.#settings = settings;
  }

  /** @returns what is complete with this chunk. */
  take = (chunk: Uint8Array): readonly Scan[] => this.#scansOf(this.#lines.push(chunk));

  /** @returns the last line, which needs no end. */
  end(): readonly Scan[] {
    const rest = this.#lines.flush();
    return rest === undefined ? [] : this.#scansOf([rest]);
  }

  #scansOf(frames: readonly Frame[]): readonly Scan[] {
    const { device, clock, onRefused = () => {} } = this.#settings;
    const scannedAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
    const scans: Scan[] = [];
    for (const frame of frames) {
      const text = frame.kind === 'frame' ? textOf(frame.bytes) : '';
      if (frame.kind === 'refused') onRefused(frame.why, frame.lengthBytes);
      else if (text === '') onRefused('empty', frame.bytes.length);
      else scans.push({ text, scannedAt, device });
    }
    return scans;
  }
}

/**
 * @param input chunks of any size; a last line needs no end.
 * @throws DeviceError `device.gone` when the input ends, `device.failed` when it fails.
 */
export async function* readTextScans(input: AsyncIterable<Uint8Array>, settings: TextSettings): AsyncGenerator<Scan, void> {
  const { device } = settings;
  const lines = new TextLines(settings);
  try {
    for await (const chunk of input) yield* lines.take(chunk);
  } catch (cause) {
    throw failed(device, cause);
  }
  yield* lines.end();
  throw gone(device);
}

export interface TextScanner extends TextSettings {
  readonly input: Typing;
  readonly onScan: (scan: Scan) => void;
  readonly onReport: (report: DeviceReport) => void;
}

/**
 * Hands every line to `onScan`, one at a time. Reports the device up, and down when the input ends or fails: standard input can
 * not be opened again, and a kiosk has other scanners. Resolves then, or on abort.
 * @throws whatever `onScan` throws.
 */
export function runTextScanner({ input, onScan, onReport, ...settings }: TextScanner, signal: AbortSignal): Promise<void> {
  const { device } = settings;
  const lines = new TextLines(settings);
  const hand = (scans: readonly Scan[]): void => {
    for (const scan of scans) if (!signal.aborted) onScan(scan);
  };
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      leave();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = (): void => end(resolve);
    const guarded = (serve: () => void): void => {
      try {
        serve();
      } catch (error) {
        end(() => reject(error));
      }
    };
    const leave = input.listen({
      chunk: (bytes) => guarded(() => hand(lines.take(bytes))),
      over: (failure) =>
        guarded(() => {
          if (failure === undefined) hand(lines.end());
          onReport({ device, isUp: false, why: failure === undefined ? gone(device) : failed(device, failure) });
          end(resolve);
        }),
    });
    onReport({ device, isUp: true });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

const gone = (device: string): DeviceError => new DeviceError('device.gone', `${device}: its input ended`);
const failed = (device: string, cause: unknown): DeviceError => new DeviceError('device.failed', `${device}: its input failed`, { cause });
