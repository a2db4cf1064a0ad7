/**
 * Finds serial devices by names that outlive a replug, for kiosks whose owner configured none.
 */
import { createHash } from 'node:crypto';
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../protocol/errors.ts';
import type { Log } from '../protocol/log.ts';
import type { Clock } from '../protocol/time.ts';
import type { SerialPortInfo } from './serial-link.ts';

export interface FoundPort {
  /** A path that means the same device after a replug. */
  readonly path: string;
  /** `serial-` and 8 hexadecimal digits, made from the path: fit for an event and a log, and tells no serial number. */
  readonly name: string;
}

export interface Discovery {
  /** Lists ports (serial-link.ts, listSerialPorts). */
  readonly list: () => Promise<readonly SerialPortInfo[]>;
  /** Directories of stable links, best first. */
  readonly linkDirs?: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** Paths that are somebody else's: those the operator configured. Links are followed. */
  readonly except: readonly string[];
}

export const LINK_DIRS: readonly string[] = ['/dev/serial/by-id', '/dev/serial/by-path'];

/** How often to look. A person who plugs a scanner in for the first time waits that long at most. */
const LOOK_EVERY_MS = 1_000;

/**
 * Ports that may be scanners, each once, as they appear. A port that goes away is not told of: its path stays good for when it comes back.
 * @param signal on abort it returns.
 */
export async function* watchPorts(discovery: Discovery, signal: AbortSignal): AsyncGenerator<FoundPort, void> {
  const told = new Set<string>();
  let isListing = true;
  while (!signal.aborted) {
    try {
      for (const found of await findPorts(discovery)) {
        if (told.has(found.path) || signal.aborted) continue;
        told.add(found.path);
        yield found;
      }
      isListing = true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (isListing) discovery.log.warn('devices.not_listed', { code: codeOf(error) });
      isListing = false;
    }
    await discovery.clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** @returns the ports of this moment that may be scanners: USB devices, not excepted. */
export async function findPorts({ list, linkDirs = LINK_DIRS, except }: Discovery): Promise<readonly FoundPort[]> {
  const taken = new Set(await Promise.all(except.map(resolved)));
  const links = await stableLinks(linkDirs);
  const ports = await list();
  return ports
    .filter((port) => port.vendorId !== undefined && !taken.has(port.path))
    .map((port) => links.get(port.path) ?? port.path)
    .map((path) => ({ path, name: nameOf(path) }));
}

const nameOf = (path: string): string => `serial-${createHash('sha256').update(path).digest('hex').slice(0, 8)}`;

const resolved = (path: string): Promise<string> => realpath(path).catch(() => path);

/** @returns real path -> the best stable link to it. */
async function stableLinks(dirs: readonly string[]): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  for (const dir of dirs) {
    for (const entry of (await readdir(dir).catch(() => [])).sort()) {
      const path = join(dir, entry);
      const real = await resolved(path);
      if (!links.has(real)) links.set(real, path);
    }
  }
  return links;
}
