/**
 * A machine's /sys and /dev, as a kernel lays them out, in a directory: for whatever reads what is plugged in. The trees follow those of a
 * Linux 6.1 with the devices named; serial numbers in them are bait.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { DevicePlaces } from '../../hardware/discover-devices.ts';
import type { HidPlaces } from '../../hardware/hid/hid-devices.ts';

/** Must never be seen in a report. */
export const SERIAL_NUMBER = 'SN0815GEHEIM4711';

/** Of a keyboard: letters, digits, Enter and more, as /sys/class/input/event0/device/capabilities/key tells it on x86-64. */
export const KEYBOARD_KEYS = '1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe';
export const MOUSE_KEYS = '1f0000 0 0 0 0';
/** Usage page 0x8C, usage 2, one collection (USB HID Point of Sale Usage Tables 1.02). */
export const POS_DESCRIPTOR = Buffer.from('058c0902a101c0', 'hex');

export class FakeSys {
  readonly places: DevicePlaces;
  readonly hidPlaces: HidPlaces;
  readonly #root: string;
  #usbNumber = 0;

  constructor(root: string) {
    this.#root = root;
    this.places = { sysDir: join(root, 'sys'), deviceDir: join(root, 'dev') };
    this.hidPlaces = {
      hidrawDir: join(root, 'sys/class/hidraw'),
      usbDir: join(root, 'sys/bus/usb/devices'),
      deviceDir: join(root, 'dev'),
    };
    mkdirSync(join(root, 'dev'), { recursive: true });
    mkdirSync(join(root, 'sys'), { recursive: true });
  }

  /** @returns the device's directory. */
  usb(socket: string, ids: string, maker: string, product: string, deviceClass = '00'): string {
    const [idVendor = '', idProduct = ''] = ids.split(':');
    const dir = join('sys/devices/pci0/usb1', socket);
    const node = `bus/usb/001/${String(++this.#usbNumber).padStart(3, '0')}`;
    const uevent = `DEVNAME=${node}`;
    this.#files(dir, { idVendor, idProduct, manufacturer: maker, product, serial: SERIAL_NUMBER, bDeviceClass: deviceClass, uevent });
    this.#node(node);
    this.#link(`sys/bus/usb/devices/${socket}`, dir);
    return dir;
  }

  /** A CDC-ACM port on interface 0 of a USB device. */
  acm(usbDir: string, name: string): string {
    const socket = usbDir.split('/').at(-1) ?? '';
    const dir = join(usbDir, `${socket}:1.0`, 'tty', name);
    this.#files(dir, {});
    this.#link(join(dir, 'device'), join(usbDir, `${socket}:1.0`));
    this.#link(`sys/class/tty/${name}`, dir);
    const node = this.#node(name);
    this.#link(`dev/serial/by-id/usb-ACME_Scanner_${SERIAL_NUMBER}-${name}`, relative(this.#root, node));
    return node;
  }

  /** A HID interface 1. @param ids as `usb` was given them. */
  hidraw(usbDir: string, name: string, title: string, descriptor: Uint8Array, ids = '0c2e:0b61'): string {
    const socket = usbDir.split('/').at(-1) ?? '';
    const [vendor = '', product = ''] = ids.toUpperCase().split(':');
    const hid = join(usbDir, `${socket}:1.1`, `0003:${vendor}:${product}.0001`);
    const hidId = `HID_ID=0003:0000${vendor}:0000${product}`;
    const uevent = `DRIVER=hid-generic\n${hidId}\nHID_NAME=${title}\nHID_PHYS=usb-${socket}/input1\nHID_UNIQ=${SERIAL_NUMBER}`;
    this.#files(hid, { uevent, report_descriptor: descriptor });
    this.#files(dirname(hid), { bInterfaceClass: '03', bInterfaceSubClass: '00', bInterfaceProtocol: '00' });
    this.#link(`sys/bus/usb/devices/${socket}:1.1`, dirname(hid));
    this.#files(join(hid, 'hidraw', name), {});
    this.#link(join(hid, 'hidraw', name, 'device'), hid);
    this.#link(`sys/class/hidraw/${name}`, join(hid, 'hidraw', name));
    return this.#node(name);
  }

  input(usbDir: string, name: string, title: string, keys: string): string {
    const socket = usbDir.split('/').at(-1) ?? '';
    const input = join(usbDir, `${socket}:1.2`, 'input', `input-${name}`);
    this.#files(input, { name: title, uniq: SERIAL_NUMBER, 'capabilities/key': keys });
    this.#files(join(input, name), {});
    this.#link(join(input, name, 'device'), input);
    this.#link(`sys/class/input/${name}`, join(input, name));
    return this.#node(`input/${name}`);
  }

  /** A keyboard that is not on USB. @param ids as the kernel writes them. */
  ps2(name: string, title: string, ids: string): string {
    const [vendor = '', product = ''] = ids.split(':');
    const input = join('sys/devices/platform/i8042/serio0/input', `input-${name}`);
    this.#files(input, { name: title, uniq: '', phys: 'isa0060/serio0/input0', 'capabilities/key': KEYBOARD_KEYS });
    this.#files(join(input, 'id'), { vendor, product });
    this.#files(join(input, name), {});
    this.#link(join(input, name, 'device'), input);
    this.#link(`sys/class/input/${name}`, join(input, name));
    return this.#node(`input/${name}`);
  }

  /** A port of the board itself. @param type as the serial core tells it; 0 where nothing is behind it. */
  builtIn(name: string, type: string): string {
    const dir = join('sys/devices/platform/serial8250/tty', name);
    this.#files(dir, { type });
    this.#files('sys/devices/platform/serial8250', {});
    this.#link(join(dir, 'device'), 'sys/devices/platform/serial8250');
    this.#link(`sys/class/tty/${name}`, dir);
    return this.#node(name);
  }

  i2c(name: string, title: string): string {
    const dir = join('sys/devices/platform/soc/i2c', name);
    this.#files(dir, { name: title });
    this.#link(`sys/class/i2c-dev/${name}`, dir);
    return this.#node(name);
  }

  bluetooth(name: string, isBlocked: boolean): void {
    const dir = join('sys/devices/platform/soc/bluetooth', name);
    this.#files(join(dir, 'rfkill0'), { soft: isBlocked ? '1' : '0', hard: '0' });
    this.#link(`sys/class/bluetooth/${name}`, dir);
  }

  #node(name: string): string {
    const path = join(this.#root, 'dev', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    return path;
  }

  #files(dir: string, files: Readonly<Record<string, string | Uint8Array>>): void {
    mkdirSync(join(this.#root, dir), { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.#root, dir, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, typeof content === 'string' ? `${content}\n` : content);
    }
  }

  #link(from: string, to: string): void {
    const path = join(this.#root, from);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(relative(dirname(path), join(this.#root, to)), path);
  }
}
