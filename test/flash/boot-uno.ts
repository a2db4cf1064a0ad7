/**
 * An Uno with nothing but its boot loader: the processor executes Optiboot, built from the source that Debian ships, which speaks STK500 at a
 * pseudo-terminal and writes the flash by SPM, which avr8js leaves out. Debian's compiler makes 532 bytes of it: it gets a boot section of 1024, not 512.
 * Source: ATmega328P datasheet, section 27.9 (SPMCSR), 27.8.15 (boot section); arduino-core-avr, bootloaders/optiboot/Makefile.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AVRTimer, AVRUSART, avrInstruction, CPU, timer1Config, usart0Config } from 'avr8js';
import { PtyDevice } from '../support/pty.ts';
import { run } from './bench.ts';

const HERTZ = 16_000_000;
const FLASH_BYTES = 32_768;
const PAGE_BYTES = 128;
const BOOT_AT = 0x7c00;
const SPM = 0x95e8;
const SPMCSR = 0x57;
const [R0, R30] = [0, 30];
const [SPMEN, PGERS, PGWRT] = [0x01, 0x02, 0x04];
const SLICE_CYCLES = HERTZ / 1_000;
const LISTENS_AT_CYCLES = HERTZ / 2;

const OPTIBOOT = '/usr/share/arduino/hardware/arduino/avr/bootloaders/optiboot';

/** @returns the boot loader's bytes, to lie at BOOT_AT. */
export function buildOptiboot(directory: string): Buffer {
  const elf = join(directory, 'optiboot.elf');
  const bin = join(directory, 'optiboot.bin');
  const flags = [
    '-w',
    '-Os',
    '-fno-split-wide-types',
    '-mrelax',
    '-mmcu=atmega328p',
    '-nostartfiles',
    `-I${OPTIBOOT}`,
    '-DF_CPU=16000000L',
  ];
  const places = [`-Wl,--section-start=.text=0x${BOOT_AT.toString(16)}`, '-Wl,--section-start=.version=0x7ffe', '-Wl,--relax'];
  run('avr-gcc', ...flags, '-DLED_START_FLASHES=3', '-DBAUD_RATE=115200', ...places, '-o', elf, join(OPTIBOOT, 'optiboot.c'));
  run('avr-objcopy', '-j', '.text', '-O', 'binary', elf, bin);
  return readFileSync(bin);
}

export class BootUno {
  readonly flash = new Uint8Array(FLASH_BYTES).fill(0xff);
  readonly #cpu: CPU;
  readonly #usart: AVRUSART;
  readonly #port: PtyDevice;
  readonly #page = new Uint8Array(PAGE_BYTES).fill(0xff);
  readonly #incoming: number[] = [];
  readonly #outgoing: number[] = [];
  readonly #running: Promise<void>;
  #isOver = false;
  /** A bit that no longer takes what is written: the offset of its byte. */
  wornAt: number | undefined;

  constructor(path: string, bootLoader: Uint8Array) {
    this.flash.set(bootLoader, BOOT_AT);
    this.#cpu = new CPU(new Uint16Array(this.flash.buffer));
    new AVRTimer(this.#cpu, timer1Config);
    this.#usart = new AVRUSART(this.#cpu, usart0Config, HERTZ);
    this.#usart.onByteTransmit = (byte) => this.#outgoing.push(byte);
    this.#usart.onRxComplete = () => this.#feed();
    this.#cpu.pc = BOOT_AT / 2;
    // MCUSR, EXTRF: a reset by the pin, or the boot loader starts the program.
    this.#cpu.data[0x54] = 0x02;
    this.#port = new PtyDevice(path);
    this.#port.onReceived = (bytes) => this.#incoming.push(...bytes);
    this.#port.plug();
    this.#running = this.#run();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    await this.#port.unplug();
  }

  #feed(): void {
    const byte = this.#incoming.shift();
    if (byte !== undefined && !this.#usart.writeByte(byte)) this.#incoming.unshift(byte);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const untilCycles = this.#cpu.cycles + SLICE_CYCLES;
      while (this.#cpu.cycles < untilCycles) {
        if (this.#cpu.progMem[this.#cpu.pc] === SPM) this.#storeProgram();
        avrInstruction(this.#cpu);
        this.#cpu.tick();
      }
      // A real one is reset by DTR, which a pseudo-terminal has not; this one listens once its lamp has flashed, and has no watchdog.
      if (this.#cpu.cycles > LISTENS_AT_CYCLES && !this.#usart.rxBusy) this.#feed();
      if (this.#outgoing.length > 0) await this.#port.send(Uint8Array.from(this.#outgoing.splice(0)));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** The page's buffer is filled, the page erased, or written: done at once. */
  #storeProgram(): void {
    const { data, dataView } = this.#cpu;
    const z = dataView.getUint16(R30, true);
    const order = data[SPMCSR] ?? 0;
    const pageAt = z & ~(PAGE_BYTES - 1);
    if ((order & PGERS) !== 0) this.flash.fill(0xff, pageAt, pageAt + PAGE_BYTES);
    else if ((order & PGWRT) !== 0) {
      for (const [at, byte] of this.#page.entries()) this.flash[pageAt + at] = pageAt + at === this.wornAt ? byte | 0x01 : byte;
      this.#page.fill(0xff);
    } else if ((order & SPMEN) !== 0) this.#page.set(data.subarray(R0, R0 + 2), z & (PAGE_BYTES - 2));
    data[SPMCSR] = 0;
  }
}
