/**
 * Finds serial devices by names that outlive a replug, for kiosks whose owner configured none.
 *
 * Room: directories of devices and their links. May not: open a port; whoever takes a found port supervises it.
 * Source: udev's 60-serial.rules (the links); drivers' names of USB serial ports, Linux Documentation/admin-guide/devices.txt.
 */
import { createHash } from 'node:crypto';
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { SerialPortInfo } from './serial-link.ts';
import { untilAbort } from './until-abort.ts';

export interface FoundPort {
  /** A path that means the same device after a replug: its link by id, else by socket, else its own. */
  readonly path: string;
  /** `serial-` and 8 hexadecimal digits, made from the path: fit for an event and a log, and tells no serial number. */
  readonly name: string;
}

export interface Places {
  readonly deviceDir: string;
  /** Directories of stable links, best first. */
  readonly linkDirs: readonly string[];
}

const PLACES: Places = { deviceDir: '/dev', linkDirs: ['/dev/serial/by-id', '/dev/serial/by-path'] };

export interface Discovery {
  /** Lists ports (serial-link.ts, listSerialPorts). Starts a program, so it is only called when something changed. */
  readonly list: () => Promise<readonly SerialPortInfo[]>;
  readonly clock: Clock;
  readonly log: Log;
  /** Paths that are somebody else's: those the operator configured. Links are followed. */
  readonly except: readonly string[];
  /** PLACES when left out. */
  readonly places?: Places;
}

/** How often to look. A person who plugs a scanner in for the first time waits that long at most. */
const LOOK_EVERY_MS = 1_000;
/** udev knows a device's vendor and names its links some 100 ms after the kernel shows it, later on a busy Pi. */
const LOOKS_AFTER_CHANGE = 5;
/** More doors than a kiosk has; a hub gone mad does not start supervisors without end. */
const MOST_PORTS = 8;

/** CDC-ACM, USB adapters and vendors' own drivers; built-in ports (ttyS, ttyAMA) are there without a device and are not guessed at. */
const USB_SERIAL = /^tty(ACM|USB|XRUSB|WCH)/;

/**
 * Makers of nothing but modems and position receivers (usb.ids). To open a modem disturbs it, and a receiver would talk every second.
 * What a generic adapter (FTDI, CH340, CP210x, PL2303) hides can not be known; a path that is configured for something else is excepted.
 */
const NO_SCANNERS: ReadonlySet<string> = new Set([
  '05c6', // Qualcomm
  '091e', // Garmin
  '0af0', // Option
  '1199', // Sierra Wireless
  '12d1', // Huawei
  '1546', // u-blox
  '19d2', // ZTE
  '1bc7', // Telit
  '1e0e', // SIMCom
  '1e2d', // Cinterion
  '2c7c', // Quectel
  '2cb7', // Fibocom
]);

/**
 * Ports that may be scanners, each once, as they appear; at most MOST_PORTS. A port that goes away is not told of: its path stays good for
 * when it comes back.
 * @param signal on abort it returns.
 */
export async function* watchPorts(discovery: Discovery, signal: AbortSignal): AsyncGenerator<FoundPort, void> {
  const { clock, log, places = PLACES } = discovery;
  const told = new Set<string>();
  let seen = '';
  let looksLeft = 0;
  let hasFailed = false;
  while (!signal.aborted && told.size < MOST_PORTS) {
    const present = await presentIn(places);
    if (present !== seen) looksLeft = LOOKS_AFTER_CHANGE;
    seen = present;
    if (present !== '' && looksLeft > 0) {
      looksLeft -= 1;
      // A program that lists them and does not end is not to keep the kiosk from stopping.
      const found = await untilAbort(findPorts(discovery), signal).catch((error: unknown) => {
        const code = codeOf(error);
        if (code === undefined) throw error;
        if (!hasFailed) log.warn('devices.not_listed', { code });
        hasFailed = true;
        return [];
      });
      for (const port of found ?? []) {
        if (told.has(port.path) || told.size === MOST_PORTS || signal.aborted) continue;
        told.add(port.path);
        yield port;
      }
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
  if (!signal.aborted) log.warn('devices.too_many', { most: MOST_PORTS });
}

/**
 * @returns the ports of this moment that may be scanners: on USB, not a modem's or receiver's, not excepted.
 * @throws DeviceError `device.failed` when ports can not be listed.
 */
export async function findPorts({ list, except, places = PLACES }: Omit<Discovery, 'clock' | 'log'>): Promise<readonly FoundPort[]> {
  const taken = new Set(await Promise.all(except.map(resolved)));
  const links = await stableLinks(places.linkDirs);
  const ports = await list();
  return ports
    .filter(({ path, vendorId }) => vendorId !== undefined && mayBeScanner(vendorId) && !taken.has(path))
    .map(({ path }) => links.get(path) ?? path)
    .map((path) => ({ path, name: nameOf(path) }));
}

/** @returns whether a found USB device's maker makes anything but modems and receivers. */
export const mayBeScanner = (vendorId: string): boolean => !NO_SCANNERS.has(vendorId.toLowerCase());

/** @param path a stable one, as FoundPort has it. @returns FoundPort's name. */
export const nameOf = (path: string): string => `serial-${createHash('sha256').update(path).digest('hex').slice(0, 8)}`;

/** A path that leads nowhere now is its own. */
const resolved = (path: string): Promise<string> => realpath(path).catch(() => path);

/** Where udev or serial ports are missing, so are their directories. */
const entriesOf = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);

/** @returns what is plugged in, as a text that changes when it does; empty when nothing is. */
async function presentIn({ deviceDir, linkDirs }: Places): Promise<string> {
  const devices = (await entriesOf(deviceDir)).filter((entry) => USB_SERIAL.test(entry));
  if (devices.length === 0) return '';
  const links = await Promise.all(linkDirs.map(entriesOf));
  return [devices, ...links].map((entries) => entries.toSorted().join(' ')).join('\n');
}

/** @returns real path -> the best stable link to it. */
async function stableLinks(linkDirs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const links = new Map<string, string>();
  for (const dir of linkDirs) {
    for (const entry of (await entriesOf(dir)).toSorted()) {
      const path = join(dir, entry);
      const real = await resolved(path);
      if (!links.has(real)) links.set(real, path);
    }
  }
  return links;
}
