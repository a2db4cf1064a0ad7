/**
 * Serial barcode scanner driver.
 *
 * Room: one open link in, scans out. May touch: the link it is handed.
 * May not: open, reopen, retry, store, or log what was scanned.
 */
import type { ByteLink } from '../byte-link.ts';
import type { BaudSearch } from './baud-search.ts';
import { type Framing, GapFramer } from './gap-framer.ts';
import type { RefusedScan, Scan } from './scan.ts';
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

/** As much of a serial link as is needed to try other speeds. */
export interface SpeedLink extends Pick<ByteLink, 'read'> {
  /** @throws DeviceError `device.gone`, `device.failed`. */
  setBaudRate(baudRate: number): Promise<void>;
}

/** What a wrong speed makes of a code. */
const GARBLED: ReadonlySet<RefusedScan> = new Set(['unprintable', 'overlong']);

/**
 * As `readScans`, trying the usual speeds until one can be read.
 * @param link open at `search.rate`. @param search is kept by the caller, so that a speed once found outlives a replug.
 */
export async function* readScansAtAnySpeed(
  link: SpeedLink,
  search: BaudSearch,
  { onRefused = () => {}, ...settings }: ScannerSettings,
  signal: AbortSignal,
): AsyncGenerator<Scan, void> {
  const noteRefused = (why: RefusedScan, lengthBytes: number) => {
    onRefused(why, lengthBytes);
    // A port that does not take the speed is gone or broken: the read says so.
    if (GARBLED.has(why) && search.illegible(settings.clock.monotonic())) link.setBaudRate(search.rate).catch(() => {});
  };
  for await (const scan of readScans(link, { ...settings, onRefused: noteRefused }, signal)) {
    const isCut = search.isSettling(scan.scannedAt.monotonicMs);
    search.legible(scan.text.length);
    if (isCut) onRefused('cut', scan.text.length);
    else yield scan;
  }
}
