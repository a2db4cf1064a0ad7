/**
 * A Bluetooth controller behind the kernel's own stack (/dev/vhci), and the kiosk's sniffer above it: how many of the advertisements sent
 * does it hear? Runs in a guest. Source: Linux, drivers/bluetooth/hci_vhci.c.
 */
import { openSync, read, writeSync } from 'node:fs';
import { parseConfig } from '../../kiosk/config.ts';
import { runSniffer } from '../../kiosk/run-sniffer.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { advertisingReports, commandComplete } from '../support/ble/hci-packets.ts';

/** A radio process starts in ten seconds, or not. */
const LONGEST_START_MS = 60_000;
const VENDOR_PACKET = 0xff;
const COMMAND_PACKET = 1;
const SCAN_ENABLE = 0x200c;

/** What a controller answers, status first; the rest are eight zeroes. */
const ANSWERS: Readonly<Record<number, readonly number[]>> = {
  // 5.0, of no company
  4097: [0, 9, 0, 0, 9, 0xff, 0xff, 0, 0],
  // commands known: none that needs more than an acknowledgement
  4098: [0, ...Array.from({ length: 64 }, () => 0)],
  // no BR/EDR, LE
  4099: [0, 0, 0, 0, 0, 0x60, 0, 0, 0],
  4101: [0, 0, 2, 64, 4, 0, 1, 0],
  4105: [0, 1, 0, 0, 0, 0, 2],
  8194: [0, 27, 0, 4],
  8199: [0, 0],
  8207: [0, 4],
  8220: [0, 0xff, 0xff, 0xff, 0xff, 0xff, 3, 0, 0],
};

export class Radio {
  readonly #file = openSync('/dev/vhci', 'r+');
  readonly #chunk = Buffer.alloc(2_048);
  #isScanning = false;

  /** Plugs it in. */
  constructor() {
    writeSync(this.#file, Uint8Array.of(VENDOR_PACKET, 0));
    this.#listen();
  }

  /** Has a sniffer listen, and sends that many. @returns how many the sniffer was given. */
  async advertise(count: number, perSecond: number): Promise<number> {
    const { sniffers } = parseConfig({ dataDir: '-', trustPath: '-', sniffers: [{ kind: 'bluetooth' }] });
    const [sniffer] = sniffers;
    if (sniffer === undefined) throw new Error('no sniffer');
    const stopping = new AbortController();
    let heard = 0;
    const options = {
      sniffer,
      clock: systemClock,
      log: silentLog,
      random: Math.random,
      onOccupancy: () => {},
      onReport: () => {},
      onHeard: (reports: number) => {
        heard += reports;
      },
    };
    const running = runSniffer(options, stopping.signal);
    const hopeless = performance.now() + LONGEST_START_MS;
    while (!this.#isScanning && performance.now() < hopeless) await pause(50);
    for (let sent = 0; sent < count; sent++) {
      const address = Uint8Array.of(0xc0, 0xff, 0xee, 0, sent >> 8, sent & 0xff);
      const bytes = Uint8Array.of(2, 1, 6, 5, 0xff, 0x4c, 0, 0x10, sent & 0xff);
      writeSync(this.#file, advertisingReports([{ address, isRandomAddress: true, bytes, rssi: -50 } as never]));
      await pause(1_000 / perSecond);
    }
    const deadline = performance.now() + 5_000;
    while (heard < count && performance.now() < deadline) await pause(50);
    stopping.abort();
    await running;
    return heard;
  }

  #listen(): void {
    read(this.#file, this.#chunk, 0, this.#chunk.length, null, (error, lengthBytes) => {
      if (error !== null) return;
      this.#hear(this.#chunk.subarray(0, lengthBytes));
      this.#listen();
    });
  }

  #hear(packet: Buffer): void {
    if (packet[0] !== COMMAND_PACKET) return;
    const opcode = packet.readUInt16LE(1);
    if (opcode === SCAN_ENABLE) this.#isScanning = packet[4] === 1;
    writeSync(this.#file, commandComplete(opcode, ANSWERS[opcode] ?? [0, 0, 0, 0, 0, 0, 0, 0, 0]));
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
