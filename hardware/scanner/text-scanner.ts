/**
 * Lines of text as scans: standard input, for a laptop with a scanner that types.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { DeviceReport } from '../supervise.ts';
import { type Frame, LINE_ENDS, LineFramer } from './line-framer.ts';
import { LONGEST_SYMBOL_BYTES, type Scan, textOf } from './scan.ts';
import type { PumpSettings } from './scan-pump.ts';

/**
 * @param input chunks of any size; a last line needs no end.
 * @param signal on abort it returns at once; the input is left as it is, for its owner to destroy.
 * @throws DeviceError `device.gone` when the input ends, `device.failed` when it fails.
 */
export async function* readTextScans(
  input: AsyncIterable<Uint8Array | string>,
  { device, clock, onRefused = () => {} }: Omit<PumpSettings, 'prefix' | 'suffix'>,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  const lines = new LineFramer(LINE_ENDS, LONGEST_SYMBOL_BYTES);
  const chunks = input[Symbol.asyncIterator]();
  // One listener for all waits: to add and remove one for each chunk would be in each scan's way.
  let abandon = () => {};
  const onAbort = () => abandon();
  signal.addEventListener('abort', onAbort, { once: true });
  const nextChunk = () =>
    new Promise<IteratorResult<Uint8Array | string> | undefined>((resolve, reject) => {
      abandon = () => resolve(undefined);
      chunks.next().then(resolve, (cause: unknown) => reject(new DeviceError('device.failed', `${device}: its input failed`, { cause })));
    });
  try {
    while (!signal.aborted) {
      const next = await nextChunk();
      if (next === undefined) return;
      const scannedAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
      const rest = next.done === true ? lines.flush() : undefined;
      const frames: readonly Frame[] =
        next.done === true
          ? rest === undefined
            ? []
            : [rest]
          : lines.push(typeof next.value === 'string' ? Buffer.from(next.value) : next.value);
      for (const frame of frames) {
        if (signal.aborted) return;
        const text = frame.kind === 'frame' ? textOf(frame.bytes) : '';
        if (frame.kind === 'refused') onRefused(frame.why, frame.lengthBytes);
        else if (text === '') onRefused('empty', frame.bytes.length);
        else yield { text, scannedAt, device };
      }
      if (next.done === true) throw new DeviceError('device.gone', `${device}: its input ended`);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

export interface TextScanner extends Omit<PumpSettings, 'prefix' | 'suffix'> {
  readonly input: AsyncIterable<Uint8Array | string>;
  readonly onScan: (scan: Scan) => Promise<void>;
  readonly onReport: (report: DeviceReport) => void;
}

/**
 * Hands every line to `onScan`, one at a time. Reports the device up, and down when the input ends or fails: standard input can
 * not be opened again, and a kiosk has other scanners. Resolves then, or on abort.
 * @throws whatever `onScan` throws.
 */
export async function runTextScanner({ input, onScan, onReport, ...settings }: TextScanner, signal: AbortSignal): Promise<void> {
  const { device } = settings;
  const scans = readTextScans(input, settings, signal);
  // Apart from onScan, whose errors are not the device's.
  const next = () => scans.next().catch((error: unknown) => (error instanceof DeviceError ? error : Promise.reject(error)));
  onReport({ device, isUp: true });
  for (;;) {
    const got = await next();
    if (got instanceof DeviceError) return onReport({ device, isUp: false, why: got });
    if (got.done === true) return;
    await onScan(got.value);
  }
}
