/**
 * Which HID devices there are, what each says of itself, and names for them that outlive a replug.
 *
 * Room: sysfs, which everybody may read. May not: open a device; whoever takes a found one supervises it.
 * Source: Linux, Documentation/ABI/testing/sysfs-driver-hid (report_descriptor), Documentation/ABI/stable/sysfs-bus-usb, drivers/hid/hid-core.c
 * (HID_ID, HID_PHYS and HID_UNIQ of uevent).
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { HidSettings } from './hid-link.ts';

/** One HID interface. A scanner may have several: a keyboard and a POS interface side by side, for one. */
export interface HidDevice {
  /**
   * Means the same interface after a replug: by serial number, else by socket. Cheap ones of one kind may share a serial number, and so a key.
   * Never log it.
   */
  readonly key: string;
  /** Names the interface for as long as it is plugged in; no two at a time have the same. */
  readonly place: string;
  /** Four hexadecimal digits each, as `lsusb` writes them. */
  readonly vendorId: string;
  readonly productId: string;
  /** As the device says; empty where it does not. Cheap ones all say the same. Never log it. */
  readonly serialNumber: string;
  /** The socket: `1-1.2` on USB, else what the driver says. */
  readonly port: string;
  /** Number of the USB interface; 0 where there is none. */
  readonly interfaceNumber: number;
  /** Empty while another program has taken the interface from the kernel, or a killed one did not give it back. */
  readonly descriptor: Uint8Array;
  /** USB's own word for a keyboard, which can be read even then (HID 1.11, section 4.2 and 4.3). */
  readonly isBootKeyboard: boolean;
  /** How to open it; a driver that does not know it is left out. */
  readonly hidraw?: HidSettings;
  readonly libusb?: HidSettings;
}

export interface HidPlaces {
  /** Links to HID devices that have a hidraw node. */
  readonly hidrawDir: string;
  /** Links to USB devices and their interfaces. */
  readonly usbDir: string;
  readonly deviceDir: string;
}

export const HID_PLACES: HidPlaces = { hidrawDir: '/sys/class/hidraw', usbDir: '/sys/bus/usb/devices', deviceDir: '/dev' };

const HID_CLASS = '03';
const BOOT_SUBCLASS = '01';
const KEYBOARD_PROTOCOL = '01';
/** `1-1.2:1.0`: bus, ports, configuration, interface. */
const USB_INTERFACE = /^(\d+-[\d.]+):\d+\.(\d+)$/;

/** @returns a text that changes when HID devices come or go; empty when there is none. */
export async function presentHid({ hidrawDir, usbDir }: HidPlaces): Promise<string> {
  const hidraw = await entriesOf(hidrawDir);
  const usb = (await entriesOf(usbDir)).filter((entry) => USB_INTERFACE.test(entry));
  return [...hidraw, ...usb].toSorted().join(' ');
}

/** @returns every HID interface of this moment, each once; none where there is no sysfs. What leaves while it is looked at is left out. */
export async function listHid(places: HidPlaces = HID_PLACES): Promise<readonly HidDevice[]> {
  const hidraw = await Promise.all((await entriesOf(places.hidrawDir)).toSorted().map((entry) => hidrawDevice(places, entry)));
  const seen = hidraw.filter((device) => device !== undefined);
  const free = (await entriesOf(places.usbDir))
    .filter((entry) => USB_INTERFACE.test(entry) && !seen.some((device) => device.libusb?.path === entry))
    .toSorted();
  const detached = await Promise.all(free.map((entry) => detachedDevice(places, entry)));
  return [...seen, ...detached.filter((device) => device !== undefined)];
}

/**
 * @param ordinal 1 for the first device of its key, 2 for the second.
 * @returns `hid-` and 8 hexadecimal digits: fit for an event and a log, and tells no serial number.
 */
export const hidNameOf = ({ key }: HidDevice, ordinal: number): string =>
  `hid-${createHash('sha256')
    .update(ordinal === 1 ? key : `${key} ${ordinal}`)
    .digest('hex')
    .slice(0, 8)}`;

const keyOf = ({ vendorId, productId, serialNumber, port, interfaceNumber }: Omit<HidDevice, 'key' | 'place'>): string =>
  [vendorId, productId, interfaceNumber, serialNumber === '' ? `at ${port}` : `is ${serialNumber}`].join(' ');

async function hidrawDevice(places: HidPlaces, entry: string): Promise<HidDevice | undefined> {
  const dir = await realpath(join(places.hidrawDir, entry, 'device')).catch(() => undefined);
  if (dir === undefined) return undefined;
  const uevent = await textOf(join(dir, 'uevent'));
  const [, , vendorId = '', productId = ''] = /^HID_ID=([0-9A-F]+):0*([0-9A-F]{4}):0*([0-9A-F]{4})$/m.exec(uevent) ?? [];
  const descriptor = await readFile(join(dir, 'report_descriptor')).catch(() => undefined);
  if (vendorId === '' || descriptor === undefined) return undefined;
  const usb = await usbInterface(places, basename(dirname(dir)));
  const said = {
    vendorId: vendorId.toLowerCase(),
    productId: productId.toLowerCase(),
    serialNumber: propertyOf(uevent, 'HID_UNIQ'),
    port: usb?.port ?? propertyOf(uevent, 'HID_PHYS'),
    interfaceNumber: usb?.interfaceNumber ?? 0,
    descriptor: new Uint8Array(descriptor),
    isBootKeyboard: usb?.isBootKeyboard ?? false,
    hidraw: { driver: 'hidraw', path: join(places.deviceDir, entry), node: join(places.deviceDir, entry) },
    ...(usb === undefined ? {} : { libusb: usb.libusb }),
  } as const;
  return { ...said, key: keyOf(said), place: usb?.libusb.path ?? entry };
}

/** A USB interface of the HID class without a hidraw node. */
async function detachedDevice(places: HidPlaces, entry: string): Promise<HidDevice | undefined> {
  if ((await textOf(join(places.usbDir, entry, 'bInterfaceClass'))) !== HID_CLASS) return undefined;
  const usb = await usbInterface(places, entry);
  if (usb === undefined) return undefined;
  const parent = join(places.usbDir, usb.port);
  const [vendorId, productId, serialNumber] = await Promise.all(
    ['idVendor', 'idProduct', 'serial'].map((file) => textOf(join(parent, file))),
  );
  const { port, interfaceNumber, isBootKeyboard, libusb } = usb;
  const said = {
    vendorId: vendorId ?? '',
    productId: productId ?? '',
    serialNumber: serialNumber ?? '',
    port,
    interfaceNumber,
    descriptor: new Uint8Array(),
    isBootKeyboard,
    libusb,
  };
  return said.vendorId === '' ? undefined : { ...said, key: keyOf(said), place: entry };
}

interface UsbInterface {
  readonly port: string;
  readonly interfaceNumber: number;
  readonly isBootKeyboard: boolean;
  readonly libusb: HidSettings;
}

async function usbInterface({ usbDir, deviceDir }: HidPlaces, entry: string): Promise<UsbInterface | undefined> {
  const [, port, number] = USB_INTERFACE.exec(entry) ?? [];
  if (port === undefined || number === undefined) return undefined;
  const [deviceClass = '', subclass = '', protocol = ''] = await Promise.all(
    ['bInterfaceClass', 'bInterfaceSubClass', 'bInterfaceProtocol'].map((file) => textOf(join(usbDir, entry, file))),
  );
  const node = propertyOf(await textOf(join(usbDir, port, 'uevent')), 'DEVNAME');
  return {
    port,
    interfaceNumber: Number(number),
    isBootKeyboard: deviceClass === HID_CLASS && subclass === BOOT_SUBCLASS && protocol === KEYBOARD_PROTOCOL,
    libusb: { driver: 'libusb', path: entry, node: join(deviceDir, node) },
  };
}

const propertyOf = (uevent: string, name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(uevent)?.[1]?.trim() ?? '';

/** A file that is not there says nothing. */
const textOf = (path: string): Promise<string> =>
  readFile(path, 'latin1').then(
    (text) => text.trim(),
    () => '',
  );

const entriesOf = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
