/** A machine's input devices as sysfs shows them, in a directory. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InputPlaces } from '../../hardware/evdev/keyboards.ts';

/** As Linux 6.1 says of QEMU's USB keyboard, and of a power button. */
const KEYBOARD_KEYS = '1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe';
export const BUTTON_KEYS = '10000000000000 0';

export interface FakeInputOptions {
  readonly keys?: string;
  readonly vendorId?: string;
  readonly serialNumber?: string;
  /** Below /sys/devices. */
  readonly place?: string;
}

/** A machine's /sys/class/input and /dev/input. */
export class FakeInput {
  readonly places: InputPlaces;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.places = { classDir: join(root, 'class'), deviceDir: '/dev/input' };
    mkdirSync(this.places.classDir, { recursive: true });
  }

  plug(
    name: string,
    {
      keys = KEYBOARD_KEYS,
      vendorId = '1EAB',
      serialNumber = '',
      place = 'pci0/usb1/1-1/1-1.2/1-1.2:1.0/0003:1EAB:0001.0001/input/input4',
    }: FakeInputOptions,
  ): void {
    const dir = join(this.#root, 'devices', place, name);
    const device = join(dir, 'device');
    for (const [file, content] of Object.entries({
      'capabilities/key': keys,
      'id/vendor': vendorId,
      'id/product': '0001',
      uniq: serialNumber,
      phys: 'isa0060/serio0/input0',
    })) {
      mkdirSync(join(device, file, '..'), { recursive: true });
      writeFileSync(join(device, file), `${content}\n`);
    }
    rmSync(join(this.places.classDir, name), { force: true });
    symlinkSync(dir, join(this.places.classDir, name));
  }

  unplug(name: string): void {
    rmSync(join(this.places.classDir, name));
  }
}
