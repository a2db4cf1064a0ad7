/**
 * One sensor on an I2C bus of this machine. A link is single-use, as a byte link is (byte-link.ts). It is of one address: whoever holds it can
 * disturb no other sensor.
 * Source: NXP UM10204 (I2C), sections 3.1.10 to 3.1.12; SMBus 3.2, section 6.5 (protocols, PEC); Linux Documentation/i2c/functionality.rst.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { Closable } from '../byte-link.ts';
import { type Bus, type Native, openingError, systemCodeOf } from '../native/native.ts';
import { untilAbort } from '../until-abort.ts';

export interface I2cLink extends Closable {
  readonly address: number;
  /**
   * What the controller can do. `transfers`: anything, and whoever reads checks the bytes. `checked`: SMBus words, whose PEC the controller
   * checks. `unchecked`: SMBus words, whose PEC nobody sees (i2c-stub, some laptops').
   */
  readonly ability: 'transfers' | 'checked' | 'unchecked';
  /**
   * Writes `bytes`, then reads after a repeated start, nobody else between them. One at a time. Where `ability` is `transfers`.
   * @param signal on abort it rejects with the signal's reason; the transfer itself ends within the controller's time limit.
   * @throws DeviceError `device.absent` when no sensor acknowledges its address, `device.timeout` when the bus is held, `device.gone` when
   * the link is closed or the bus is gone, `device.failed`.
   */
  transfer(bytes: Uint8Array, answerBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  /** SMBus Read Word. @returns 16 bits. @throws as `transfer`, and DeviceError `device.failed` when the PEC is wrong. */
  readWord(command: number, signal: AbortSignal): Promise<number>;
}

export interface I2cSettings {
  /** /dev/i2c-1 on a Raspberry Pi's pins 3 and 5. */
  readonly path: string;
  /** 7 bits, 0x08 to 0x77. */
  readonly address: number;
}

/** Linux, uapi/linux/i2c.h. */
const FUNCTION_I2C = 0x0000_0001;
const FUNCTION_PEC = 0x0000_0008;
const FUNCTION_READ_WORD = 0x0020_0000;

/**
 * @returns an opener; each link it gives is new.
 * @throws DeviceError `device.no_driver` where the addon is missing, `device.absent` when there is no such bus, `device.denied`, `device.busy` when a
 * driver of the kernel's has that address, `device.failed`; the signal's reason on abort.
 */
export function openI2c(load: () => Native, { path, address }: I2cSettings): (signal: AbortSignal) => Promise<I2cLink> {
  return async (signal) => {
    signal.throwIfAborted();
    const native = load();
    let bus: Bus;
    try {
      bus = await native.openBus(path, address);
    } catch (error) {
      throw openingError('I2C bus', error);
    }
    const functions = native.functionsOfBus(bus);
    const link = new NativeI2cLink(native, bus, address, functions);
    const isUsable = (functions & (FUNCTION_I2C | FUNCTION_READ_WORD)) !== 0;
    if (isUsable && !signal.aborted) return link;
    await link.close();
    signal.throwIfAborted();
    throw new DeviceError('device.failed', 'I2C bus: its controller reads neither bytes nor words');
  };
}

class NativeI2cLink implements I2cLink {
  readonly address: number;
  readonly ability: I2cLink['ability'];
  readonly #native: Native;
  readonly #bus: Bus;
  /** A descriptor is not closed under a transfer, and one does not begin under another. */
  #last: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(native: Native, bus: Bus, address: number, functions: number) {
    this.address = address;
    this.ability = (functions & FUNCTION_I2C) !== 0 ? 'transfers' : (functions & FUNCTION_PEC) !== 0 ? 'checked' : 'unchecked';
    this.#native = native;
    this.#bus = bus;
  }

  transfer(bytes: Uint8Array, answerBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#run(() => this.#native.transferOnBus(this.#bus, bytes, answerBytes), signal);
  }

  async readWord(command: number, signal: AbortSignal): Promise<number> {
    const isChecked = this.ability !== 'unchecked';
    const [low = 0, high = 0] = await this.#run(() => this.#native.readWordOnBus(this.#bus, command, isChecked), signal);
    return (high << 8) | low;
  }

  close(): Promise<void> {
    this.#closed ??= this.#last.then(() => this.#native.closeBus(this.#bus)).catch(() => {});
    return this.#closed;
  }

  async #run<T>(start: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw new DeviceError('device.gone', 'I2C bus: closed');
    const transfer = this.#last.then(start);
    this.#last = transfer.catch(() => {});
    let done: { readonly value: T } | undefined;
    try {
      done = await untilAbort(
        transfer.then((value) => ({ value })),
        signal,
      );
    } catch (error) {
      throw translated(error);
    }
    signal.throwIfAborted();
    if (done === undefined) throw new DeviceError('device.gone', 'I2C bus: closed');
    return done.value;
  }
}

const MEANINGS: Readonly<Record<string, readonly ['device.absent' | 'device.timeout' | 'device.gone' | 'device.failed', string]>> = {
  // Which of them depends on the controller's driver: BCM2835 says EREMOTEIO, i2c-stub ENODEV.
  ENODEV: ['device.absent', 'no sensor answers at that address'],
  ENXIO: ['device.absent', 'no sensor answers at that address'],
  EREMOTEIO: ['device.absent', 'no sensor answers at that address'],
  ETIMEDOUT: ['device.timeout', 'held by somebody; SDA or SCL is stuck'],
  EBADMSG: ['device.failed', 'the PEC is wrong'],
  EBADF: ['device.gone', 'closed'],
};

/** @returns a DeviceError, or a bug as it came. */
function translated(error: unknown): unknown {
  const code = systemCodeOf(error);
  if (code === undefined) return error;
  const [meaning, words] = MEANINGS[code] ?? (['device.failed', code] as const);
  return new DeviceError(meaning, `I2C bus: ${words}`, { cause: error });
}
