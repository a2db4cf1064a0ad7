/** The kiosk's HID scanners: those that are configured, and those that are found, each supervised on its own. */
import { EventKeyboards, INPUT_PLACES, type InputPlaces } from '../hardware/evdev/keyboards.ts';
import { HID_PLACES, type HidDevice, type HidPlaces } from '../hardware/hid/hid-devices.ts';
import { isScanner, kindOf, watchHid } from '../hardware/hid/hid-scanners.ts';
import { HidScanners, type ScannerLink, type Wanted } from '../hardware/hid/open-scanner.ts';
import { loadNative, type Native } from '../hardware/native/native.ts';
import type { Scan } from '../hardware/scanner/scan.ts';
import { type DeviceReport, HARDWARE_BACKOFF, type Restarts, supervise } from '../hardware/supervise.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { KioskConfig } from './config.ts';
import { keyboardOpener } from './open-keyboard.ts';

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
  /** Told where one is that nobody configured, before anything else of it. */
  readonly onFound?: ((device: string, path: string) => void) | undefined;
  readonly restarts?: Restarts | undefined;
  /** HID_PLACES when left out. */
  readonly hidPlaces?: HidPlaces;
  /** INPUT_PLACES when left out. */
  readonly inputPlaces?: InputPlaces;
  /** The addon's when left out. */
  readonly loadNative?: () => Native;
}

/** What a scanner is set to put around its codes. */
interface Framed {
  readonly framing?: 'auto' | 'line' | 'gap';
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
}

/** Runs them until abort; every device is released when it resolves. */
export async function runHidScanners(options: HidScannerOptions, signal: AbortSignal): Promise<void> {
  const { config, hidPlaces = HID_PLACES, inputPlaces = INPUT_PLACES, loadNative: load = loadNative } = options;
  const configured = config.scanners.filter((scanner): scanner is Configured => scanner.kind === 'hid-pos' || scanner.kind === 'keyboard');
  const isAuto = config.scanners.some(({ kind }) => kind === 'auto-hid');
  if (configured.length === 0 && !isAuto) return;
  const scanners = new HidScanners(hidPlaces);
  const keyboards = new EventKeyboards(load, inputPlaces);
  await Promise.all([
    ...configured.map((scanner) => runOne(options, openerOf(scanner, scanners, keyboards), scanner.name, scanner, signal)),
    ...(isAuto ? [runFound(options, { scanners, keyboards, configured, hidPlaces }, signal)] : []),
  ]);
}

const wantedBy = (scanner: Configured): Wanted => ({
  kind: scanner.kind === 'hid-pos' ? 'pos' : 'keyboard',
  isWanted: (device) => isMeant(scanner, device),
  ...(scanner.kind === 'keyboard' ? { isExclusive: scanner.isExclusive } : {}),
});

/** What a device is known by. */
type Identity = Pick<HidDevice, 'vendorId' | 'productId' | 'serialNumber' | 'port'>;

type Open = (signal: AbortSignal) => Promise<ScannerLink>;

function openerOf(scanner: Configured, scanners: HidScanners, keyboards: EventKeyboards): Open {
  const openHid: Open = (signal) => scanners.open(wantedBy(scanner), signal);
  // What others may see is nobody's to take.
  if (scanner.kind !== 'keyboard' || !scanner.isExclusive) return openHid;
  return keyboardOpener(scanner.via ?? 'auto', openHid, (signal) => keyboards.open((keyboard) => isMeant(scanner, keyboard), signal));
}

/** @returns whether the configuration's words fit the device: what is not said fits any. */
export const isMeant = ({ vendorId, productId, serialNumber, port }: Configured, device: Identity): boolean =>
  [
    [vendorId, device.vendorId],
    [productId, device.productId],
    [serialNumber, device.serialNumber],
    [port, device.port],
  ].every(([said, is]) => said === undefined || said === is);

interface Finding {
  readonly scanners: HidScanners;
  readonly keyboards: EventKeyboards;
  readonly configured: readonly Configured[];
  readonly hidPlaces: HidPlaces;
}

async function runFound(options: HidScannerOptions, finding: Finding, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  const { scanners, keyboards, configured, hidPlaces: places } = finding;
  const isFree = (device: HidDevice) => isScanner(device) && !configured.some((scanner) => isMeant(scanner, device));
  const running: Promise<void>[] = [];
  for await (const { device, name } of watchHid({ clock, log, isWanted: isFree, places }, signal)) {
    options.onFound?.(name, `usb ${device.port}`);
    const kind = kindOf(device).kind === 'pos' ? 'pos' : 'keyboard';
    const wanted: Wanted = { kind, isWanted: ({ key }) => key === device.key, port: device.port };
    const openHid: Open = (ending) => scanners.open(wanted, ending);
    const openEvents: Open = (ending) => keyboards.open((keyboard) => isSame(device, keyboard), ending);
    running.push(runOne(options, kind === 'pos' ? openHid : keyboardOpener('auto', openHid, openEvents), name, {}, signal));
  }
  await Promise.all(running);
}

/** By serial number where there is one, as HidDevice's key is; else by socket. */
const isSame = (device: HidDevice, other: Identity): boolean =>
  device.vendorId === other.vendorId &&
  device.productId === other.productId &&
  device.serialNumber === other.serialNumber &&
  (device.serialNumber !== '' || device.port === other.port);

async function runOne(
  options: HidScannerOptions,
  open: Open,
  device: string,
  { framing = 'auto', prefix, suffix }: Framed,
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
      restarts: options.restarts,
      open,
      use: async (link, ending) => {
        for await (const scan of link.scans(settings, ending)) onScan(scan);
      },
    },
    signal,
  );
}
