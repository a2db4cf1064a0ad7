/**
 * The Bluetooth sniffer under a crowd: 500 advertisements a second as HCI events at noble's socket, one an event, and what that costs the
 * kiosk's process and its radio process together. 400 phones and beacons, one of which takes another address each second.
 * Small: 20 s; --full: 10 minutes.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '../../protocol/time.ts';
import { VirtualController } from '../support/ble/virtual-controller.ts';
import type { BleSample } from './ble-child.ts';
import { machine, median, rounded } from './figures.ts';
import type { Bench } from './main.ts';

const PER_SECOND = 500;
const TURN_MS = 20;
const SENDERS = 400;
const MIB = 1_048_576;

/** Sender `number`, in its `life`: seven of ten a phone, the others an exposure notification, an iBeacon, a television. */
function advertisementOf(number: number, life: number) {
  const address = new Uint8Array(6);
  const view = new DataView(address.buffer);
  view.setUint16(0, (number * 40_503 + life * 7) & 0x7fff);
  view.setUint32(2, number * 65_536 + life);
  const rssi = -50 - (number % 30);
  switch (number % 10) {
    case 7: {
      const identifier = Buffer.alloc(20, address);
      return { address, isRandomAddress: true, rssi, bytes: Buffer.concat([Buffer.from('03036ffd17166ffd', 'hex'), identifier]) };
    }
    case 8: {
      const beacon = Buffer.concat([Buffer.from('0201061aff4c000215', 'hex'), Buffer.alloc(16, 1), address.subarray(2), Buffer.of(0xc5)]);
      return { address, isRandomAddress: true, rssi, bytes: beacon };
    }
    case 9:
      return { address, isRandomAddress: false, rssi, bytes: Buffer.from('0201060509544f5353', 'hex') };
    default:
      return { address, isRandomAddress: true, rssi, bytes: Buffer.from('02011a020a0c0bff4c001006031e5e3a9c1d', 'hex') };
  }
}

/** Sends at the rate for `seconds`. @returns how many, and how long it really took. */
async function crowd(controller: VirtualController, seconds: number): Promise<{ sent: number; tookMs: number }> {
  const never = new AbortController().signal;
  const lives = new Uint32Array(SENDERS);
  const beganMs = performance.now();
  let sent = 0;
  for (;;) {
    const passedMs = performance.now() - beganMs;
    if (passedMs >= seconds * 1_000) return { sent, tookMs: passedMs };
    const due = Math.floor((passedMs / 1_000) * PER_SECOND);
    while (sent < due) {
      const number = sent % SENDERS;
      if (sent % PER_SECOND === 0) lives[(sent / PER_SECOND) % SENDERS]! += 1;
      controller.advertise([advertisementOf(number, lives[number] ?? 0)]);
      sent += 1;
    }
    await systemClock.sleep(TURN_MS, never);
  }
}

export const bench: Bench = async ({ isFull, say }) => {
  const about = machine();
  const seconds = isFull ? 600 : 20;
  const slotMs = isFull ? 60_000 : 4_000;
  const controller = await VirtualController.listen();
  const samples: BleSample[] = [];
  const child = fork(join(import.meta.dirname, 'ble-child.ts'), [String(slotMs), ...(controller.radio.nodeArguments ?? [])]);
  try {
    await controller.until(({ isScanning }) => isScanning);
    let atStart: BleSample | undefined;
    child.on('message', (sample: BleSample) => {
      samples.push(sample);
      atStart ??= sample;
      if (samples.length % 30 === 0)
        say(`${samples.length} s: ${sample.heard} heard, ${rounded(sample.radioRssBytes / MIB, 1)} MiB in the radio process`);
    });
    const { sent, tookMs } = await crowd(controller, seconds);
    // What is on its way arrives, and is told of by the sample after.
    await systemClock.sleep(2_000, new AbortController().signal);
    const last = samples.at(-1);
    if (atStart === undefined || last === undefined) throw new Error('bench: the sniffer told nothing');
    const wallMs = (samples.length - 1) * 1_000;
    const share = (cpuMs: number) => rounded((100 * cpuMs) / wallMs, 2);
    const kioskCpu = last.kioskCpuMs - atStart.kioskCpuMs;
    const radioCpu = last.radioCpuMs - atStart.radioCpuMs;
    const tokens = samples.flatMap((sample) => sample.tokens);
    /** Of a tenth of the run: the second, when everything is warm, and the last. */
    const tenth = (index: number, of: (sample: BleSample) => number) => {
      const size = Math.max(1, Math.floor(samples.length / 10));
      return rounded(median(samples.slice(index * size, (index + 1) * size).map(of)) / MIB, 2);
    };
    return {
      ...about,
      seconds: rounded(tookMs / 1_000, 1),
      sent,
      perSecond: rounded(sent / (tookMs / 1_000), 1),
      heard: last.heard,
      lost: sent - last.heard,
      refused: last.refused,
      cpuPercentOfOneCore: share(kioskCpu + radioCpu),
      kioskCpuPercent: share(kioskCpu),
      radioCpuPercent: share(radioCpu),
      slots: tokens.length,
      tokensLowest: Math.min(...tokens),
      tokensHighest: Math.max(...tokens),
      kioskHeapMibEarly: tenth(1, (sample) => sample.kioskHeapBytes),
      kioskHeapMibLate: tenth(9, (sample) => sample.kioskHeapBytes),
      kioskRssMibEarly: tenth(1, (sample) => sample.kioskRssBytes),
      kioskRssMibLate: tenth(9, (sample) => sample.kioskRssBytes),
      radioRssMibEarly: tenth(1, (sample) => sample.radioRssBytes),
      radioRssMibLate: tenth(9, (sample) => sample.radioRssBytes),
    };
  } finally {
    child.disconnect();
    await controller.close();
  }
};
