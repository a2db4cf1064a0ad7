/** Asks the machine which disks it has, and where in it a card sits. May not open a disk. Source: lsblk(8); sysfs, Documentation/ABI/stable/sysfs-block. */
import { execFile } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { FlashError } from '../../protocol/errors.ts';
import { type Disk, LSBLK, parseDisks } from './disks.ts';

const run = promisify(execFile);
const LONGEST_ANSWER_BYTES = 16 * 1_048_576;

/** @throws FlashError `flash.no_tool` where lsblk is missing. */
export async function listDisks(): Promise<Disk[]> {
  try {
    const { stdout } = await run('lsblk', LSBLK, { maxBuffer: LONGEST_ANSWER_BYTES });
    return parseDisks(stdout, (path) => sysfs(path, 'device/type') === 'SD');
  } catch (cause) {
    if (cause instanceof FlashError) throw cause;
    throw new FlashError('flash.no_tool', 'lsblk: can not be run (it comes with util-linux)', { cause });
  }
}

/** What is in a slot, and which slot it is: another card in the same slot has another number, also under the same name. */
export interface Slot {
  /** The same for whatever is put there: a USB port and its reader's slot, an MMC host, a loop device. */
  readonly place: string;
  /** Counted up by the kernel with each disk and each change of a medium (`diskseq`). */
  readonly medium: string;
}

/** @param path of a disk. @returns `undefined` when it is gone. */
export function slotOf(path: string): Slot | undefined {
  const medium = sysfs(path, 'diskseq');
  if (medium === undefined) return undefined;
  return { place: placeOf(realpathSync(`/sys/block/${basename(path)}`)), medium };
}

/** USB: hosts are numbered anew with each plug, the port and the reader's slot (LUN) stay. MMC: the card's address is in its name, the host's stays. */
function placeOf(device: string): string {
  const usb = /^(.*\/\d+-[\d.]+:\d+\.\d+)\/.*:(\d+)\/block\//.exec(device);
  if (usb !== null) return `${usb[1]}#${usb[2]}`;
  return /^(.*\/mmc_host\/mmc\d+)\//.exec(device)?.[1] ?? device;
}

function sysfs(path: string, attribute: string): string | undefined {
  try {
    return readFileSync(`/sys/block/${basename(path)}/${attribute}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}
