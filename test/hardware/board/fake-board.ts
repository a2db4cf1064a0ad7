/** A board at the byte door: answers as StandardFirmata does, as far as a kiosk asks, and keeps what else it was told. */
import { encodeTemperature, type Quantity } from '../../../hardware/thermometer/mlx90614-codec.ts';
import type { CentiCelsius } from '../../../protocol/units.ts';
import { FakeLink } from '../../support/fake-link.ts';

/** An Uno's pins: 2-13 digital, those six with pulses; A0-A5 are 14-19, the last two I2C. Source: StandardFirmata 2.5's own answer. */
const PULSING = [3, 5, 6, 9, 10, 11];
export const UNO_CAPABILITIES = Buffer.from([
  0xf0,
  0x6c,
  ...Array.from({ length: 20 }, (_, pin) => {
    if (pin < 2) return [0x7f];
    const digital = [0x00, 1, 0x0b, 1, 0x01, 1];
    if (pin < 14) return [...digital, ...(PULSING.includes(pin) ? [0x03, 8] : []), 0x04, 14, 0x7f];
    return [...digital, 0x02, 10, ...(pin >= 18 ? [0x06, 1] : []), 0x7f];
  }).flat(),
  0xf7,
]);
export const UNO_MAPPING = Buffer.from([0xf0, 0x6a, ...Array.from({ length: 20 }, (_, pin) => (pin < 14 ? 127 : pin - 14)), 0xf7]);
export const firmwareReport = (major: number, minor: number, name = 'StandardFirmata.ino'): Buffer =>
  Buffer.from([0xf0, 0x79, major, minor, ...[...Buffer.from(name)].flatMap((byte) => [byte & 0x7f, byte >> 7]), 0xf7]);

export class FakeBoard extends FakeLink {
  version: readonly [number, number] = [2, 5];
  capabilities = UNO_CAPABILITIES;
  mapping = UNO_MAPPING;
  object = 2_215 as CentiCelsius;
  isAnswering = true;
  hasSensor = true;
  /** Reads that came without a repeated start. */
  stoppedReads = 0;
  /** Whole messages that were no questions, as hexadecimal. */
  readonly told: string[] = [];

  override async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await super.write(bytes, signal);
    for (const message of messagesOf(bytes)) {
      if (this.isAnswering) this.#obey(message);
    }
  }

  #obey(message: Buffer): void {
    const hex = message.toString('hex');
    if (hex === 'f9') this.feed(Buffer.from([0xf9, ...this.version]));
    else if (hex === 'f079f7') this.feed(firmwareReport(...this.version));
    else if (hex === 'f06bf7') this.feed(this.capabilities);
    else if (hex === 'f069f7') this.feed(this.mapping);
    else if (message[1] === 0x6d) this.feed(Buffer.from([0xf0, 0x6e, message[2] ?? 0, 0x7f, 0, 0xf7]));
    else if (message[1] === 0x76) this.#readSensor(message);
    else this.told.push(hex);
  }

  /** F0 76 address mode register register length length F7 */
  #readSensor(message: Buffer): void {
    const [, , address = 0, mode = 0, register = 0] = message;
    const isRepeated = (mode & 0x40) !== 0;
    if (!isRepeated) this.stoppedReads += 1;
    const quantity: Quantity = register === 7 ? 'object' : 'ambient';
    const answer = isRepeated ? encodeTemperature(quantity, this.object, address) : Uint8Array.of(0xff, 0xff, 0xff);
    const sent = this.hasSensor ? [...answer] : [];
    if (!this.hasSensor) this.feed(Buffer.from([0xf0, 0x71, 0x49, 0, 0xf7]));
    this.feed(Buffer.from([0xf0, 0x77, address, 0, register, 0, ...sent.flatMap((byte) => [byte & 0x7f, byte >> 7]), 0xf7]));
  }
}

/** How many bytes a message to the board has, by its first. */
function messagesOf(bytes: Uint8Array): Buffer[] {
  const messages: Buffer[] = [];
  let rest = Buffer.from(bytes);
  while (rest.length > 0) {
    const [first = 0] = rest;
    const kind = first < 0xf0 ? first & 0xf0 : first;
    const length = kind === 0xf0 ? rest.indexOf(0xf7) + 1 : kind === 0xf9 ? 1 : kind === 0xc0 || kind === 0xd0 ? 2 : 3;
    messages.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return messages;
}
