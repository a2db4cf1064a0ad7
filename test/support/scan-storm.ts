/**
 * Thousands of scans through a kiosk's HID scanners at node-hid's byte door: codes short and long, twice, joined without a pause, cut off by the
 * plug at any report. Everything of ours runs, and all of node-hid's JavaScript; the clock is moved by hand.
 */
import { runHidScanners } from '../../kiosk/run-hid-scanners.ts';
import { LETTERS } from '../../protocol/letters.ts';
import { silentLog } from '../../protocol/log.ts';
import { FakeHidBus, type FakeHidDevice, type FakeHidOptions } from './fake-hid.ts';
import { ManualClock } from './manual-clock.ts';
import { HONEYWELL_FORMAT, NEWLAND_FORMAT, posDescriptor, posReports } from './pos-format.ts';
import { seededRandom } from './suite-size.ts';
import { bootReport, keysOf } from './typing.ts';

export type StormKind = 'hid-pos' | 'hid-pos-newland' | 'keyboard' | 'keyboard-without-enter';

export interface Storm {
  readonly kind: StormKind;
  readonly scans: number;
  readonly seed: number;
  /** A directory of the test's, for the fake bus. */
  readonly dir: string;
}

export interface StormResult {
  /** Codes that were sent whole while the scanner was open, in order. */
  readonly sent: readonly string[];
  /** What the kiosk was given, in order. */
  readonly got: readonly string[];
  readonly cut: number;
  readonly unplugged: number;
  readonly openings: number;
  /** From a code's last report to the kiosk, one a scan, in milliseconds of real time. */
  readonly handlingMs: readonly number[];
}

interface Kind {
  readonly device: FakeHidOptions;
  readonly reports: (text: string) => Uint8Array[];
  /** Ends a code by silence. */
  readonly isEndedBySilence: boolean;
}

const typing = (suffix: string) => (text: string) => keysOf(text + suffix).map(bootReport);
/** Hypothetical: the storm names its own ids in the configuration. */
const IDS = { vendorId: 'fffe', productId: '0001' };

const KINDS: Record<StormKind, Kind> = {
  'hid-pos': {
    device: { ...IDS, descriptor: posDescriptor(HONEYWELL_FORMAT) },
    reports: (text) => posReports(HONEYWELL_FORMAT, text),
    isEndedBySilence: false,
  },
  'hid-pos-newland': {
    device: { ...IDS, descriptor: posDescriptor(NEWLAND_FORMAT) },
    reports: (text) => posReports(NEWLAND_FORMAT, text),
    isEndedBySilence: false,
  },
  keyboard: { device: IDS, reports: typing('\r'), isEndedBySilence: false },
  'keyboard-without-enter': { device: IDS, reports: typing(''), isEndedBySilence: true },
};

export async function runScanStorm({ kind, scans, seed, dir }: Storm): Promise<StormResult> {
  const { device: options, reports: reportsOf, isEndedBySilence } = KINDS[kind];
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random() * most);
  const clock = new ManualClock();
  const bus = new FakeHidBus(dir);
  const device = bus.plug(options);
  const stop = new AbortController();
  const got: string[] = [];
  const handlingMs: number[] = [];
  let cut = 0;
  let lastReportAt = 0;
  const isPos = kind.startsWith('hid-pos');
  const running = runHidScanners(
    {
      config: {
        scanners: [
          isPos
            ? { kind: 'hid-pos', name: 'door', ...IDS }
            : { kind: 'keyboard', name: 'door', ...IDS, framing: 'auto', isExclusive: true },
        ],
      },
      clock,
      log: silentLog,
      random: () => 0,
      onScan: ({ text }) => {
        got.push(text);
        handlingMs.push(performance.now() - lastReportAt);
      },
      onNoScan: () => {
        cut += 1;
      },
      onReport: () => {},
      hidPlaces: bus.places,
    },
    stop.signal,
  );

  const untilRead = async () => {
    while (!device.isRead) {
      await bus.settle();
      await clock.advance(50);
    }
  };
  const code = (): string => Array.from({ length: 2 + upTo(random() < 0.2 ? 174 : 20) }, () => LETTERS.charAt(upTo(16))).join('');
  const send = async (text: string, mayPause: boolean) => {
    for (const report of reportsOf(text)) {
      // Shorter than any silence that ends something.
      if (mayPause && random() < 0.1) await clock.advance(upTo(60));
      lastReportAt = performance.now();
      device.send(report);
    }
  };

  const sent: string[] = [];
  let unplugged = 0;
  await untilRead();
  while (sent.length < scans) {
    const text = code();
    const times = random() < 0.1 ? 2 : 1;
    const mayPause = random() < 0.3;
    for (let time = 0; time < times; time++) {
      await send(text, mayPause);
      sent.push(text);
      if (isEndedBySilence) await clock.advance(150);
      // Half of the codes follow the one before without a pause.
      else if (random() < 0.5) await clock.advance(upTo(1_000));
    }
    if (random() < 0.02) {
      await breakOff(device, reportsOf(code()), upTo);
      unplugged += 1;
      await clock.advance(upTo(5_000));
      device.plug(`1-${1 + upTo(4)}`);
      await untilRead();
    }
  }
  await clock.advance(1_000);
  stop.abort();
  await running;
  return { sent, got, cut, unplugged, openings: device.openings, handlingMs };
}

/** Part of a code, never all of it, and then the plug. */
async function breakOff(device: FakeHidDevice, reports: readonly Uint8Array[], upTo: (most: number) => number): Promise<void> {
  for (const report of reports.slice(0, upTo(reports.length - 1))) device.send(report);
  device.unplug();
}
