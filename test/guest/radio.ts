/** The product's sniffer above a virtual controller: how many of the advertisements sent does it hear? Runs in a guest. */
import type { runSniffer } from '../../kiosk/run-sniffer.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { advertisingReports } from '../support/ble/hci-packets.ts';
import type { VhciController } from './vhci.ts';

export interface Sniffing {
  /** Of the tree that is tested. */
  readonly run: typeof runSniffer;
  readonly controller: VhciController;
  /** As the kernel numbers it. */
  readonly adapter: number;
}

/** What was sent has been told of by then: a radio tells ten times a second. */
const LAST_WORDS_MS = 5_000;

/** Has a sniffer listen, and sends that many. @returns how many the sniffer was given. */
export async function advertise({ run, controller, adapter }: Sniffing, count: number, perSecond: number): Promise<number> {
  const stopping = new AbortController();
  let heard = 0;
  const options = {
    sniffer: {
      kind: 'bluetooth' as const,
      name: 'sniffer',
      adapter,
      slotMs: 900_000,
      leastTokens: 8,
      weakestDbm: -85,
      kinds: ['plain' as const],
    },
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    onOccupancy: () => {},
    onReport: () => {},
    onHeard: (reports: number) => {
      heard += reports;
    },
  };
  const running = run(options, stopping.signal);
  while (!controller.isScanning) await pause(50);
  for (let sent = 0; sent < count; sent++) {
    const address = Uint8Array.of(0xc0, 0xff, 0xee, 0, sent >> 8, sent & 0xff);
    const bytes = Uint8Array.of(2, 1, 6, 5, 0xff, 0x4c, 0, 0x10, sent & 0xff);
    controller.send(advertisingReports([{ address, isRandomAddress: true, bytes, rssi: -50 }]));
    await pause(1_000 / perSecond);
  }
  const deadline = performance.now() + LAST_WORDS_MS;
  while (heard < count && performance.now() < deadline) await pause(50);
  stopping.abort();
  await running;
  return heard;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
