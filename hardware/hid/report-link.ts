/**
 * The door of a HID device: an open connection, in whole reports. A link is single-use, as a byte link is (byte-link.ts).
 */
import type { Closable } from '../byte-link.ts';

export interface ReportLink extends Closable {
  /**
   * Input reports as they come, each whole, its id first where the device has report ids. One reader at a time. A bounded number is read ahead,
   * by a thread of its own: the kernel keeps 64 and drops what comes then, so a program that is busy for a moment must not lose half a code.
   * @param signal on abort the iteration returns; reports that were on their way go to the next `read`.
   * @throws DeviceError `device.gone` when the device is unplugged or the link is closed, `device.failed` when reports come faster than they
   * are taken: some would be lost.
   */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Sends an output report: its id first, 0 where the device has no report ids.
   * @throws DeviceError `device.gone`, `device.failed`; the signal's reason on abort.
   */
  write(report: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Sends a feature report, its id first. @throws as `write`. */
  sendFeature(report: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Asks for a feature report. @param lengthBytes with its id. @returns it, its id first. @throws as `write`. */
  getFeature(reportId: number, lengthBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}

/**
 * Opens one link. An opener may be called again and again; each link it gives is new.
 * @throws DeviceError `device.absent`, `device.denied`, `device.busy`, `device.no_driver` or `device.failed`; the signal's reason on abort.
 */
export type OpenReportLink = (signal: AbortSignal) => Promise<ReportLink>;
