/**
 * An Arduino Uno in this process: its ATmega328P executes real firmware (avr8js).
 * A test reads and sets its pins, and hangs devices on its I2C bus; its serial port is bytes in and out.
 */
import {
  ADCMuxInputType,
  AVRADC,
  AVRIOPort,
  AVRTimer,
  AVRTWI,
  AVRUSART,
  adcConfig,
  avrInstruction,
  CPU,
  PinState,
  portBConfig,
  portCConfig,
  portDConfig,
  type TWIEventHandler,
  timer0Config,
  timer1Config,
  timer2Config,
  twiConfig,
  usart0Config,
} from 'avr8js';

const HERTZ = 16_000_000;
const FLASH_BYTES = 32_768;

/** A device on the bus, as the wires see it. */
export interface I2cDevice {
  /** @param isRepeated whether no stop came before. */
  start(isRepeated: boolean): void;
  stop(): void;
  /** @returns whether it is spoken to, and answers. */
  address(address: number, isWrite: boolean): boolean;
  write(byte: number): boolean;
  read(): number;
}

export class Uno {
  readonly #cpu: CPU;
  readonly #ports: readonly AVRIOPort[];
  readonly #usart: AVRUSART;
  readonly #adc: AVRADC;
  readonly #incoming: number[] = [];
  #outgoing: number[] = [];
  #firstSentAtMs: number | undefined;
  /** Told of what the board sends. */
  onSent: (bytes: Uint8Array) => void = () => {};

  /** Powers on; `step` makes time pass. */
  constructor(firmware: Uint8Array, device: I2cDevice) {
    const program = new Uint8Array(FLASH_BYTES).fill(0xff);
    program.set(firmware);
    const cpu = new CPU(new Uint16Array(program.buffer));
    this.#cpu = cpu;
    for (const config of [timer0Config, timer1Config, timer2Config]) new AVRTimer(cpu, config);
    this.#ports = [portBConfig, portCConfig, portDConfig].map((config) => new AVRIOPort(cpu, config));
    this.#usart = new AVRUSART(cpu, usart0Config, HERTZ);
    this.#usart.onByteTransmit = (byte) => this.#outgoing.push(byte);
    this.#usart.onRxComplete = () => this.#feed();
    this.#adc = new AVRADC(cpu, adcConfig);
    this.#adc.onADCRead = (input) => {
      const volts = input.type === ADCMuxInputType.SingleEnded ? (this.#adc.channelValues[input.channel] ?? 0) : 0;
      const value = Math.min(1_023, Math.floor((volts / 5) * 1_024));
      cpu.addClockEvent(() => this.#adc.completeADCRead(value), this.#adc.sampleCycles);
    };
    const twi = new AVRTWI(cpu, twiConfig, HERTZ);
    twi.eventHandler = new Bus(twi, cpu, device);
  }

  /** Executes for that long, of its own time. */
  step(byMs: number): void {
    const targetCycles = this.#cpu.cycles + byMs * (HERTZ / 1_000);
    while (this.#cpu.cycles < targetCycles) {
      avrInstruction(this.#cpu);
      this.#cpu.tick();
    }
    if (this.#outgoing.length === 0) return;
    const bytes = Uint8Array.from(this.#outgoing);
    this.#outgoing = [];
    this.#firstSentAtMs ??= this.aliveMs;
    this.onSent(bytes);
  }

  /** Milliseconds of its own time since power on. */
  get aliveMs(): number {
    return (this.#cpu.cycles / HERTZ) * 1_000;
  }

  /** How long its program took until it spoke; 0 before. */
  get startMs(): number {
    return this.#firstSentAtMs ?? 0;
  }

  receive(bytes: Uint8Array): void {
    this.#incoming.push(...bytes);
    if (!this.#usart.rxBusy) this.#feed();
  }

  /** Volts at A0 to A5. */
  setAnalog(channel: number, volts: number): void {
    this.#adc.channelValues[channel] = volts;
  }

  /** What something outside puts on a digital pin, 0 to 13. */
  setPin(pin: number, isHigh: boolean): void {
    const [port, bit] = this.#place(pin);
    port.setPin(bit, isHigh);
  }

  /** Whether an output pin is high now; for one that pulses, at this moment. */
  isHigh(pin: number): boolean {
    const [port, bit] = this.#place(pin);
    return port.pinState(bit) === PinState.High;
  }

  isPulledUp(pin: number): boolean {
    const [port, bit] = this.#place(pin);
    return port.pinState(bit) === PinState.InputPullUp;
  }

  /** Calls `heard` with each change of an output pin and the board's own time. @returns ends it. */
  watch(pin: number, heard: (isHigh: boolean, atMs: number) => void): () => void {
    const [port, bit] = this.#place(pin);
    const listener = (value: number, before: number) => {
      if (((value ^ before) >> bit) & 1) heard(((value >> bit) & 1) === 1, this.aliveMs);
    };
    port.addListener(listener);
    return () => port.removeListener(listener);
  }

  #feed(): void {
    const byte = this.#incoming.shift();
    if (byte === undefined) return;
    if (this.#usart.writeByte(byte) === false) this.#incoming.unshift(byte);
  }

  #place(pin: number): readonly [AVRIOPort, number] {
    const [b, c, d] = this.#ports;
    if (b === undefined || c === undefined || d === undefined) throw new Error('uno: no ports');
    if (pin < 8) return [d, pin];
    return pin < 14 ? [b, pin - 8] : [c, pin - 14];
  }
}

/** One I2C device behind the controller's signals; each byte takes its nine clocks of 100 kHz. */
class Bus implements TWIEventHandler {
  readonly #twi: AVRTWI;
  readonly #cpu: CPU;
  readonly #device: I2cDevice;
  static readonly #BYTE_CYCLES = (9 * HERTZ) / 100_000;

  constructor(twi: AVRTWI, cpu: CPU, device: I2cDevice) {
    this.#twi = twi;
    this.#cpu = cpu;
    this.#device = device;
  }

  start(isRepeated: boolean): void {
    this.#device.start(isRepeated);
    this.#twi.completeStart();
  }

  stop(): void {
    this.#device.stop();
    this.#twi.completeStop();
  }

  connectToSlave(address: number, isWrite: boolean): void {
    const isThere = this.#device.address(address, isWrite);
    this.#later(() => this.#twi.completeConnect(isThere));
  }

  writeByte(byte: number): void {
    const isTaken = this.#device.write(byte);
    this.#later(() => this.#twi.completeWrite(isTaken));
  }

  readByte(): void {
    const byte = this.#device.read();
    this.#later(() => this.#twi.completeRead(byte));
  }

  #later(complete: () => void): void {
    this.#cpu.addClockEvent(complete, Bus.#BYTE_CYCLES);
  }
}

/** @param hex the lines of an Intel HEX file. @returns its bytes from address 0. Source: Intel, Hexadecimal Object File Format, 1988. */
export function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(FLASH_BYTES).fill(0xff);
  let end = 0;
  for (const line of hex.trim().split(/\r?\n/)) {
    const record = Buffer.from(line.slice(1), 'hex');
    const [length = 0, , , type] = record;
    if (type !== 0) continue;
    const address = record.readUInt16BE(1);
    bytes.set(record.subarray(4, 4 + length), address);
    end = Math.max(end, address + length);
  }
  return bytes.subarray(0, end);
}
