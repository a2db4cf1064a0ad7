/** What of this machine a kiosk needs: its native libraries, its user, and no program that takes its scanners. Reads, changes nothing. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { loadNative } from '../hardware/native/native.ts';
import type { KioskConfig } from '../kiosk/config.ts';
import { DeviceError } from '../protocol/errors.ts';
import { HOLDER_FIXES } from './doctor-devices.ts';
import type { Finding } from './doctor-findings.ts';

/** Where Debian's multiarch, other distributions and hand-made systems keep libraries. */
const LIBRARY_DIRS = ['/usr/lib', '/lib', '/usr/lib64', '/lib64', '/usr/local/lib'];
const TRIPLETS: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu', arm: 'arm-linux-gnueabihf' };

/** @returns whether the loader will find it. */
const hasLibrary = (file: string, arch: string, root = '/'): boolean =>
  LIBRARY_DIRS.some((dir) => [dir, join(dir, TRIPLETS[arch] ?? '')].some((place) => existsSync(join(root, place, file))));

/** What node-hid's binaries are linked against. */
const LIBRARIES = [
  {
    file: 'libusb-1.0.so.0',
    debian: 'libusb-1.0-0',
    why: 'without it a scanner that types can not be had by the kiosk alone: its codes land in whatever window is in front',
  },
  { file: 'libudev.so.1', debian: 'libudev1', why: 'without it no HID scanner is found' },
] as const;

/** @param scanners as configured: what none of them needs is worth a word and no more. */
export function machineFindings(arch: string, scanners: KioskConfig['scanners'], root = '/'): Finding[] {
  const missing = LIBRARIES.filter(({ file }) => !hasLibrary(file, arch, root));
  const libraries: Finding[] = missing.map(({ debian, why }) => ({
    area: 'machine',
    subject: debian,
    state: needsHid(scanners) ? 'wrong' : 'note',
    says: `is not installed: ${why}.`,
    code: 'device.no_driver',
    fix: [`sudo apt install ${debian}`],
  }));
  const running = new Set(processes(root).map(({ name }) => name));
  const takers: Finding[] = Object.keys(HOLDER_FIXES)
    .filter((name) => running.has(name))
    .map((name) => ({
      area: 'machine',
      subject: name,
      state: 'note',
      says: 'runs here, and opens serial devices that are plugged in.',
      fix: HOLDER_FIXES[name] ?? [],
    }));
  const sound: Finding = { area: 'machine', subject: 'libraries for HID and USB', state: 'fine', says: 'are installed.' };
  return [...(libraries.length === 0 ? [sound] : libraries), ...takers];
}

/** What is found by itself (`auto-hid`) is told with the device, where one is plugged in. */
const HID_KINDS: ReadonlySet<string> = new Set(['hid-pos', 'keyboard']);
const needsHid = (scanners: KioskConfig['scanners']): boolean => scanners.some(({ kind }) => HID_KINDS.has(kind));

/** The addon of our own: without it a sensor on this machine's bus can not be read, nor a keyboard taken as an input device. */
export function addonFindings(config: Pick<KioskConfig, 'scanners' | 'thermometers'>, load: () => unknown = loadNative): Finding[] {
  const finding = (state: Finding['state'], says: string, more: Partial<Finding> = {}): Finding[] => [
    { area: 'machine', subject: 'addon for I2C and input devices', state, says, ...more },
  ];
  try {
    load();
    return finding('fine', 'loads.');
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    const isNeeded =
      config.thermometers.some(({ kind }) => kind === 'mlx90614-i2c') ||
      config.scanners.some((scanner) => scanner.kind === 'keyboard' && scanner.via === 'evdev');
    const fix = ['sudo apt install build-essential python3 && npm run native   (docs/devices/native-addon.md)'];
    return finding(isNeeded ? 'wrong' : 'note', isNeeded ? 'is missing, and the settings need it.' : 'is missing; nothing here needs it.', {
      code: error.code,
      ...(isNeeded && { fix }),
    });
  }
}

/**
 * @returns for each of `paths` the names of the programs that have it open, this one left out. Of other users' programs only root sees it.
 */
export function holdersOf(paths: ReadonlySet<string>, ownPid: number, root = '/'): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, string[]>();
  for (const { pid, name } of processes(root)) {
    if (pid === String(ownPid)) continue;
    const open = new Set(entries(join(root, 'proc', pid, 'fd')).map((fd) => linkTarget(join(root, 'proc', pid, 'fd', fd))));
    for (const path of paths) if (open.has(path)) holders.set(path, [...(holders.get(path) ?? []), name]);
  }
  return holders;
}

/** capabilities(7): numbers of CAP_NET_ADMIN and CAP_NET_RAW. */
const NEEDED_BY_BLUETOOTH = (1n << 12n) | (1n << 13n);

/** @returns whether this process may drive a Bluetooth adapter. */
export function mayUseBluetooth(root = '/'): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(read(join(root, 'proc/self/status')))?.[1] ?? '0';
  return (BigInt(`0x${mask}`) & NEEDED_BY_BLUETOOTH) === NEEDED_BY_BLUETOOTH;
}

const processes = (root: string): { pid: string; name: string }[] =>
  entries(join(root, 'proc'))
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => ({ pid, name: nameOfProgram(read(join(root, 'proc', pid, 'comm')).trim()) }));

/** Node calls its processes by its first thread. */
const nameOfProgram = (comm: string): string => (comm === 'MainThread' ? 'node' : comm);

const entries = (dir: string): string[] => attempt(() => readdirSync(dir), []);
const read = (path: string): string => attempt(() => readFileSync(path, 'utf8'), '');
const linkTarget = (path: string): string => attempt(() => readlinkSync(path), '');

/** A process may end, and another user's may not be looked into. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
