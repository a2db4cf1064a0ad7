/** The Bluetooth sniffer of a kiosk, where the venue wants one: listens, counts, and tells one number a slot. */
import { randomBytes } from 'node:crypto';
import { ADAPTER_DIR, RADIO_BACKOFF, type RadioSettings } from '../hardware/ble/open-radio.ts';
import { openSniffer, readSightings } from '../hardware/ble/sniffer.ts';
import { type DeviceReport, supervise } from '../hardware/supervise.ts';
import type { Occupancy as OccupancyEvent } from '../protocol/event.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { KioskConfig } from './config.ts';
import { Occupancy } from './occupancy.ts';

export interface SnifferOptions {
  readonly sniffer: KioskConfig['sniffers'][number];
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Told of each slot that was listened to, when it is over. */
  readonly onOccupancy: (occupancy: OccupancyEvent) => void;
  readonly onReport: (report: DeviceReport) => void;
  /** Told some times a second how many advertising reports came, and how many of them could not be read or kept. */
  readonly onHeard?: (reports: number, refused: number) => void;
  /** Where radios are found; this machine's when left out. */
  readonly radio?: Omit<RadioSettings, 'clock'>;
}

/** Runs until abort; the radio is released when it resolves. */
export async function runSniffer(options: SnifferOptions, signal: AbortSignal): Promise<void> {
  const { sniffer, clock } = options;
  const occupancy = new Occupancy(sniffer, () => new Uint8Array(randomBytes(32)), clock.monotonic());
  await Promise.all([listen(options, occupancy, signal), tellSlots(options, occupancy, signal)]);
}

async function listen(options: SnifferOptions, occupancy: Occupancy, signal: AbortSignal): Promise<void> {
  const { sniffer, clock, log, random, onReport, onHeard = () => {}, radio = { adapterDir: ADAPTER_DIR } } = options;
  const { name: device, adapter } = sniffer;
  await supervise(
    {
      device,
      clock,
      log,
      onReport,
      backoff: { ...RADIO_BACKOFF, random },
      open: openSniffer(adapter, { ...radio, clock }),
      use: async (link, ending) => {
        const onRescan = (why: string) => log.debug('sniffer.rescanned', () => ({ device, why }));
        occupancy.listen(clock.monotonic());
        try {
          for await (const { reports, refused, sightings } of readSightings(link, { clock, onRescan }, ending)) {
            onHeard(reports, refused);
            for (const sighting of sightings) occupancy.hear(sighting);
          }
        } finally {
          occupancy.pause(clock.monotonic());
        }
      },
    },
    signal,
  );
}

async function tellSlots({ clock, onOccupancy }: SnifferOptions, occupancy: Occupancy, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(occupancy.endsMs - clock.monotonic(), signal);
    if (signal.aborted) return;
    const slot = occupancy.end(clock.monotonic());
    if (slot !== undefined) onOccupancy({ type: 'occupancy', ...slot });
  }
}
