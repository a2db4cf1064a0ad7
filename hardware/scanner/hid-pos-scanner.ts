/**
 * HID POS barcode scanner driver.
 *
 * Room: one open link in, scans out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was scanned.
 */
import type { Clock } from '../../protocol/time.ts';
import type { ReportLink } from '../hid/report-link.ts';
import { STALE_MS } from './gap-framer.ts';
import { PosAssembler, type PosLayout } from './hid-pos-codec.ts';
import type { Scan } from './scan.ts';
import { type Framer, type OnFrame, type PumpSettings, pumpScans } from './scan-pump.ts';
import { afterSilence } from './silence.ts';

/**
 * @param layout of the device's reports (hid-pos-codec.ts).
 * @param signal on abort it returns.
 * @throws DeviceError what `link.read` throws, after the scans that came before it.
 */
export function readPosScans(
  link: Pick<ReportLink, 'read'>,
  layout: PosLayout,
  settings: PumpSettings,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  return pumpScans(
    (ending) => link.read(ending),
    (onFrame) => new PosFramer(layout, settings.clock, onFrame),
    settings,
    signal,
  );
}

/** Codes of reports, each as soon as its last report is there; one whose next report does not come within STALE_MS is given up. */
class PosFramer implements Framer<Uint8Array> {
  readonly #assembler: PosAssembler;
  readonly #clock: Clock;
  readonly #onFrame: OnFrame;
  #cancel: () => void = () => {};

  constructor(layout: PosLayout, clock: Clock, onFrame: OnFrame) {
    this.#assembler = new PosAssembler(layout);
    this.#clock = clock;
    this.#onFrame = onFrame;
  }

  push(report: Uint8Array): void {
    this.#cancel();
    const at = this.#now();
    for (const frame of this.#assembler.push(report)) this.#onFrame(frame, at);
    if (this.#assembler.isInside) this.#cancel = afterSilence(this.#clock, STALE_MS, () => this.#drop());
  }

  end(): void {
    this.#cancel();
    this.#drop();
  }

  #drop(): void {
    const dropped = this.#assembler.drop();
    if (dropped !== undefined) this.#onFrame(dropped, this.#now());
  }

  #now() {
    return { wallMs: this.#clock.wall(), monotonicMs: this.#clock.monotonic() };
  }
}
