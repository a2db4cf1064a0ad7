/**
 * firmata-io on a link that is exchanged under it. The only importer of firmata-io.
 *
 * One instance serves a board for as long as the kiosk runs, whatever is unplugged meanwhile: firmata-io and johnny-five keep every instance
 * they ever made in maps of their modules, so a new one for each plug would never be given back (docs/decisions/0014-boards.md). What it is
 * handed has been checked (firmata-frames.ts); what it asks a board at its start has been asked already (greeting.ts).
 */
import { EventEmitter } from 'node:events';
import firmataIo, { type Firmata } from 'firmata-io';
import { DeviceError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import type { BoardLayout, Frame } from './firmata-frames.ts';
import type { Greeting } from './greeting.ts';

/** A Firmata round trip with one I2C read takes 3 ms at 57,600 baud. */
const I2C_LONGEST_MS = 500;
const NO_CHANNEL = 127;

class Transport extends EventEmitter {
  send: (bytes: Uint8Array) => void = () => {};

  write(bytes: Uint8Array, written: () => void): void {
    this.send(bytes);
    written();
  }
}

export class FirmataPort {
  /** What johnny-five stands on. */
  readonly io: Firmata;
  readonly #transport = new Transport();

  constructor({ version, firmware, layout }: Pick<Greeting, 'version' | 'firmware' | 'layout'>) {
    this.io = new firmataIo.Firmata(this.#transport, {
      skipCapabilities: true,
      pins: layout.map(({ modes, analogChannel = NO_CHANNEL }) => ({
        supportedModes: [...modes],
        analogChannel,
        mode: undefined,
        value: 0,
        report: 1,
      })),
      analogPins: pinsByChannel(layout),
    });
    // An 'error' event that nobody hears would end the process.
    this.io.on('error', () => {});
    // These two make it ready, at once, and cancel the 5 s that it would otherwise wait for them.
    this.#transport.emit('data', version.bytes);
    this.#transport.emit('data', firmware.bytes);
  }

  /**
   * From now on what johnny-five writes goes there; what it believes of pins of the board before is forgotten.
   * @returns ends it: what johnny-five writes is dropped, unless it goes elsewhere by then.
   */
  connect(send: (bytes: Uint8Array) => void): () => void {
    this.io.buffer.length = 0;
    this.io.ports.fill(0);
    this.#transport.send = send;
    return () => {
      if (this.#transport.send === send) this.#transport.send = () => {};
    };
  }

  /** Hands over one message. Listeners run before this returns. */
  deliver({ kind, bytes }: Frame): void {
    switch (kind) {
      case 'digital':
      case 'analog':
      case 'i2c-reply':
        this.#transport.emit('data', bytes);
        break;
      // Nobody here asks for these once the board is known, and a second list of pins would be added to the first.
      case 'version':
      case 'firmware':
      case 'capabilities':
      case 'analog-mapping':
      case 'pin-state':
      case 'text':
        break;
    }
  }

  /**
   * @param address 7 bits. @param register 0 to 127. The device has to be configured before (io.i2cConfig).
   * @returns what it answered: fewer bytes than asked for, or none, where it did not.
   * @throws DeviceError `device.timeout` when the board says nothing for I2C_LONGEST_MS; the signal's reason on abort.
   */
  readI2c(address: number, register: number, lengthBytes: number, clock: Clock, signal: AbortSignal): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const event = `I2C-reply-${address}-${register}`;
      const settle = () => {
        cancel();
        signal.removeEventListener('abort', abort);
        this.io.removeListener(event, answered);
      };
      const answered = (bytes: readonly number[]) => {
        settle();
        resolve(Uint8Array.from(bytes));
      };
      const abort = () => {
        settle();
        reject(signal.reason);
      };
      const cancel = clock.after(I2C_LONGEST_MS, () => {
        settle();
        reject(new DeviceError('device.timeout', `board: no answer from its I2C for ${I2C_LONGEST_MS} ms`));
      });
      signal.addEventListener('abort', abort, { once: true });
      this.io.i2cReadOnce(address, register, lengthBytes, answered);
    });
  }
}

/** @returns the pin of each analog channel. */
function pinsByChannel(layout: BoardLayout): number[] {
  const pins: number[] = [];
  for (const [pin, { analogChannel }] of layout.entries()) {
    if (analogChannel !== undefined) pins[analogChannel] = pin;
  }
  return pins;
}
