/**
 * The door every driver has: an open connection to one device, in bytes. A link is single-use: once closed or gone it
 * stays so, and a new one is opened in its place (supervise.ts).
 */

/** Anything that is opened once and closed once. */
export interface Closable {
  /** When it resolves the device is released. Closing twice gives the same answer; never rejects. */
  close(): Promise<void>;
}

export interface ByteLink extends Closable {
  /**
   * Bytes as they come, in chunks of any size from 1 byte. Nothing is read ahead of the consumer: a device that floods waits in
   * the kernel's own bounded buffer. One reader at a time.
   * @param signal on abort the iteration returns; bytes that were on their way go to the next `read`.
   * @throws DeviceError `device.gone` when the device is unplugged or the link is closed, `device.failed` when it answers with an error.
   */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * When it resolves the bytes have left this machine. One writer at a time, one command at a time: some kilobytes at most.
   * @param signal on abort it rejects with the signal's reason; how much was sent is then unknown, so close the link.
   * @throws DeviceError `device.gone` when unplugged or closed, `device.failed` when the device answers with an error or does not take the bytes.
   */
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
}

/**
 * Opens one link. An opener may be called again and again; each link it gives is new.
 * @throws DeviceError `device.absent`, `device.denied`, `device.busy` or `device.failed`; the signal's reason on abort.
 */
export type OpenLink = (signal: AbortSignal) => Promise<ByteLink>;
