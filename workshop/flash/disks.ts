/**
 * The disks of this machine, as lsblk(8) tells them, and why one of them is left alone. Pure: what is asked of the machine is in `list-disks.ts`.
 * That a disk is free is said once more, and for good, by the kernel when it is opened (`card.ts`): what is read here is to tell a person.
 */
import { z } from 'zod';
import { FlashError } from '../../protocol/errors.ts';

export interface Disk {
  /** Such as `/dev/sdb`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Of one logical sector: what is written is a multiple of it. */
  readonly sectorBytes: number;
  /** Maker and model; empty where it does not say. */
  readonly name: string;
  readonly isRemovable: boolean;
  readonly isLoop: boolean;
  readonly isReadOnly: boolean;
  /** Where it, a partition of it, or what lies in one is mounted; `[SWAP]` for swap. */
  readonly mounts: readonly string[];
}

/** What lsblk is asked for. Source: lsblk(8), util-linux 2.37 or newer. */
export const LSBLK = ['--json', '--bytes', '--paths', '--output', 'NAME,TYPE,SIZE,RM,HOTPLUG,RO,VENDOR,MODEL,LOG-SEC,MOUNTPOINTS'] as const;

interface Device {
  readonly name: string;
  readonly type: string;
  readonly size: number | null;
  readonly rm: boolean;
  readonly hotplug: boolean;
  readonly ro: boolean;
  readonly vendor?: string | null | undefined;
  readonly model?: string | null | undefined;
  readonly 'log-sec': number;
  readonly mountpoints: readonly (string | null)[];
  readonly children?: readonly Device[] | undefined;
}

const device: z.ZodType<Device> = z.lazy(() =>
  z.object({
    name: z.string(),
    type: z.string(),
    size: z.number().nullable(),
    rm: z.boolean(),
    hotplug: z.boolean(),
    ro: z.boolean(),
    vendor: z.string().nullish(),
    model: z.string().nullish(),
    'log-sec': z.number(),
    mountpoints: z.array(z.string().nullable()),
    children: z.array(device).optional(),
  }),
);
const answer = z.object({ blockdevices: z.array(device) });

/** A kiosk's card is far smaller; a disk with somebody's backups is not. */
export const LARGEST_UNNAMED_BYTES = 256 * 2 ** 30;
/** An embedded MMC is soldered in, whatever lsblk says of its bus; so are its boot partitions. Only a card's `type` is `SD`. */
const MMC = /^\/dev\/mmcblk\d+$/;
const SYSTEM = /^(\/|\/(boot|usr|var|home|etc|opt|root)(\/.*)?|\[SWAP\])$/;

/**
 * @param text what lsblk wrote. @param isCard whether an MMC disk is a card that can be taken out.
 * @returns disks and loop devices that hold something; no partitions, no optical drives. @throws FlashError `flash.no_tool` for another answer.
 */
export function parseDisks(text: string, isCard: (path: string) => boolean): Disk[] {
  const parsed = answer.safeParse(jsonOf(text));
  if (!parsed.success) throw new FlashError('flash.no_tool', 'lsblk: answers otherwise than that of util-linux 2.37 or newer');
  return parsed.data.blockdevices
    .filter(
      ({ name, type, size }) => (type === 'disk' || type === 'loop') && (size ?? 0) > 0 && !/^\/dev\/(z?ram|mmcblk\d+[a-z])/.test(name),
    )
    .map((one) => ({
      path: one.name,
      sizeBytes: one.size ?? 0,
      sectorBytes: one['log-sec'],
      name: [one.vendor, one.model]
        .map((word) => word?.trim() ?? '')
        .filter((word) => word !== '')
        .join(' '),
      isRemovable: MMC.test(one.name) ? isCard(one.name) : one.rm || one.hotplug,
      isLoop: one.type === 'loop',
      isReadOnly: one.ro,
      mounts: mountsOf(one),
    }));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of all that lies in it: a partition may hold a volume group or an encrypted disk, and that a file system. */
const mountsOf = ({ mountpoints, children = [] }: Device): string[] => [
  ...mountpoints.filter((mount): mount is string => mount !== null && mount !== ''),
  ...children.flatMap(mountsOf),
];

export interface Wanted {
  /** Of the image. */
  readonly needsBytes: number;
  /** Loop devices are taken, too: for practice. */
  readonly mayLoop: boolean;
  /** A person named this very disk. */
  readonly isNamed: boolean;
}

/** @returns why a disk is not written to, in words for whoever asked; `undefined` when it may be. */
export function refusalOf(disk: Disk, { needsBytes, mayLoop, isNamed }: Wanted): FlashError | undefined {
  const { path, mounts, sizeBytes } = disk;
  if (mounts.some((mount) => SYSTEM.test(mount))) return new FlashError('flash.system_disk', `${path}: this machine runs from it`);
  if (!(disk.isRemovable || (disk.isLoop && mayLoop)))
    return new FlashError('flash.not_removable', `${path}: can not be taken out, so it is no card`);
  if (mounts.length > 0)
    return new FlashError('flash.in_use', `${path}: is mounted at ${mounts.join(', ')} (umount ${mounts.join(' ')}, then again)`);
  if (disk.isReadOnly) return new FlashError('flash.read_only', `${path}: is write-protected (the slide at the card's side?)`);
  if (sizeBytes < needsBytes)
    return new FlashError('flash.too_small', `${path}: holds ${sizeText(sizeBytes)}, and the image needs ${sizeText(needsBytes)}`);
  if (sizeBytes > LARGEST_UNNAMED_BYTES && !isNamed)
    return new FlashError(
      'flash.not_removable',
      `${path}: ${sizeText(sizeBytes)} is more than any kiosk's card (--disk ${path} if you mean it)`,
    );
  return undefined;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `29.7 GiB`. */
export function sizeText(bytes: number): string {
  let unit = 0;
  let amount = bytes;
  while (amount >= 1_024 && unit < UNITS.length - 1) {
    amount /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** `/dev/sdb  29.7 GiB  Generic SD/MMC`. */
export const diskLine = ({ path, sizeBytes, name }: Disk): string => `${path}  ${sizeText(sizeBytes)}${name === '' ? '' : `  ${name}`}`;
