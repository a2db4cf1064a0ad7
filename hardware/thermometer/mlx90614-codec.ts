/**
 * What an MLX90614 answers on its bus, whatever the bus is (a Pi's own, or a board's through Firmata). Pure.
 *
 * SMBus Read Word with PEC:  S | address W | command | Sr | address R | low byte | high byte | PEC | P
 * The repeated start (Sr) is needed: after a stop the sensor forgets the command. The word of a temperature is kelvins in steps of 0.02;
 * its bit 15 is the sensor's own error flag. The PEC is a CRC-8 over every byte of the transfer before it, both addresses included.
 * Source: Melexis, MLX90614 family datasheet 3901090614, sections 8.4.3.1 (bus protocol, PEC), 8.4.6 (commands, RAM addresses, error flag)
 * and 8.4.7 (the example 0x3AD2 with PEC 0x30); application note 390119061402, table 7. CRC-8/SMBUS of the reveng catalogue: width 8,
 * polynomial 0x07, start 0, not reflected, no final XOR, check 0xF4 over "123456789".
 */
import { DecodeError } from '../../protocol/errors.ts';
import type { CentiCelsius } from '../../protocol/units.ts';

/** The sensor's address as it is sold: 7 bits. It can be set to any other, which then enters the PEC. */
export const MLX90614_ADDRESS = 0x5a;

/** The command that reads one word of RAM is that word's address. The second zone (0x08) is no forehead's: single-zone sensors have none. */
export const READ_COMMAND = { ambient: 0x06, object: 0x07 } as const;
export type Quantity = keyof typeof READ_COMMAND;

/** Low byte, high byte, PEC. Ask for all three: two bytes can not be checked, and an absent sensor reads as 0xFFFF, 1037.55 °C. */
export const ANSWER_BYTES = 3;

/** -70.01 to 382.19 °C as section 8.4.6 prints it (0x27AD to 0x7FFF), and -40 to 125 °C for the sensor itself (0x4DC4 is 125.01). */
const RANGES: Readonly<Record<Quantity, { readonly lowest: number; readonly highest: number }>> = {
  object: { lowest: -7_001, highest: 38_219 },
  ambient: { lowest: -4_001, highest: 12_501 },
};

const ERROR_FLAG = 0x80;
/** 0 °C is 273.15 K. A step of 0.02 K is two hundredths of a degree, so that whole numbers stay whole. */
const ZERO_CELSIUS = 27_315;
const HUNDREDTHS_PER_STEP = 2;

/**
 * @param quantity what was asked for: its command enters the PEC, so that the answer to another question is refused.
 * @param answer 3 bytes; more are not read.
 * @param address 7 bits, the sensor's.
 * @throws DecodeError `decode.truncated`, `decode.checksum`, `decode.no_value` when the sensor flags its word as wrong,
 * `decode.out_of_range` when the value is none that the sensor can give.
 */
export function decodeTemperature(quantity: Quantity, answer: Uint8Array, address: number = MLX90614_ADDRESS): CentiCelsius {
  const [low, high, pec] = answer;
  if (low === undefined || high === undefined || pec === undefined)
    throw new DecodeError('decode.truncated', `MLX90614 ${quantity}: ${answer.length} of ${ANSWER_BYTES} bytes`);
  if (pec !== pecOf(transferOf(quantity, low, high, address)))
    throw new DecodeError('decode.checksum', `MLX90614 ${quantity}: its PEC is wrong`);
  return decodeWord(quantity, (high << 8) | low);
}

/**
 * For a controller that has checked the PEC itself and gives the word alone.
 * @param word 16 bits, as the sensor sent it.
 * @throws DecodeError `decode.no_value` or `decode.out_of_range`, as decodeTemperature.
 */
export function decodeWord(quantity: Quantity, word: number): CentiCelsius {
  if ((word & (ERROR_FLAG << 8)) !== 0) throw new DecodeError('decode.no_value', `MLX90614 ${quantity}: the sensor flags an error`);
  const value = word * HUNDREDTHS_PER_STEP - ZERO_CELSIUS;
  const { lowest, highest } = RANGES[quantity];
  if (value < lowest || value > highest) throw new DecodeError('decode.out_of_range', `MLX90614 ${quantity}: outside the sensor’s range`);
  return value as CentiCelsius;
}

/**
 * What a sensor would answer: for tests, the demo, and whoever builds a stand-in.
 * @param value rounded to the sensor's steps of 0.02 K, which are the odd hundredths.
 */
export function encodeTemperature(quantity: Quantity, value: CentiCelsius, address: number = MLX90614_ADDRESS): Uint8Array {
  const word = Math.round((value + ZERO_CELSIUS) / HUNDREDTHS_PER_STEP);
  const [low, high] = [word & 0xff, word >> 8];
  return Uint8Array.of(low, high, pecOf(transferOf(quantity, low, high, address)));
}

/** Every byte of the transfer before the PEC. */
const transferOf = (quantity: Quantity, low: number, high: number, address: number): Uint8Array =>
  Uint8Array.of(address << 1, READ_COMMAND[quantity], (address << 1) | 1, low, high);

/** @returns the PEC over `bytes`, 0 to 0xFF. */
export function pecOf(bytes: Uint8Array): number {
  let register = 0;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit++) register = (register & 0x80) === 0 ? register << 1 : ((register << 1) ^ 0x07) & 0xff;
  }
  return register;
}
