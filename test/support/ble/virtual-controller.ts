/**
 * A Bluetooth controller that speaks real HCI, for the radio process: it answers noble's commands and sends what a test wants. It stands
 * behind a loopback port, because noble lives in another process; fake-hci-socket.ts is its other end.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AdvertisingReport } from '../../../hardware/ble/advertisement.ts';
import type { RadioSettings } from '../../../hardware/ble/open-radio.ts';
import { advertisingReports, COMMAND_PACKET, commandComplete, extendedReports } from './hci-packets.ts';

export interface VirtualAdapter {
  devId: number;
  devUp: boolean;
}

/** One command of the host, without its packet indicator. */
export interface HostCommand {
  readonly opcode: number;
  readonly parameters: Buffer;
}

/** Frames on the loopback connection: length (2, low byte first) | tag (1) | body. */
export const TAG = { adapters: 0, packet: 1, bindError: 2 } as const;

export function socketFrame(tag: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(3);
  header.writeUInt16LE(body.length + 1, 0);
  header.writeUInt8(tag, 2);
  return Buffer.concat([header, body]);
}

/** Cuts the frames of a stream; what is left over comes back. */
export function cutFrames(bytes: Buffer, onFrame: (tag: number, body: Buffer) => void): Buffer {
  let rest = bytes;
  while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16LE(0)) {
    const end = 2 + rest.readUInt16LE(0);
    onFrame(rest.readUInt8(2), rest.subarray(3, end));
    rest = rest.subarray(end);
  }
  return rest;
}

const OPCODE = {
  localVersion: 0x1001,
  address: 0x1009,
  leBufferSize: 0x2002,
  leFeatures: 0x2003,
  hostSupported: 0x0c6c,
  scanEnable: 0x200c,
  extendedScanEnable: 0x2042,
} as const;

export class VirtualController {
  readonly #server: Server;
  readonly #hosts = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  readonly commands: HostCommand[] = [];
  /** Whether it says that it knows extended advertising. */
  isExtended = false;
  /** Answers nothing any more, as firmware that hangs. */
  isHung = false;
  /** What it answers to the command that starts a scan. */
  scanStatus = 0;
  /** Answers a command in place of what follows here: packets, or `undefined` for the usual. */
  answer: (command: HostCommand, send: (packet: Uint8Array) => void) => boolean = () => false;
  #adapters: VirtualAdapter[] = [{ devId: 0, devUp: true }];
  #bindError = '';
  #isScanning = false;
  #scans = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(): Promise<VirtualController> {
    const server = createServer({ noDelay: true });
    const controller = new VirtualController(server);
    server.on('connection', (host) => controller.#serve(host));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return controller;
  }

  /** Has a radio process use this controller. */
  get radio(): Omit<RadioSettings, 'clock'> {
    const preload = pathToFileURL(resolve(import.meta.dirname, 'fake-hci-socket.ts'));
    preload.searchParams.set('port', String((this.#server.address() as AddressInfo).port));
    return { adapterDir: undefined, nodeArguments: ['--import', preload.href] };
  }

  get isScanning(): boolean {
    return this.#isScanning;
  }

  /** Scans started so far. */
  get scans(): number {
    return this.#scans;
  }

  /** Processes that use it now. */
  get hosts(): number {
    return this.#hosts.size;
  }

  /** What the kernel lists: an adapter that is not in it is gone. */
  set adapters(adapters: VirtualAdapter[]) {
    this.#adapters = adapters;
    if (!adapters.some(({ devUp }) => devUp)) this.#isScanning = false;
    this.#tell(socketFrame(TAG.adapters, Buffer.from(JSON.stringify(adapters))));
  }

  /** Words of the error that binding fails with; empty for none. */
  set bindError(words: string) {
    this.#bindError = words;
    this.#tell(socketFrame(TAG.bindError, Buffer.from(words)));
  }

  /** Sends reports, where a scan runs. @returns whether one does. */
  advertise(reports: readonly AdvertisingReport[]): boolean {
    if (!this.#isScanning) return false;
    this.send(this.isExtended ? extendedReports(reports) : advertisingReports(reports));
    return true;
  }

  /** Sends a packet as it is, garbage too. */
  send(packet: Uint8Array): void {
    this.#tell(socketFrame(TAG.packet, packet));
  }

  /** As another program on the same adapter would: every raw socket sees its command. */
  meddle(isEnabled: boolean, isFiltered: boolean): void {
    this.#isScanning = isEnabled;
    this.send(Buffer.of(COMMAND_PACKET, 0x0c, 0x20, 2, isEnabled ? 1 : 0, isFiltered ? 1 : 0));
  }

  /** Resolves when `isDone` holds, looked at after each command and each coming and going of a host. */
  async until(isDone: (controller: VirtualController) => boolean): Promise<void> {
    while (!isDone(this)) {
      await new Promise<void>((wake) => {
        this.#waiting.add(wake);
      });
    }
  }

  async close(): Promise<void> {
    for (const host of this.#hosts) host.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #serve(host: Socket): void {
    this.#hosts.add(host);
    host.write(socketFrame(TAG.bindError, Buffer.from(this.#bindError)));
    host.write(socketFrame(TAG.adapters, Buffer.from(JSON.stringify(this.#adapters))));
    let rest = Buffer.alloc(0);
    host.on('data', (chunk: Buffer) => {
      rest = Buffer.from(cutFrames(Buffer.concat([rest, chunk]), (_tag, packet) => this.#hear(packet, host)));
    });
    host.on('error', () => {});
    host.on('close', () => {
      this.#hosts.delete(host);
      if (this.#hosts.size === 0) this.#isScanning = false;
      this.#wake();
    });
    this.#wake();
  }

  #hear(packet: Buffer, host: Socket): void {
    const send = (answer: Uint8Array) => host.write(socketFrame(TAG.packet, answer));
    const command = { opcode: packet.readUInt8(0) === COMMAND_PACKET ? packet.readUInt16LE(1) : 0, parameters: packet.subarray(4) };
    if (command.opcode === 0) command.parameters = packet;
    this.commands.push(command);
    if (!this.isHung && !this.answer(command, send) && command.opcode !== 0) send(this.#usualAnswer(command));
    this.#wake();
  }

  #usualAnswer({ opcode, parameters }: HostCommand): Buffer {
    switch (opcode) {
      case OPCODE.localVersion:
        // 5.0, of no company
        return commandComplete(opcode, [0, 9, 0, 0, 9, 0xff, 0xff, 0, 0]);
      case OPCODE.address:
        return commandComplete(opcode, [0, 1, 0, 0, 0, 0, 2]);
      case OPCODE.leBufferSize:
        return commandComplete(opcode, [0, 27, 0, 4]);
      case OPCODE.leFeatures:
        return commandComplete(opcode, [0, 0, this.isExtended ? 0x10 : 0, 0, 0, 0, 0, 0, 0]);
      case OPCODE.hostSupported:
        return commandComplete(opcode, [0, 1, 0]);
      case OPCODE.scanEnable:
      case OPCODE.extendedScanEnable:
        return commandComplete(opcode, [this.#scan(parameters.readUInt8(0) === 1)]);
      default:
        return commandComplete(opcode, [0, 0, 0, 0, 0, 0, 0, 0]);
    }
  }

  /** @returns the status. */
  #scan(isEnabled: boolean): number {
    if (isEnabled && this.scanStatus !== 0) return this.scanStatus;
    this.#isScanning = isEnabled;
    if (isEnabled) this.#scans += 1;
    return 0;
  }

  #tell(frame: Buffer): void {
    for (const host of this.#hosts) host.write(frame);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
