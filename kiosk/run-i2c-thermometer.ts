/** The kiosk's MLX90614 on the machine's own I2C bus, supervised. */
import { openI2c } from '../hardware/i2c/i2c-link.ts';
import { loadNative, type Native } from '../hardware/native/native.ts';
import { type DeviceReport, HARDWARE_BACKOFF, supervise } from '../hardware/supervise.ts';
import { readMlx90614 } from '../hardware/thermometer/mlx90614-i2c.ts';
import type { Reading } from '../hardware/thermometer/reading.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { KioskConfig } from './config.ts';

export interface I2cThermometerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly onReading: (reading: Reading) => void;
  readonly onReport: (report: DeviceReport) => void;
  /** The addon's when left out. */
  readonly loadNative?: () => Native;
}

type Configured = Extract<KioskConfig['thermometers'][number], { kind: 'mlx90614-i2c' }>;

/** Runs it until abort; the bus is released when it resolves. It is up when it has given a good sample. */
export async function runI2cThermometer(
  { loadNative: load = loadNative, onReading, random, ...options }: I2cThermometerOptions,
  { name: device, path, address, isPecRequired }: Configured,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = options;
  await supervise(
    {
      device,
      ...options,
      backoff: { ...HARDWARE_BACKOFF, random },
      isUpOnceOpen: false,
      open: openI2c(load, { path, address }),
      use: async (link, ending, markUp) => {
        for await (const reading of readMlx90614(link, { device, clock, isPecRequired, onAlive: markUp }, ending)) onReading(reading);
      },
    },
    signal,
  );
}
