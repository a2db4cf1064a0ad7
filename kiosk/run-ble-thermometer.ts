/** A Bluetooth thermometer: waits for the one that is configured, and gives its readings. */
import { openHealthThermometer, readBodyTemperatures } from '../hardware/ble/health-thermometer.ts';
import { ADAPTER_DIR, RADIO_BACKOFF, type RadioSettings } from '../hardware/ble/open-radio.ts';
import { type DeviceReport, supervise } from '../hardware/supervise.ts';
import type { Reading } from '../hardware/thermometer/reading.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { KioskConfig } from './config.ts';

type BleThermometer = Extract<KioskConfig['thermometers'][number], { readonly kind: 'ble-health-thermometer' }>;

export interface BleThermometerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly onReading: (reading: Reading) => void;
  readonly onReport: (report: DeviceReport) => void;
  /** Where radios are found; this machine's when left out. */
  readonly radio?: Omit<RadioSettings, 'clock'>;
}

/** Runs until abort; the radio is released when it resolves. */
export async function runBleThermometer(
  options: BleThermometerOptions,
  { name: device, address, isRandomAddress, adapter }: BleThermometer,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, random, onReading, onReport, radio = { adapterDir: ADAPTER_DIR } } = options;
  const order = { address: new Uint8Array(Buffer.from(address.replaceAll(':', ''), 'hex')), isRandomAddress, adapter };
  await supervise(
    {
      device,
      clock,
      log,
      onReport,
      backoff: { ...RADIO_BACKOFF, random },
      open: openHealthThermometer(order, { ...radio, clock }),
      use: async (link, ending) => {
        for await (const reading of readBodyTemperatures(link, { device, clock }, ending)) onReading(reading);
      },
    },
    signal,
  );
}
