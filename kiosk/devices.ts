/** The kiosk's devices, as configured: each supervised on its own, so that one that is absent or unplugged stops none of the others. */
import { watchPorts } from '../hardware/discover.ts';
import { BaudSearch } from '../hardware/scanner/baud-search.ts';
import type { Scan } from '../hardware/scanner/scan.ts';
import { readScans, readScansAtAnySpeed } from '../hardware/scanner/serial-scanner.ts';
import { runTextScanner } from '../hardware/scanner/text-scanner.ts';
import type { Typing } from '../hardware/scanner/typing.ts';
import { listSerialPorts, openSerial } from '../hardware/serial-link.ts';
import { type DeviceReport, HARDWARE_BACKOFF, supervise } from '../hardware/supervise.ts';
import { GY_614V } from '../hardware/thermometer/gy-614v.ts';
import { GY_MCU90614 } from '../hardware/thermometer/gy-mcu90614.ts';
import type { Reading } from '../hardware/thermometer/reading.ts';
import { readSending, type SendingModule } from '../hardware/thermometer/sending-thermometer.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { KioskConfig } from './config.ts';
import { runBleThermometer } from './run-ble-thermometer.ts';
import { type BoardOptions, runBoard } from './run-board.ts';
import { type HidScannerOptions, runHidScanners } from './run-hid-scanners.ts';
import { runI2cThermometer } from './run-i2c-thermometer.ts';
import { runSniffer, type SnifferOptions } from './run-sniffer.ts';
import { seldom } from './seldom.ts';

export interface DeviceOptions extends HidScannerOptions, Pick<BoardOptions, 'answers' | 'onButton' | 'rest'> {
  readonly config: Pick<KioskConfig, 'scanners' | 'thermometers' | 'sniffers' | 'boards'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Standard input, for the scanner of that kind; it is left out where there is none. */
  readonly input: Typing | undefined;
  readonly onScan: (scan: Scan) => void;
  /** A scanner gave bytes that make no scan; told once a second at most of each. */
  readonly onNoScan: (device: string) => void;
  readonly onReading: (reading: Reading) => void;
  readonly onOccupancy: SnifferOptions['onOccupancy'];
  readonly onReport: (report: DeviceReport) => void;
}

interface SerialScanner {
  readonly name: string;
  readonly path: string;
  readonly baudRate: number | 'auto';
  readonly framing: 'auto' | 'line' | 'gap';
  readonly dtr?: boolean | undefined;
  readonly rts?: boolean | undefined;
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
}

/** Runs them until abort; every device is released when it resolves. */
export async function runDevices({ onNoScan, ...given }: DeviceOptions, signal: AbortSignal): Promise<void> {
  const options = { ...given, onNoScan: seldom(given.clock, onNoScan) };
  const { scanners, thermometers, sniffers, boards } = options.config;
  await Promise.all([
    ...scanners.map((scanner) => runAnyScanner(options, scanner, signal)),
    runHidScanners(options, signal),
    ...thermometers.map((thermometer) => runAnyThermometer(options, thermometer, signal)),
    ...boards.map((board) => runBoard(options, board, signal)),
    ...sniffers.map((sniffer) => runSniffer({ ...options, sniffer }, signal)),
  ]);
}

async function runAnyScanner(options: DeviceOptions, scanner: KioskConfig['scanners'][number], signal: AbortSignal): Promise<void> {
  switch (scanner.kind) {
    case 'serial':
      await runScanner(options, scanner, signal);
      break;
    case 'auto-serial':
      await runFoundScanners(options, scanner.baudRate, signal);
      break;
    case 'standard-input':
      await runInput(options, scanner.name, signal);
      break;
    case 'hid-pos':
    case 'keyboard':
    case 'auto-hid':
      // Together, in runHidScanners.
      break;
  }
}

async function runScanner(options: DeviceOptions, scanner: SerialScanner, signal: AbortSignal): Promise<void> {
  const { clock, onScan, onNoScan } = options;
  const { name: device, path, baudRate, framing, dtr, rts, prefix, suffix } = scanner;
  const settings = { device, clock, framing, prefix, suffix, onRefused: () => onNoScan(device) };
  const speed = baudRate === 'auto' ? new BaudSearch() : baudRate;
  await supervise(
    {
      ...supervisionOf(options, device),
      restarts: options.restarts,
      open: (ending) => openSerial({ path, baudRate: typeof speed === 'number' ? speed : speed.rate, dtr, rts })(ending),
      use: async (link, ending) => {
        const scans = typeof speed === 'number' ? readScans(link, settings, ending) : readScansAtAnySpeed(link, speed, settings, ending);
        for await (const scan of scans) onScan(scan);
      },
    },
    signal,
  );
}

async function runFoundScanners(options: DeviceOptions, baudRate: number | 'auto', signal: AbortSignal): Promise<void> {
  const { clock, log, config } = options;
  const except = [...config.scanners, ...config.thermometers, ...config.boards].flatMap((device) =>
    'path' in device ? [device.path] : [],
  );
  const running: Promise<void>[] = [];
  for await (const { path, name } of watchPorts({ list: listSerialPorts, clock, log, except }, signal)) {
    options.onFound?.(name, path);
    running.push(runScanner(options, { name, path, baudRate, framing: 'auto' }, signal));
  }
  await Promise.all(running);
}

async function runInput(options: DeviceOptions, device: string, signal: AbortSignal): Promise<void> {
  const { input, clock, onScan, onNoScan, onReport } = options;
  if (input === undefined) return;
  await runTextScanner({ input, device, clock, onRefused: () => onNoScan(device), onScan, onReport }, signal);
}

async function runAnyThermometer(
  options: DeviceOptions,
  thermometer: KioskConfig['thermometers'][number],
  signal: AbortSignal,
): Promise<void> {
  switch (thermometer.kind) {
    case 'serial':
      await runThermometer(options, thermometer, signal);
      break;
    case 'mlx90614-i2c':
      await runI2cThermometer(options, thermometer, signal);
      break;
    case 'ble-health-thermometer':
      await runBleThermometer(options, thermometer, signal);
      break;
  }
}

type SerialThermometer = Extract<KioskConfig['thermometers'][number], { readonly kind: 'serial' }>;
const MODULES: Readonly<Record<SerialThermometer['model'], SendingModule>> = { 'gy-mcu90614': GY_MCU90614, 'gy-614v': GY_614V };

async function runThermometer(
  options: DeviceOptions,
  { name: device, model, path, baudRate }: SerialThermometer,
  signal: AbortSignal,
): Promise<void> {
  const { clock, onReading } = options;
  await supervise(
    {
      ...supervisionOf(options, device),
      open: openSerial({ path, baudRate }),
      isUpOnceOpen: false,
      use: async (link, ending, markUp) => {
        for await (const reading of readSending(MODULES[model], link, { device, clock, onAlive: markUp }, ending)) onReading(reading);
      },
    },
    signal,
  );
}

const supervisionOf = ({ clock, log, onReport, random }: DeviceOptions, device: string) => ({
  device,
  clock,
  log,
  onReport,
  backoff: { ...HARDWARE_BACKOFF, random },
});
