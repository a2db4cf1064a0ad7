/**
 * Everything that this machine shows and a kiosk may use, each physical device once with the doors it has: for a person who asks what is
 * plugged in.
 *
 * Room: the kernel's lists and links to device files. May not: open a device, start a program, or give away a serial number.
 * Source: Linux Documentation/ABI (sysfs-bus-usb, sysfs-class-bluetooth, testing/sysfs-class-rfkill), Documentation/hid/hidraw.rst,
 * Documentation/input/event-codes.rst; udev's src/udev/udev-builtin-input_id.c (what is called a keyboard).
 */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DecodeError } from '../protocol/errors.ts';
import { readItems } from './hid/report-items.ts';

/** `usb`: the whole device, for programs that bring a driver of their own. */
export type DoorKind = 'serial' | 'hid' | 'keyboard' | 'i2c' | 'bluetooth' | 'usb';

/** One way into a device. */
export interface Door {
  readonly kind: DoorKind;
  /** The file a program opens, such as /dev/ttyACM0; of a Bluetooth adapter its name, since it has no file. */
  readonly path: string;
  /** A name that outlives a replug. It may hold a serial number: for the eyes of whoever stands before the machine, and nowhere else. */
  readonly stablePath: string | undefined;
  /** Of a HID door: usage page and usage of its first collection, such as 0x8C and 2 for a barcode scanner. */
  readonly usage: { readonly page: number; readonly id: number } | undefined;
  /** Of a Bluetooth adapter: switched off by software or by a switch. */
  readonly isBlocked: boolean;
}

export interface UsbIds {
  /** Four hexadecimal digits, lower case. */
  readonly vendorId: string;
  readonly productId: string;
  /** The socket, such as 1-1.2: the same after a replug into it. */
  readonly socket: string;
}

export interface FoundDevice {
  /** What its maker calls it, or what the kernel does. */
  readonly title: string;
  /** `undefined` for what is built in. */
  readonly usb: UsbIds | undefined;
  /** Empty where the kernel sees a USB device and no driver has taken it. */
  readonly doors: readonly Door[];
}

export interface DevicePlaces {
  readonly sysDir: string;
  readonly deviceDir: string;
}

const DEVICE_PLACES: DevicePlaces = { sysDir: '/sys', deviceDir: '/dev' };

interface Seen {
  readonly door: Door;
  readonly title: string;
  /** Where the kernel keeps the device behind the door. */
  readonly sysPath: string;
}

/** A device's own words are cut to this: enough for every maker's, and a malicious one fills no screen. */
const LONGEST_TITLE = 64;
/** HID 1.11, section 6.2.2.4: the tag of a main item that opens a collection. */
const COLLECTION = 0xa;
/** Directories between a door and its USB device (interface, HID device, input device, tty); a loop of links ends there, too. */
const MOST_PARENTS = 12;

/** @returns devices in the order of their sockets, built-in ones last. Never rejects: what can not be read is not there. */
export async function discoverDevices(places: DevicePlaces = DEVICE_PLACES): Promise<readonly FoundDevice[]> {
  const links = await linksIn(places.deviceDir);
  const seen = (
    await Promise.all([ttys(places, links), hidraws(places), keyboards(places, links), i2cBuses(places), adapters(places)])
  ).flat();
  const devices = new Map<string, { title: string; usb: UsbIds | undefined; doors: Door[] }>();
  for (const usbPath of await usbDevices(places)) {
    const usb = await usbIds(usbPath);
    if (usb !== undefined) devices.set(usbPath, { title: await usbTitle(usbPath, ''), usb, doors: [] });
  }
  for (const { door, title, sysPath } of seen) {
    const usbPath = await usbParent(sysPath);
    const usb = usbPath === undefined ? undefined : await usbIds(usbPath);
    const key = usbPath ?? door.path;
    const device = devices.get(key) ?? { title: usbPath === undefined ? title : await usbTitle(usbPath, title), usb, doors: [] };
    if (device.title === '') device.title = title;
    device.doors.push(door);
    devices.set(key, device);
  }
  const inOrder = new Intl.Collator('en', { numeric: true });
  const sorted = [...devices.values()].toSorted(
    (a, b) => Number(a.usb === undefined) - Number(b.usb === undefined) || inOrder.compare(keyOf(a), keyOf(b)),
  );
  return sorted.map(({ title, usb, doors }) => ({ title: title === '' ? 'unnamed device' : title, usb, doors }));
}

const keyOf = ({ usb, doors }: FoundDevice): string => usb?.socket ?? doors[0]?.path ?? '';

const doorOf = (kind: DoorKind, path: string, more: Partial<Door> = {}): Door => ({
  kind,
  path,
  stablePath: undefined,
  usage: undefined,
  isBlocked: false,
  ...more,
});

/** Ports with something behind them: a PC's serial driver makes 4 to 32 names and says of the empty ones that their type is 0. */
async function ttys({ sysDir, deviceDir }: DevicePlaces, links: ReadonlyMap<string, string>): Promise<Seen[]> {
  return await eachIn(join(sysDir, 'class/tty'), async (name, dir) => {
    const sysPath = await resolved(join(dir, 'device'));
    if (sysPath === undefined || (await text(join(dir, 'type'))) === '0') return undefined;
    const path = join(deviceDir, name);
    return { door: doorOf('serial', path, { stablePath: links.get(path) }), title: `serial port ${name}`, sysPath };
  });
}

async function hidraws({ sysDir, deviceDir }: DevicePlaces): Promise<Seen[]> {
  return await eachIn(join(sysDir, 'class/hidraw'), async (name, dir) => {
    const sysPath = await resolved(join(dir, 'device'));
    if (sysPath === undefined) return undefined;
    const usage = firstUsage(await readFile(join(sysPath, 'report_descriptor')).catch(() => new Uint8Array()));
    const title = /^HID_NAME=(.*)$/m.exec(await text(join(sysPath, 'uevent')))?.[1] ?? '';
    return { door: doorOf('hid', join(deviceDir, name), { usage }), title: clean(title), sysPath };
  });
}

async function keyboards({ sysDir, deviceDir }: DevicePlaces, links: ReadonlyMap<string, string>): Promise<Seen[]> {
  return await eachIn(join(sysDir, 'class/input'), async (name, dir) => {
    const sysPath = name.startsWith('event') ? await resolved(join(dir, 'device')) : undefined;
    if (sysPath === undefined || !isKeyboard(await text(join(sysPath, 'capabilities/key')))) return undefined;
    const path = join(deviceDir, 'input', name);
    return { door: doorOf('keyboard', path, { stablePath: links.get(path) }), title: clean(await text(join(sysPath, 'name'))), sysPath };
  });
}

async function i2cBuses({ sysDir, deviceDir }: DevicePlaces): Promise<Seen[]> {
  return await eachIn(join(sysDir, 'class/i2c-dev'), async (name, dir) => {
    const title = `I2C bus: ${clean(await text(join(dir, 'name')))}`;
    return { door: doorOf('i2c', join(deviceDir, name)), title, sysPath: (await resolved(join(dir, 'device'))) ?? dir };
  });
}

async function adapters({ sysDir }: DevicePlaces): Promise<Seen[]> {
  return await eachIn(join(sysDir, 'class/bluetooth'), async (name, dir) => {
    // Connections have names like hci0:1.
    if (!/^hci\d+$/.test(name)) return undefined;
    const switches = (await entriesOf(dir)).filter((entry) => entry.startsWith('rfkill'));
    const states = await Promise.all(switches.flatMap((entry) => ['soft', 'hard'].map((kind) => text(join(dir, entry, kind)))));
    return {
      door: doorOf('bluetooth', name, { isBlocked: states.includes('1') }),
      title: `Bluetooth adapter ${name}`,
      sysPath: await realOr(dir),
    };
  });
}

/** USB devices that are no hubs (class 09). */
async function usbDevices({ sysDir }: DevicePlaces): Promise<string[]> {
  const found = await eachIn(join(sysDir, 'bus/usb/devices'), async (_name, dir) => {
    const isDevice = (await text(join(dir, 'idVendor'))) !== '' && (await text(join(dir, 'bDeviceClass'))) !== '09';
    return isDevice ? await realOr(dir) : undefined;
  });
  return found;
}

async function usbParent(sysPath: string): Promise<string | undefined> {
  let dir = sysPath;
  for (let up = 0; up < MOST_PARENTS && dir !== dirname(dir); up++) {
    if ((await text(join(dir, 'idVendor'))) !== '') return dir;
    dir = dirname(dir);
  }
  return undefined;
}

async function usbIds(dir: string): Promise<UsbIds | undefined> {
  const [vendorId, productId] = await Promise.all([text(join(dir, 'idVendor')), text(join(dir, 'idProduct'))]);
  if (!/^[0-9a-f]{4}$/i.test(vendorId) || !/^[0-9a-f]{4}$/i.test(productId)) return undefined;
  return { vendorId: vendorId.toLowerCase(), productId: productId.toLowerCase(), socket: basename(dir) };
}

async function usbTitle(dir: string, otherwise: string): Promise<string> {
  const [maker, product] = await Promise.all([text(join(dir, 'manufacturer')), text(join(dir, 'product'))]);
  const title = product.startsWith(maker) ? product : `${maker} ${product}`;
  return clean(title) || otherwise;
}

/**
 * @param words of the kernel's bit map, hexadecimal, the highest first.
 * @returns whether there are Escape, digits, letters and Enter: keys 1 to 31, as udev decides it.
 */
export function isKeyboard(words: string): boolean {
  const lowest = words.split(/\s+/).at(-1) ?? '';
  return /^[0-9a-f]{1,16}$/i.test(lowest) && (BigInt(`0x${lowest}`) & 0xff_ff_ff_fen) === 0xff_ff_ff_fen;
}

/** @returns usage page and usage before the first collection (HID 1.11, section 6.2.2); `undefined` when there is none. */
export function firstUsage(descriptor: Uint8Array): { page: number; id: number } | undefined {
  let page = 0;
  let id = 0;
  try {
    for (const { type, tag, unsigned } of readItems(descriptor)) {
      if (type === 'global' && tag === 0) page = unsigned;
      else if (type === 'local' && tag === 0) id = unsigned;
      else if (type === 'main' && tag === COLLECTION) return { page, id };
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return undefined;
}

/** Real path -> the best stable link: by id, else by socket. */
async function linksIn(deviceDir: string): Promise<ReadonlyMap<string, string>> {
  const links = new Map<string, string>();
  for (const dir of ['serial/by-id', 'serial/by-path', 'input/by-id', 'input/by-path'].map((place) => join(deviceDir, place))) {
    for (const entry of (await entriesOf(dir)).toSorted()) {
      const real = await resolved(join(dir, entry));
      if (real !== undefined && !links.has(real)) links.set(real, join(dir, entry));
    }
  }
  return links;
}

async function eachIn<T>(dir: string, look: (name: string, path: string) => Promise<T | undefined>): Promise<T[]> {
  const found = await Promise.all((await entriesOf(dir)).map((name) => look(name, join(dir, name))));
  return found.filter((one) => one !== undefined);
}

const entriesOf = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
const resolved = (path: string): Promise<string | undefined> => realpath(path).catch(() => undefined);
const realOr = async (path: string): Promise<string> => (await resolved(path)) ?? path;
const text = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();
/** Printable ASCII only: what a device says of itself is not to move the cursor of whoever reads it. */
const clean = (words: string): string =>
  words
    .replace(/[^ -~]/g, '')
    .trim()
    .slice(0, LONGEST_TITLE);
