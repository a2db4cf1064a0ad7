/**
 * The addon's door: its calls, typed, and its errors as ours. The only file that loads it; what it does and promises is said in events.c and
 * bus.c. It may be missing (docs/devices/native-addon.md): that is one device's `device.no_driver`, never the kiosk's end.
 */
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { DeviceError } from '../../protocol/errors.ts';

declare const opened: unique symbol;
/** An open input device, and an open I2C bus with one sensor's address. Closed when collected, at the latest, but do not wait for that. */
export type EventDevice = { readonly [opened]: 'events' };
export type Bus = { readonly [opened]: 'bus' };

export interface EventDescription {
  /** As linux/input.h has them: BUS_USB is 3, BUS_BLUETOOTH 5. */
  readonly bus: number;
  readonly vendor: number;
  readonly product: number;
  readonly version: number;
  /** The maker's words; may be empty. */
  readonly name: string;
  /** A bit for each type of event, and each key, that the device may send: linux/input-event-codes.h. */
  readonly types: Uint8Array;
  readonly keys: Uint8Array;
}

/** Each throws an Error whose `code` is the errno's name. Promises settle on their own; `close…` releases the descriptor. */
export interface Native {
  openEvents(path: string): Promise<EventDevice>;
  describeEvents(device: EventDevice): EventDescription;
  /** EBUSY when another program has it. */
  grabEvents(device: EventDevice, isGrabbed: boolean): void;
  /** A bit for each key that is down now. ENODEV when unplugged. */
  keysDown(device: EventDevice): Uint8Array;
  /** Whole `struct input_event`s; `undefined` when there are none yet. ENODEV when unplugged. */
  readEvents(device: EventDevice): Uint8Array | undefined;
  /** Resolves when `readEvents` will give something or throw. One at a time; ECANCELED on close. */
  waitForEvents(device: EventDevice): Promise<void>;
  closeEvents(device: EventDevice): Promise<void>;

  /** @param address 7 bits, 0x08 to 0x77. */
  openBus(path: string, address: number): Promise<Bus>;
  /** The controller's I2C_FUNC_ bits (linux/i2c.h). */
  functionsOfBus(bus: Bus): number;
  /** Writes, then reads after a repeated start. At most 32 bytes each. One transfer at a time: EBUSY. */
  transferOnBus(bus: Bus, bytes: Uint8Array, answerBytes: number): Promise<Uint8Array>;
  /** SMBus Read Word: low byte, high byte. @param isChecked has the controller check the PEC; one that can not does not say so. */
  readWordOnBus(bus: Bus, command: number, isChecked: boolean): Promise<Uint8Array>;
  /** EBUSY while a transfer is under way. */
  closeBus(bus: Bus): Promise<void>;
}

const NAPI_VERSION = 8;

/** @param dir where built addons lie; this folder's own when left out. @throws DeviceError `device.no_driver` when there is none for this machine. */
export function loadNative(dir: URL = new URL('./built/', import.meta.url)): Native {
  const place = `napi-v${NAPI_VERSION}-${platform()}-${arch()}`;
  try {
    return createRequire(import.meta.url)(new URL(`${place}/vestibule_native.node`, dir).pathname) as Native;
  } catch (cause) {
    throw new DeviceError('device.no_driver', `native addon: not here for ${platform()}-${arch()}; npm run native gets it`, { cause });
  }
}

type OpeningCode = 'device.absent' | 'device.denied' | 'device.busy' | 'device.gone' | 'device.failed';

const OPENING: Readonly<Record<string, OpeningCode>> = {
  ENOENT: 'device.absent',
  ENOTDIR: 'device.absent',
  ENXIO: 'device.absent',
  ENODEV: 'device.absent',
  EACCES: 'device.denied',
  EPERM: 'device.denied',
  EBUSY: 'device.busy',
};

/** @returns the errno's name of an error of the addon's; `undefined` for any other error, which is a bug. */
export const systemCodeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && /^E[A-Z0-9]+$/.test(String(error.code)) ? String(error.code) : undefined;

/** @param subject what was opened, without its path. @returns what to throw: a DeviceError, or a bug as it came. */
export function openingError(subject: string, error: unknown): unknown {
  const code = systemCodeOf(error);
  return code === undefined ? error : new DeviceError(OPENING[code] ?? 'device.failed', `${subject}: ${code} on opening`, { cause: error });
}
