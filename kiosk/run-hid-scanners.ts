/** The kiosk's HID scanners: those that are configured, and those that are found, each supervised on its own. */
import { HID_PLACES, type HidDevice, type HidPlaces } from '../hardware/hid/hid-devices.ts';
import { isScanner, kindOf, watchHid } from '../hardware/hid/hid-scanners.ts';
import { HidScanners, type Wanted } from '../hardware/hid/open-scanner.ts';
import type { Scan } from '../hardware/scanner/scan.ts';
import { type DeviceReport, HARDWARE_BACKOFF, supervise } from '../hardware/supervise.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { KioskConfig } from './config.ts';

type AnyScanner = KioskConfig['scanners'][number];
type Configured = Extract<AnyScanner, { kind: 'hid-pos' | 'keyboard' }>;

export interface HidScannerOptions {
  readonly config: Pick<KioskConfig, 'scanners'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly onScan: (scan: Scan) => void;
  readonly onNoScan: (device: string) => void;
  readonly onReport: (report: DeviceReport) => void;
  /** HID_PLACES when left out. */
  readonly hidPlaces?: HidPlaces;
}

/** How what a scanner sends is read. */
interface Reading {
  readonly framing?: 'auto' | 'line' | 'gap';
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
}

/** Runs them until abort; every device is released when it resolves. */
export async function runHidScanners(options: HidScannerOptions, signal: AbortSignal): Promise<void> {
  const { config, hidPlaces = HID_PLACES } = options;
  const configured = config.scanners.filter((scanner): scanner is Configured => scanner.kind === 'hid-pos' || scanner.kind === 'keyboard');
  const isAuto = config.scanners.some(({ kind }) => kind === 'auto-hid');
  if (configured.length === 0 && !isAuto) return;
  const scanners = new HidScanners(hidPlaces);
  await Promise.all([
    ...configured.map((scanner) => runOne(options, scanners, scanner.name, wantedBy(scanner), scanner, signal)),
    ...(isAuto ? [runFound(options, scanners, configured, hidPlaces, signal)] : []),
  ]);
}

const wantedBy = (scanner: Configured): Wanted => ({
  kind: scanner.kind === 'hid-pos' ? 'pos' : 'keyboard',
  isWanted: (device) => isMeant(scanner, device),
  ...(scanner.kind === 'keyboard' ? { isExclusive: scanner.isExclusive } : {}),
});

/** Whether the configuration's words fit the device: what is not said fits any. */
const isMeant = ({ vendorId, productId, serialNumber, port }: Configured, device: HidDevice): boolean =>
  [
    [vendorId, device.vendorId],
    [productId, device.productId],
    [serialNumber, device.serialNumber],
    [port, device.port],
  ].every(([said, is]) => said === undefined || said === is);

async function runFound(
  options: HidScannerOptions,
  scanners: HidScanners,
  configured: readonly Configured[],
  places: HidPlaces,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = options;
  const isFree = (device: HidDevice) => isScanner(device) && !configured.some((scanner) => isMeant(scanner, device));
  const running: Promise<void>[] = [];
  for await (const { device, name } of watchHid({ clock, log, isWanted: isFree, places }, signal)) {
    const kind = kindOf(device).kind === 'pos' ? 'pos' : 'keyboard';
    const wanted: Wanted = { kind, isWanted: ({ key }) => key === device.key, port: device.port };
    running.push(runOne(options, scanners, name, wanted, {}, signal));
  }
  await Promise.all(running);
}

async function runOne(
  options: HidScannerOptions,
  scanners: HidScanners,
  device: string,
  wanted: Wanted,
  { framing = 'auto', prefix, suffix }: Reading,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, random, onScan, onNoScan, onReport } = options;
  const settings = { device, clock, framing, prefix, suffix, onRefused: () => onNoScan(device) };
  await supervise(
    {
      device,
      clock,
      log,
      onReport,
      backoff: { ...HARDWARE_BACKOFF, random },
      open: (ending) => scanners.open(wanted, ending),
      use: async (link, ending) => {
        for await (const scan of link.scans(settings, ending)) onScan(scan);
      },
    },
    signal,
  );
}
