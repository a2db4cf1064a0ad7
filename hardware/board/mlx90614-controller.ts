/**
 * A johnny-five controller for the MLX90614 infrared thermometer, which johnny-five has none for.
 *
 * Each value is one SMBus word with its check byte, read with a repeated start (`stopTX: false`: StandardFirmata then does not end the
 * transfer between command and answer); after a stop the sensor forgets the command and answers 0xFFFF.
 * Source: see ../thermometer/mlx90614-codec.ts for the bytes; johnny-five's contract for controllers: `initialize(options, callback)`,
 * `toCelsius(raw)`, set on the component by Object.defineProperties.
 */
import { DeviceError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { ANSWER_BYTES, decodeTemperature, type Quantity, READ_COMMAND } from '../thermometer/mlx90614-codec.ts';
import type { Sample } from '../thermometer/reading.ts';
import type { FirmataPort } from './firmata-port.ts';

/** The component that this controller makes of a johnny-five Thermometer. */
export interface Mlx90614 {
  /** Tells the board that this device is read without a stop; anew after each start of it. */
  setUp(): void;
  /**
   * Reads object and ambient.
   * @throws DeviceError `device.absent` when nothing answers at the address, `device.timeout` when the board does not; DecodeError as
   * decodeTemperature; the signal's reason on abort.
   */
  sample(clock: Clock, signal: AbortSignal): Promise<Sample>;
}

interface Component {
  readonly io: FirmataPort['io'];
  address: number;
  heard: (raw: number) => void;
}

export const mlx90614Controller = (port: FirmataPort) => ({
  initialize: {
    value(this: Component, { address }: { readonly address: number }, heard: (raw: number) => void) {
      this.address = address;
      this.heard = heard;
    },
  },
  toCelsius: { value: (raw: number) => raw / 100 },
  setUp: {
    value(this: Component) {
      this.io.i2cConfig({ address: this.address, settings: { stopTX: false } });
    },
  },
  sample: {
    async value(this: Component, clock: Clock, signal: AbortSignal): Promise<Sample> {
      const read = async (quantity: Quantity) => {
        const answer = await port.readI2c(this.address, READ_COMMAND[quantity], ANSWER_BYTES, clock, signal);
        if (answer.length === 0) throw new DeviceError('device.absent', 'board: nothing answers at the thermometer’s I2C address');
        return decodeTemperature(quantity, answer, this.address);
      };
      const objectRaw = await read('object');
      const ambientRaw = await read('ambient');
      this.heard(objectRaw);
      return { objectRaw, ambientRaw };
    },
  },
});
