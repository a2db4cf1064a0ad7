/**
 * An input device of the kernel's, taken so that nobody else sees what it sends. A link is single-use, as a byte link is (byte-link.ts).
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { Closable } from '../byte-link.ts';
import { type EventDevice, type Native, openingError, systemCodeOf } from '../native/native.ts';
import { untilAbort } from '../until-abort.ts';

export interface EventLink extends Closable {
  /**
   * Events as the kernel gives them (input-event.ts). Some 16,000 are kept for a reader that is busy; what comes then is lost, and a SYN_DROPPED
   * is among the events. One reader at a time.
   * @param signal on abort the iteration returns; events that were on their way go to the next `read`.
   * @throws DeviceError `device.gone` when the device is unplugged or the link is closed, `device.failed`.
   */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** @returns a bit for each key that is down now. @throws DeviceError `device.gone`, `device.failed`. */
  keysDown(): Uint8Array;
}

/**
 * Opens one device and takes it exclusively: it types into no console and no window.
 * @param path of the device; /dev/input/event… changes at a replug, so ask for it anew each time.
 * @throws DeviceError `device.absent`, `device.denied`, `device.busy` when another program has taken it, `device.gone`, `device.failed`; the
 * signal's reason on abort.
 */
export async function openEvents(native: Native, path: string, signal: AbortSignal): Promise<EventLink> {
  signal.throwIfAborted();
  let device: EventDevice;
  try {
    device = await native.openEvents(path);
  } catch (error) {
    throw openingError('input device', error);
  }
  const link = new NativeEventLink(native, device);
  try {
    signal.throwIfAborted();
    native.grabEvents(device, true);
    return link;
  } catch (error) {
    await link.close();
    throw signal.aborted ? error : systemCodeOf(error) === 'EBUSY' ? openingError('input device', error) : translated(error);
  }
}

class NativeEventLink implements EventLink {
  readonly #native: Native;
  readonly #device: EventDevice;
  /** A wait that an abort left behind; the next reader takes it up. */
  #waiting: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(native: Native, device: EventDevice) {
    this.#native = native;
    this.#device = device;
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    while (!signal.aborted) {
      const events = this.#call(() => this.#native.readEvents(this.#device));
      if (events !== undefined) {
        yield events;
        continue;
      }
      this.#waiting ??= this.#call(() => this.#native.waitForEvents(this.#device));
      const waited = await untilAbort(
        this.#waiting.then(() => true),
        signal,
      ).catch((error: unknown) => {
        throw translated(error);
      });
      if (waited === undefined) return;
      this.#waiting = undefined;
    }
  }

  keysDown(): Uint8Array {
    return this.#call(() => this.#native.keysDown(this.#device));
  }

  close(): Promise<void> {
    this.#closed ??= this.#native.closeEvents(this.#device).catch(() => {});
    return this.#closed;
  }

  #call<T>(make: () => T): T {
    if (this.#closed !== undefined) throw new DeviceError('device.gone', 'input device: closed');
    try {
      return make();
    } catch (error) {
      throw translated(error);
    }
  }
}

const GONE: ReadonlySet<string> = new Set(['ENODEV', 'ENXIO', 'EIO', 'EBADF', 'ECANCELED']);

/** @returns a DeviceError, or a bug as it came. */
function translated(error: unknown): unknown {
  const code = systemCodeOf(error);
  if (code === undefined) return error;
  if (GONE.has(code)) return new DeviceError('device.gone', 'input device: unplugged', { cause: error });
  const words = code === 'ENOTTY' ? 'that path is none' : code;
  return new DeviceError('device.failed', `input device: ${words}`, { cause: error });
}
