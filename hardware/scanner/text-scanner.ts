/**
 * Lines of text as scans: standard input, for a laptop with a scanner that types.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { DeviceReport } from '../supervise.ts';
import { type Frame, LINE_ENDS, LineFramer } from './line-framer.ts';
import { LONGEST_SYMBOL_BYTES, type Scan, textOf } from './scan.ts';
import type { PumpSettings } from './scan-pump.ts';

type Chunk = Uint8Array | string;
type TextSettings = Omit<PumpSettings, 'prefix' | 'suffix'>;

/** An input's chunks, and the scans in them. Not a generator, nor one within another: each would be in each scan's way. */
class TextInput {
  readonly #chunks: AsyncIterator<Chunk>;
  readonly #settings: TextSettings;
  readonly #signal: AbortSignal;
  readonly #lines = new LineFramer(LINE_ENDS, LONGEST_SYMBOL_BYTES);
  #abandon = () => {};
  readonly #onAbort = () => this.#abandon();

  constructor(input: AsyncIterable<Chunk>, settings: TextSettings, signal: AbortSignal) {
    this.#chunks = input[Symbol.asyncIterator]();
    this.#settings = settings;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** @returns the input's next chunk, or its end, or why it failed; `undefined` on abort. */
  next(): Promise<IteratorResult<Chunk> | DeviceError | undefined> {
    const { device } = this.#settings;
    return new Promise((resolve) => {
      this.#abandon = () => resolve(undefined);
      const failed = (cause: unknown) => resolve(new DeviceError('device.failed', `${device}: its input failed`, { cause }));
      if (this.#signal.aborted) resolve(undefined);
      else this.#chunks.next().then(resolve, failed);
    });
  }

  /** Hands on what is complete with this chunk. */
  take(next: IteratorResult<Chunk>, onScan: (scan: Scan) => void): void {
    const { device, clock, onRefused = () => {} } = this.#settings;
    const scannedAt = { wallMs: clock.wall(), monotonicMs: clock.monotonic() };
    for (const frame of this.#framesOf(next)) {
      if (this.#signal.aborted) return;
      const text = frame.kind === 'frame' ? textOf(frame.bytes) : '';
      if (frame.kind === 'refused') onRefused(frame.why, frame.lengthBytes);
      else if (text === '') onRefused('empty', frame.bytes.length);
      else onScan({ text, scannedAt, device });
    }
  }

  leave(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  #framesOf(next: IteratorResult<Chunk>): readonly Frame[] {
    if (next.done !== true) return this.#lines.push(typeof next.value === 'string' ? Buffer.from(next.value) : next.value);
    const rest = this.#lines.flush();
    return rest === undefined ? [] : [rest];
  }
}

/**
 * @param input chunks of any size; a last line needs no end.
 * @param signal on abort it returns at once; the input is left as it is, for its owner to destroy.
 * @throws DeviceError `device.gone` when the input ends, `device.failed` when it fails.
 */
export async function* readTextScans(input: AsyncIterable<Chunk>, settings: TextSettings, signal: AbortSignal): AsyncGenerator<Scan, void> {
  const text = new TextInput(input, settings, signal);
  try {
    for (let next = await text.next(); next !== undefined; next = await text.next()) {
      if (next instanceof DeviceError) throw next;
      const scans: Scan[] = [];
      text.take(next, (scan) => scans.push(scan));
      yield* scans;
      if (next.done === true) throw gone(settings.device);
    }
  } finally {
    text.leave();
  }
}

export interface TextScanner extends TextSettings {
  readonly input: AsyncIterable<Chunk>;
  readonly onScan: (scan: Scan) => void;
  readonly onReport: (report: DeviceReport) => void;
}

/**
 * Hands every line to `onScan`, one at a time. Reports the device up, and down when the input ends or fails: standard input can
 * not be opened again, and a kiosk has other scanners. Resolves then, or on abort.
 * @throws whatever `onScan` throws.
 */
export async function runTextScanner({ input, onScan, onReport, ...settings }: TextScanner, signal: AbortSignal): Promise<void> {
  const { device } = settings;
  const text = new TextInput(input, settings, signal);
  onReport({ device, isUp: true });
  try {
    for (;;) {
      const next = await text.next();
      if (next === undefined) return;
      if (next instanceof DeviceError) return onReport({ device, isUp: false, why: next });
      text.take(next, onScan);
      if (next.done === true) return onReport({ device, isUp: false, why: gone(device) });
    }
  } finally {
    text.leave();
  }
}

const gone = (device: string): DeviceError => new DeviceError('device.gone', `${device}: its input ended`);
