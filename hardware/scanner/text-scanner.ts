/**
 * Lines of text as scans: standard input, for a laptop with a scanner that types.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { DeviceReport } from '../supervise.ts';
import { untilAbort } from '../until-abort.ts';
import { type Frame, LINE_ENDS, LineFramer } from './line-framer.ts';
import { LONGEST_SYMBOL_BYTES, type Scan, textOf } from './scan.ts';
import type { ScannerSettings } from './serial-scanner.ts';

/**
 * @param input chunks of any size; a last line needs no end.
 * @param signal on abort it returns at once; the input is left as it is, for its owner to destroy.
 * @throws whatever `input` throws.
 */
export async function* readTextScans(
  input: AsyncIterable<Uint8Array | string>,
  { device, clock, onRefused = () => {} }: Omit<ScannerSettings, 'framing'>,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  const lines = new LineFramer(LINE_ENDS, LONGEST_SYMBOL_BYTES);
  const chunks = input[Symbol.asyncIterator]();
  for (;;) {
    const next = signal.aborted ? undefined : await untilAbort(chunks.next(), signal);
    if (next === undefined) return;
    const scannedAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
    const last = next.done === true ? lines.flush() : undefined;
    const frames: Frame[] = next.done === true ? (last === undefined ? [] : [last]) : lines.push(Buffer.from(next.value));
    for (const frame of frames) {
      if (signal.aborted) return;
      const text = frame.kind === 'frame' ? textOf(frame.bytes) : '';
      if (frame.kind === 'refused') onRefused(frame.why, frame.lengthBytes);
      else if (text === '') onRefused('empty', frame.bytes.length);
      else yield { text, scannedAt, device };
    }
    if (next.done === true) return;
  }
}

export interface TextScanner extends Omit<ScannerSettings, 'framing'> {
  readonly input: AsyncIterable<Uint8Array | string>;
  readonly onScan: (scan: Scan) => Promise<void>;
  readonly onReport: (report: DeviceReport) => void;
}

/**
 * Hands every line to `onScan`, one at a time. Reports the device up, and down with `device.gone` when the input ends: standard input can
 * not be opened again, and a kiosk has other scanners. Resolves at the end or on abort.
 * @throws whatever `onScan` throws.
 */
export async function runTextScanner({ input, onScan, onReport, ...settings }: TextScanner, signal: AbortSignal): Promise<void> {
  const { device } = settings;
  onReport({ device, isUp: true });
  for await (const scan of readTextScans(input, settings, signal)) await onScan(scan);
  if (!signal.aborted) onReport({ device, isUp: false, why: new DeviceError('device.gone', `${device}: its input ended`) });
}
