/** Where each device of a kiosk is plugged in, as a person would look for it: configured, or found. */
import { LONGEST_DEVICE_PATH } from '../protocol/kiosk-state.ts';
import type { KioskConfig } from './config.ts';

/** A USB device's serial number may be its network address: udev puts it into the link's name. */
const LIKE_AN_ADDRESS = /(?:[0-9a-f]{2}[:_-]?){5}[0-9a-f]{2}/gi;

export class DevicePlaces {
  readonly #places = new Map<string, string>();

  /** @param config of which only what names a device's path is read. */
  constructor({ scanners, thermometers, sniffers, boards }: Pick<KioskConfig, 'scanners' | 'thermometers' | 'sniffers' | 'boards'>) {
    for (const scanner of scanners) {
      if (scanner.kind === 'serial') this.found(scanner.name, scanner.path);
      if (scanner.kind === 'hid-pos' || scanner.kind === 'keyboard') this.found(scanner.name, usbPlace(scanner));
    }
    for (const thermometer of thermometers) this.found(thermometer.name, 'path' in thermometer ? thermometer.path : 'ble');
    for (const { name } of sniffers) this.found(name, 'ble');
    for (const { name, path, thermometer } of boards) {
      this.found(name, path);
      if (thermometer !== undefined) this.found(thermometer.name, path);
    }
  }

  /** @param path of a device file, or `usb` and the port; what is long keeps its end, and what may be a network address is left out. */
  found(device: string, path: string): void {
    const clean = path.replaceAll(LIKE_AN_ADDRESS, '*').replaceAll(/[^\x20-\x7e]/g, '?');
    this.#places.set(device, clean.slice(-LONGEST_DEVICE_PATH));
  }

  /** @returns `undefined` for one that is plugged in nowhere, such as standard input. */
  of(device: string): string | undefined {
    return this.#places.get(device);
  }
}

function usbPlace({
  port,
  vendorId,
  productId,
}: {
  port?: string | undefined;
  vendorId?: string | undefined;
  productId?: string | undefined;
}): string {
  if (port !== undefined) return `usb ${port}`;
  return vendorId === undefined ? 'usb' : `usb ${vendorId}:${productId ?? '*'}`;
}
