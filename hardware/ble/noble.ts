/**
 * The only importer of @stoprocent/noble: loads it when a radio is opened, and tells what is wrong when it can not be loaded or used.
 * To be called in the radio process only (docs/decisions/0015-bluetooth.md says why noble may not live in the kiosk's).
 */
import type { Noble } from '@stoprocent/noble';
import type Hci from '@stoprocent/noble/lib/hci-socket/hci.js';
import { DeviceError, type ErrorCode } from '../../protocol/errors.ts';

export type { Characteristic, Noble, Peripheral } from '@stoprocent/noble';
export type { Hci };

/** A controller to work with, and how it is to be had. */
export interface Adapter {
  /** 0 for hci0. */
  readonly index: number;
  /**
   * Whether the adapter is taken for ourselves (HCI user channel): possible while it is switched off; the kernel switches it on then. One that
   * somebody has switched on already is shared with the kernel and with who did so (raw channel).
   */
  readonly isOwn: boolean;
  /** Whether it is still plugged in and, where it is shared, switched on. Nobody can switch off one that is taken. */
  isThere(): Promise<boolean>;
}

/** @returns noble's own reader and writer of HCI packets, without its memory of every peripheral. @throws DeviceError `device.no_driver`. */
export async function newHci(): Promise<Hci> {
  const { default: Loaded } = await loaded(() => import('@stoprocent/noble/lib/hci-socket/hci.js'));
  return new Loaded();
}

/** @returns a whole noble on that adapter, not started yet. @throws DeviceError `device.no_driver`. */
export async function newNoble({ index, isOwn }: Adapter): Promise<Noble> {
  const { default: withBindings } = await loaded(() => import('@stoprocent/noble/lib/resolve-bindings.js'));
  return withBindings('hci', { deviceId: index, userChannel: isOwn }) as Noble;
}

async function loaded<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    throw new DeviceError('device.no_driver', 'Bluetooth: @stoprocent/noble is not installed, or not for this computer', { cause });
  }
}

/**
 * Asks on a socket of its own: the kernel answers such questions on none that has taken an adapter (net/bluetooth/hci_sock.c, hci_sock_ioctl).
 * @param wanted index of the adapter; the first that serves where `undefined`: one that is switched on, else one that can be.
 * @throws DeviceError `device.no_driver` where noble or the kernel's Bluetooth is missing, `device.absent`.
 */
export async function chooseAdapter(wanted: number | undefined): Promise<Adapter> {
  const { _socket: socket } = await newHci();
  let failed: Error | undefined;
  socket.on('error', (error) => {
    failed ??= error;
  });
  const devices = await socket.getDeviceList();
  if (failed !== undefined) throw errorOf(failed);
  const fit = devices.filter(({ devId }) => devId !== null && (wanted === undefined || devId === wanted));
  const chosen = fit.find(({ devUp }) => devUp) ?? fit[0];
  if (chosen === undefined || chosen.devId === null) throw new DeviceError('device.absent', 'Bluetooth: there is no such adapter');
  const { devId: index } = chosen;
  const isOwn = chosen.devUp !== true;
  const isThere = async () => {
    const device = (await socket.getDeviceList()).find(({ devId }) => devId === index);
    return device !== undefined && (isOwn || device.devUp === true);
  };
  return { index, isOwn, isThere };
}

/** The native socket gives an errno without its name, and for a bind its words alone (strerror). */
const CAUSES: readonly (readonly [errno: number, words: RegExp, code: ErrorCode, meaning: string])[] = [
  [97, /Address family not supported/, 'device.no_driver', 'the kernel has none'],
  [1, /Operation not permitted/, 'device.denied', 'this user may not use it'],
  [13, /Permission denied/, 'device.denied', 'this user may not use it'],
  [16, /busy/, 'device.busy', 'another program has the adapter'],
  [132, /RF-kill/, 'device.denied', 'rfkill has switched it off'],
  [19, /No such device/, 'device.gone', 'the adapter is gone'],
  [32, /Broken pipe/, 'device.gone', 'the adapter is gone'],
  [77, /bad state/, 'device.gone', 'the adapter is gone'],
  [100, /Network is down/, 'device.gone', 'the adapter is switched off'],
];

/** @returns what an error of the native socket means. */
export function errorOf(cause: Error & { readonly errno?: number }): DeviceError {
  const [, , code, meaning] = CAUSES.find(([errno, words]) => cause.errno === errno || words.test(cause.message)) ?? [
    0,
    undefined,
    'device.failed' as const,
    'the adapter does not do what it is asked',
  ];
  return new DeviceError(code, `Bluetooth: ${meaning}`, { cause });
}
