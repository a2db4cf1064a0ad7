/**
 * A Bluetooth controller made by a program, with the kernel's own stack above it. Runs in a guest.
 * Source: Linux, drivers/bluetooth/hci_vhci.c.
 */
import { openSync, read, writeSync } from 'node:fs';
import { COMMAND_PACKET, commandComplete } from '../support/ble/hci-packets.ts';
import type { HostCommand } from '../support/ble/virtual-controller.ts';
import type { ThermometerRadio } from '../support/ble/virtual-thermometer.ts';

const VENDOR_PACKET = 0xff;
const SCAN_ENABLE = 0x200c;

/** What a controller answers, status first; the rest are zeroes. */
const ANSWERS: Readonly<Record<string, readonly number[]>> = {
  // 5.0, of no company
  '1001': [0, 9, 0, 0, 9, 0xff, 0xff, 0, 0],
  // commands known: none that needs more than an acknowledgement
  '1002': [0, ...Array.from({ length: 64 }, () => 0)],
  // no BR/EDR, LE
  '1003': [0, 0, 0, 0, 0, 0x60, 0, 0, 0],
  '1005': [0, 0, 2, 64, 4, 0, 1, 0],
  '1009': [0, 1, 0, 0, 0, 0, 2],
  '2002': [0, 27, 0, 4],
  '2007': [0, 0],
  '200f': [0, 4],
  '201c': [0, 0xff, 0xff, 0xff, 0xff, 0xff, 3, 0, 0],
};

export class VhciController implements ThermometerRadio {
  readonly #file = openSync('/dev/vhci', 'r+');
  readonly #chunk = Buffer.alloc(2_048);
  #isScanning = false;
  answer: ThermometerRadio['answer'] = () => false;

  /** Plugs it in. */
  constructor() {
    this.send(Uint8Array.of(VENDOR_PACKET, 0));
    this.#listen();
  }

  get isScanning(): boolean {
    return this.#isScanning;
  }

  /** What the kernel does not listen to, because it has switched the controller off, is lost. */
  send(packet: Uint8Array): void {
    try {
      writeSync(this.#file, packet);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENXIO')) throw error;
    }
  }

  #listen(): void {
    read(this.#file, this.#chunk, 0, this.#chunk.length, null, (error, lengthBytes) => {
      if (error !== null) return;
      this.#hear(Buffer.from(this.#chunk.subarray(0, lengthBytes)));
      this.#listen();
    });
  }

  #hear(packet: Buffer): void {
    if (packet[0] === VENDOR_PACKET) return;
    const isCommand = packet[0] === COMMAND_PACKET;
    const command: HostCommand = isCommand
      ? { opcode: packet.readUInt16LE(1), parameters: packet.subarray(4) }
      : { opcode: 0, parameters: packet };
    if (this.answer(command, (answer) => this.send(answer)) || !isCommand) return;
    const { opcode, parameters } = command;
    if (opcode === SCAN_ENABLE) this.#isScanning = parameters[0] === 1;
    this.send(commandComplete(opcode, ANSWERS[opcode.toString(16)] ?? [0, 0, 0, 0, 0, 0, 0, 0, 0]));
  }
}
