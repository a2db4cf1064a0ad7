/**
 * CRC-16 over bytes, high bit first.
 * Source: the catalogue of parametrised CRC algorithms (reveng), CRC-16/IBM-3740: width 16, polynomial 0x1021, start 0xFFFF,
 * not reflected, no final XOR, check 0x29B1 over "123456789". Its polynomial has the factor x + 1 and 16 checks, so that it finds every
 * odd number of wrong bits and every burst of at most 16 bits, wherever it lies in message and check.
 */

export const CRC16_BYTES = 2;

const POLYNOMIAL = 0x1021;
const START = 0xffff;
const TOP_BIT = 0x8000;

/** @returns 0 to 0xFFFF. */
export function crc16(bytes: Uint8Array): number {
  let register = START;
  for (const byte of bytes) {
    register ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      register = (register & TOP_BIT) === 0 ? register << 1 : ((register << 1) ^ POLYNOMIAL) & 0xffff;
    }
  }
  return register;
}

/** @returns `bytes` and behind them their CRC, high byte first. */
export function appendCrc16(bytes: Uint8Array): Uint8Array {
  const crc = crc16(bytes);
  const checked = new Uint8Array(bytes.length + CRC16_BYTES);
  checked.set(bytes);
  checked.set([crc >> 8, crc & 0xff], bytes.length);
  return checked;
}

/** @returns whether the last two of `bytes` are the CRC of those before them. */
export const isCrc16Right = (bytes: Uint8Array): boolean => bytes.length >= CRC16_BYTES && crc16(bytes) === 0;
