/**
 * Keyboard barcode scanner driver: a scanner that types.
 *
 * Room: one open link in, scans out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was typed.
 */
import type { Clock } from '../../protocol/time.ts';
import type { ReportLink } from '../hid/report-link.ts';
import { type Framing, GapFramer } from './gap-framer.ts';
import { KeyboardCodec } from './keyboard-codec.ts';
import { type KeyboardLayout, PressedKeys } from './keyboard-reports.ts';
import type { Scan } from './scan.ts';
import { type Framer, type OnFrame, type PumpSettings, pumpScans } from './scan-pump.ts';

export interface KeyboardScannerSettings extends PumpSettings {
  /** `auto` when left out. */
  readonly framing?: Framing;
}

/**
 * @param layout of the device's reports (keyboard-reports.ts).
 * @param signal on abort it returns.
 * @throws DeviceError what `link.read` throws, after the scans that came before it.
 */
export function readTypedScans(
  link: Pick<ReportLink, 'read'>,
  layout: KeyboardLayout,
  { framing = 'auto', ...settings }: KeyboardScannerSettings,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  return pumpScans(
    (ending) => link.read(ending),
    (onFrame) => new TypingFramer(layout, framing, settings.clock, onFrame),
    settings,
    signal,
  );
}

/** Keys to characters to frames: what is typed is a stream of bytes like any other scanner's. */
class TypingFramer implements Framer<Uint8Array> {
  readonly #keys: PressedKeys;
  readonly #codec = new KeyboardCodec();
  readonly #frames: GapFramer;

  constructor(layout: KeyboardLayout, framing: Framing, clock: Clock, onFrame: OnFrame) {
    this.#keys = new PressedKeys(layout);
    this.#frames = new GapFramer(framing, clock, onFrame);
  }

  push(report: Uint8Array): void {
    const pressed = this.#keys.push(report);
    if (pressed === undefined) return;
    const typed = this.#codec.pressed(pressed);
    if (typed === '') this.#frames.touch();
    else this.#frames.push(Buffer.from(typed, 'latin1'));
  }

  end(): void {
    this.#frames.end();
  }
}
