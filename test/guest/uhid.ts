/**
 * A HID device made by a program, with the kernel's own HID stack above it. Runs in a guest.
 * Source: Linux, Documentation/hid/uhid.rst and include/uapi/linux/uhid.h.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

const EVENT = { destroy: 1, create2: 11, input2: 12 } as const;
const BUS_USB = 3;
/** struct uhid_create2_req: name, phys, uniq, rd_size, bus, vendor, product, version, country, rd_data. */
const OFFSET = { name: 4, phys: 132, uniq: 196, descriptorBytes: 260, bus: 262, vendor: 264, product: 268, descriptor: 280 } as const;
const LONGEST_DESCRIPTOR = 4_096;

export interface HidIdentity {
  readonly name: string;
  readonly vendorId: number;
  readonly productId: number;
  readonly serialNumber: string;
}

export class Uhid {
  readonly #file = openSync('/dev/uhid', 'r+');

  /** Plugs it in. */
  constructor({ name, vendorId, productId, serialNumber }: HidIdentity, descriptor: Uint8Array) {
    const event = Buffer.alloc(OFFSET.descriptor + LONGEST_DESCRIPTOR);
    event.writeUInt32LE(EVENT.create2, 0);
    event.write(name, OFFSET.name);
    event.write(`bench-${serialNumber}`, OFFSET.phys);
    event.write(serialNumber, OFFSET.uniq);
    event.writeUInt16LE(descriptor.length, OFFSET.descriptorBytes);
    event.writeUInt16LE(BUS_USB, OFFSET.bus);
    event.writeUInt32LE(vendorId, OFFSET.vendor);
    event.writeUInt32LE(productId, OFFSET.product);
    event.set(descriptor, OFFSET.descriptor);
    writeSync(this.#file, event);
  }

  send(report: Uint8Array): void {
    const event = Buffer.alloc(6 + report.length);
    event.writeUInt32LE(EVENT.input2, 0);
    event.writeUInt16LE(report.length, 4);
    event.set(report, 6);
    writeSync(this.#file, event);
  }

  unplug(): void {
    const event = Buffer.alloc(4);
    event.writeUInt32LE(EVENT.destroy, 0);
    writeSync(this.#file, event);
    closeSync(this.#file);
  }
}

/** A keyboard's report descriptor. Source: HID 1.11, appendix B.1, without its output report (lights). */
export const KEYBOARD_DESCRIPTOR = Uint8Array.from(
  Buffer.from('05010906a101050719e029e71500250175019508810295017508810395067508150025650507190029658100c0', 'hex'),
);
