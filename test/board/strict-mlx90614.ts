/**
 * An MLX90614 as its datasheet has it, on the wires of an I2C bus: a command is forgotten at the stop, so that only a read after a repeated
 * start is answered; three bytes, PEC last; read without a command it gives 0xFFFF.
 * Source: Melexis, MLX90614 family datasheet 3901090614, section 8.4.3.
 */
import { encodeTemperature, type Quantity } from '../../hardware/thermometer/mlx90614-codec.ts';
import type { CentiCelsius } from '../../protocol/units.ts';
import type { I2cDevice } from './uno.ts';

const COMMANDS: ReadonlyMap<number, Quantity> = new Map([
  [0x06, 'ambient'],
  [0x07, 'object'],
]);

export class StrictMlx90614 implements I2cDevice {
  object = 2_215 as CentiCelsius;
  ambient = 2_215 as CentiCelsius;
  /** Its wire is on. */
  isThere = true;
  /** Flips a bit of each PEC. */
  isNoisy = false;
  /** Transfers that ended as the datasheet wants, and others. */
  goodReads = 0;
  badReads = 0;
  readonly #address: number;
  #command: number | undefined;
  #isWriting = false;
  #isSelected = false;
  #answer: Uint8Array = new Uint8Array();
  #read = 0;

  constructor(address = 0x5a) {
    this.#address = address;
  }

  start(isRepeated: boolean): void {
    if (!isRepeated) this.#command = undefined;
    this.#isSelected = false;
  }

  stop(): void {
    this.#command = undefined;
    this.#isSelected = false;
  }

  address(address: number, isWrite: boolean): boolean {
    this.#isSelected = this.isThere && address === this.#address;
    this.#isWriting = isWrite;
    if (this.#isSelected && !isWrite) this.#prepare();
    return this.#isSelected;
  }

  write(byte: number): boolean {
    if (!this.#isSelected || !this.#isWriting) return false;
    this.#command = byte;
    return true;
  }

  read(): number {
    return this.#isSelected ? (this.#answer[this.#read++] ?? 0xff) : 0xff;
  }

  #prepare(): void {
    const quantity = this.#command === undefined ? undefined : COMMANDS.get(this.#command);
    this.#read = 0;
    if (quantity === undefined) {
      this.badReads += 1;
      this.#answer = new Uint8Array();
      return;
    }
    this.goodReads += 1;
    this.#answer = encodeTemperature(quantity, this[quantity], this.#address);
    if (this.isNoisy) this.#answer[2] = (this.#answer[2] ?? 0) ^ 1;
  }
}
