/**
 * A Health Thermometer behind a VirtualController: takes a connection, tells of its service, and indicates what a test wants.
 * Source: Bluetooth Core Specification 5.4, Vol 3, Part F, 3.4 (ATT); Vol 4, Part E, 5.4.2 (ACL data), 7.7.65.1; Health Thermometer Service 1.0.
 */
import { commandStatus, eventPacket, metaEvent } from './hci-packets.ts';
import type { HostCommand } from './virtual-controller.ts';

const LE_CREATE_CONNECTION = 0x200d;
const DISCONNECT = 0x0406;
const CONNECTION = 0x0040;
const ATT_CHANNEL = 0x0004;
const VALUE_HANDLE = 0x0003;

const hex = (digits: string): Buffer => Buffer.from(digits, 'hex');

/** The controller of whoever connects, as much of it as a thermometer in the air needs. */
export interface ThermometerRadio {
  /** Answers a command in place of the controller, or a packet that is none (opcode 0). @returns whether it has. */
  answer: (command: HostCommand, send: (packet: Uint8Array) => void) => boolean;
  send(packet: Uint8Array): void;
}

export class VirtualThermometer {
  readonly #controller: ThermometerRadio;
  readonly #address: Buffer;
  readonly #waiting = new Set<() => void>();
  #isAwake = true;
  #isWaitedFor = false;
  #isSubscribed = false;
  #confirmed = 0;
  /** Names its service, or another. */
  service = '1809';
  /** Answers nothing any more once connected. */
  isHung = false;

  /** @param address 6 bytes, the most significant first; public. */
  constructor(controller: ThermometerRadio, address: Uint8Array) {
    this.#controller = controller;
    this.#address = Buffer.from(address);
    controller.answer = (command, send) => this.#answer(command, send);
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  /** Falls asleep and ends the connection, as thermometers do when they have told what they had. */
  sleep(): void {
    this.#isAwake = false;
    this.#isSubscribed = false;
    this.#controller.send(eventPacket(0x05, Buffer.of(0, CONNECTION & 0xff, CONNECTION >> 8, 0x13)));
  }

  wakeUp(): void {
    this.#isAwake = true;
    if (this.#isWaitedFor) this.#connect();
  }

  /** Whether somebody waits for it while it sleeps. */
  async untilWaitedFor(): Promise<void> {
    await this.#until(() => this.#isWaitedFor);
  }

  /** Indicates values, each when the one before is confirmed. */
  async indicate(...values: readonly Uint8Array[]): Promise<void> {
    await this.#until(() => this.#isSubscribed);
    for (const value of values) {
      const before = this.#confirmed;
      this.#say(Buffer.concat([Buffer.of(0x1d, VALUE_HANDLE, 0), value]));
      await this.#until(() => this.#confirmed > before);
    }
  }

  #answer({ opcode, parameters }: HostCommand, send: (packet: Uint8Array) => void): boolean {
    if (opcode === LE_CREATE_CONNECTION) {
      send(commandStatus(opcode, 0));
      this.#isWaitedFor = true;
      if (this.#isAwake && parameters.subarray(6, 12).equals(Buffer.from(this.#address).reverse())) this.#connect();
      this.#wake();
      return true;
    }
    if (opcode === DISCONNECT) {
      send(commandStatus(opcode, 0));
      return true;
    }
    if (opcode !== 0) return false;
    // One packet of ours is out of its buffer.
    send(eventPacket(0x13, Buffer.of(1, CONNECTION & 0xff, CONNECTION >> 8, 1, 0)));
    if (parameters.readUInt16LE(7) === ATT_CHANNEL && !this.isHung) this.#hear(parameters.subarray(9));
    return true;
  }

  #connect(): void {
    this.#isWaitedFor = false;
    const parameters = Buffer.concat([
      // status, handle, central, public
      Buffer.of(0, CONNECTION & 0xff, CONNECTION >> 8, 0, 0),
      Buffer.from(this.#address).reverse(),
      // interval, latency, time-out, accuracy
      hex('0600000064000000').subarray(0, 7),
    ]);
    this.#controller.send(metaEvent(0x01, parameters));
  }

  #hear(request: Buffer): void {
    switch (request[0]) {
      case 0x02:
        this.#say(hex('031700'));
        break;
      case 0x10:
        // One service, which ends the list.
        this.#say(Buffer.concat([hex('11060100ffff'), Buffer.from(hex(this.service)).reverse()]));
        break;
      case 0x08:
        this.#tell(request);
        break;
      case 0x12:
        this.#isSubscribed = request.subarray(3).equals(hex('0200'));
        this.#say(hex('13'));
        break;
      case 0x1e:
        this.#confirmed += 1;
        break;
      default:
        this.#refuse(request, 0x06);
    }
    this.#wake();
  }

  /** Read By Type: the characteristic, which may only indicate, and the descriptor that switches that on. */
  #tell(request: Buffer): void {
    const from = request.readUInt16LE(1);
    const type = request.readUInt16LE(5);
    if (type === 0x2803 && from <= 2) this.#say(hex('0907' + '0200' + '20' + '0300' + '1c2a'));
    else if (type === 0x2902) this.#say(hex('0904' + '0400' + '0000'));
    else this.#refuse(request, 0x0a);
  }

  #refuse(request: Buffer, code: number): void {
    this.#say(Buffer.of(0x01, request[0] ?? 0, request[1] ?? 0, request[2] ?? 0, code));
  }

  #say(att: Buffer): void {
    const packet = Buffer.alloc(9 + att.length);
    packet.writeUInt8(0x02, 0);
    // The first packet of its row.
    packet.writeUInt16LE(CONNECTION | 0x2000, 1);
    packet.writeUInt16LE(att.length + 4, 3);
    packet.writeUInt16LE(att.length, 5);
    packet.writeUInt16LE(ATT_CHANNEL, 7);
    att.copy(packet, 9);
    this.#controller.send(packet);
  }

  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      await new Promise<void>((wake) => {
        this.#waiting.add(wake);
      });
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
