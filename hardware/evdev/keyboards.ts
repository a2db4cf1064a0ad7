/**
 * Which keyboards the kernel has, by what does not change at a replug, and taking one of them.
 *
 * Room: sysfs and input devices. May not: take a device that was not asked for by its maker's ids, or one that another scanner here has.
 * Source: Linux Documentation/ABI/stable/sysfs-bus-usb and testing/sysfs-class-input (id, uniq, phys, capabilities).
 */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { DeviceError } from '../../protocol/errors.ts';
import type { Closable } from '../byte-link.ts';
import type { Native } from '../native/native.ts';
import type { KeyboardScannerSettings } from '../scanner/keyboard-scanner.ts';
import type { Scan } from '../scanner/scan.ts';
import { type EventLink, openEvents } from './event-link.ts';
import { readEventScans } from './event-scanner.ts';

export interface KeyboardDevice {
  /** Changes at a replug. */
  readonly path: string;
  /** Four hexadecimal digits, lower case. */
  readonly vendorId: string;
  readonly productId: string;
  /** Empty where it has none. Never log it. */
  readonly serialNumber: string;
  /** The socket, such as 1-1.2; what the driver says where it is not on USB. */
  readonly port: string;
}

export interface InputPlaces {
  readonly classDir: string;
  readonly deviceDir: string;
}

export const INPUT_PLACES: InputPlaces = { classDir: '/sys/class/input', deviceDir: '/dev/input' };

/** KEY_1 and KEY_ENTER: a scanner that types has both; a mouse, a power button or a row of volume keys has not. */
const NEEDED_KEYS = [2, 28];
const USB_INTERFACE = /\/(\d+-[\d.]+)\/\1:\d+\.\d+\//;

/** @returns the keyboards of this moment, each interface once. Never rejects: what leaves while it is looked at is left out. */
export async function listKeyboards({ classDir, deviceDir }: InputPlaces = INPUT_PLACES): Promise<readonly KeyboardDevice[]> {
  const names = (await readdir(classDir).catch(() => [])).filter((name) => /^event\d+$/.test(name));
  const order = new Intl.Collator('en', { numeric: true });
  const found = await Promise.all(names.toSorted(order.compare).map((name) => keyboardAt(join(classDir, name), join(deviceDir, name))));
  return found.filter((keyboard) => keyboard !== undefined);
}

async function keyboardAt(classPath: string, path: string): Promise<KeyboardDevice | undefined> {
  const text = (name: string) => readFile(join(classPath, 'device', name), 'utf8').then((all) => all.trim());
  try {
    if (!hasKeys(await text('capabilities/key'), NEEDED_KEYS)) return undefined;
    const place = await realpath(classPath);
    const [vendorId, productId, serialNumber, phys] = await Promise.all(['id/vendor', 'id/product', 'uniq', 'phys'].map(text));
    return {
      path,
      vendorId: (vendorId ?? '').toLowerCase(),
      productId: (productId ?? '').toLowerCase(),
      serialNumber: serialNumber ?? '',
      port: USB_INTERFACE.exec(place)?.[1] ?? phys ?? '',
    };
  } catch {
    return undefined;
  }
}

/** @param words of 64 bits in hexadecimal, the highest first, as sysfs writes a bitmap. */
function hasKeys(words: string, codes: readonly number[]): boolean {
  const inOrder = words.split(' ').toReversed();
  return codes.every((code) => {
    const word = inOrder[Math.floor(code / 64)] ?? '';
    return /^[0-9a-f]{1,16}$/.test(word) && ((BigInt(`0x${word}`) >> BigInt(code % 64)) & 1n) === 1n;
  });
}

/** An open scanner. */
export interface KeyboardLink extends Closable {
  /** @param signal on abort it returns. @throws DeviceError as EventLink's `read` does, after the scans that came before. */
  scans(settings: KeyboardScannerSettings, signal: AbortSignal): AsyncGenerator<Scan, void>;
}

export class EventKeyboards {
  readonly #load: () => Native;
  readonly #places: InputPlaces;
  /** Paths in use: two readers of one scanner would check a visitor in twice. */
  readonly #taken = new Set<string>();

  /** @param load called at each opening: an addon that was installed meanwhile is found. */
  constructor(load: () => Native, places: InputPlaces = INPUT_PLACES) {
    this.#load = load;
    this.#places = places;
  }

  /**
   * Takes the first wanted keyboard that nobody here has.
   * @throws DeviceError `device.no_driver` where the addon is missing, `device.absent` when none is plugged in, and what `openEvents` throws.
   */
  async open(isWanted: (keyboard: KeyboardDevice) => boolean, signal: AbortSignal): Promise<KeyboardLink> {
    const native = this.#load();
    const keyboards = await listKeyboards(this.#places);
    signal.throwIfAborted();
    const found = keyboards.find((keyboard) => isWanted(keyboard) && !this.#taken.has(keyboard.path));
    if (found === undefined) throw new DeviceError('device.absent', 'keyboard: none is plugged in that is wanted');
    this.#taken.add(found.path);
    const release = () => this.#taken.delete(found.path);
    try {
      return new OpenKeyboard(await openEvents(native, found.path, signal), release);
    } catch (error) {
      release();
      throw error;
    }
  }
}

class OpenKeyboard implements KeyboardLink {
  readonly #link: EventLink;
  readonly #release: () => void;

  constructor(link: EventLink, release: () => void) {
    this.#link = link;
    this.#release = release;
  }

  scans(settings: KeyboardScannerSettings, signal: AbortSignal): AsyncGenerator<Scan, void> {
    return readEventScans(this.#link, settings, signal);
  }

  async close(): Promise<void> {
    await this.#link.close();
    this.#release();
  }
}
