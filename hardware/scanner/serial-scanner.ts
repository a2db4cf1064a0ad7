/**
 * Serial barcode scanner driver.
 *
 * Room: one open link in, scans out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was scanned.
 */
import type { ByteLink } from '../byte-link.ts';
import { type Framing, GapFramer } from './gap-framer.ts';
import type { Scan } from './scan.ts';
import { type PumpSettings, pumpScans } from './scan-pump.ts';

export interface ScannerSettings extends PumpSettings {
  /** `auto` when left out. */
  readonly framing?: Framing;
}

/**
 * @param signal on abort it returns.
 * @throws DeviceError what `link.read` throws, after the scans that came before it.
 */
export function readScans(
  link: Pick<ByteLink, 'read'>,
  { framing = 'auto', ...settings }: ScannerSettings,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  return pumpScans(
    (ending) => link.read(ending),
    (onFrame) => new GapFramer(framing, settings.clock, onFrame),
    settings,
    signal,
  );
}
