/**
 * Stands in for the Raspberry Pi's boot ROM and firmware: reads a card's bytes as those do, and finds the kernel, the first file system, the device
 * tree and the command line that they would start. Written beside the builder, not with it.
 * Source: Raspberry Pi documentation, "Boot sequence", "autoboot.txt", "config.txt" (conditional filters), "Boot options".
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../guest/run-command.ts';

export interface Started {
  /** Files, copied from the card. */
  readonly kernel: string;
  readonly initrd: string;
  readonly deviceTree: string;
  readonly commandLine: string;
  /** Of the master boot record. */
  readonly bootPartition: number;
}

export interface Power {
  /** A directory for what is copied. */
  readonly directory: string;
  /** Set by `reboot '0 tryboot'`, for one start. */
  readonly isTryboot: boolean;
  /** As the firmware of a Pi 3 Model B looks for it with `upstream_kernel=1`. */
  readonly deviceTree: string;
}

/** Documented as the most that is read of autoboot.txt. */
const AUTOBOOT_LONGEST_BYTES = 512;
const FAT_TYPES = new Set([0x01, 0x04, 0x06, 0x0b, 0x0c, 0x0e]);

/** @throws Error that says where a Pi would stand still. */
export async function powerOn(card: string, { directory, isTryboot, deviceTree }: Power): Promise<Started> {
  const partitions = primaryPartitions(card);
  const first = partitions.find(({ type }) => FAT_TYPES.has(type));
  if (first === undefined) throw new Error('firmware: no FAT partition');
  // A Pi 3 finds its boot loader here, or stays dark.
  await read(card, first.startBytes, 'bootcode.bin', directory);
  const autoboot = (await text(card, first.startBytes, 'autoboot.txt', directory)) ?? '';
  if (Buffer.byteLength(autoboot) > AUTOBOOT_LONGEST_BYTES) throw new Error('firmware: autoboot.txt is too long');
  const chosen = settingsIn(autoboot, { tryboot: isTryboot });
  const bootPartition = Number(chosen.get('boot_partition') ?? first.number);
  const boot = partitions.find(({ number }) => number === bootPartition);
  if (boot === undefined || !FAT_TYPES.has(boot.type)) throw new Error(`firmware: partition ${bootPartition} is none to boot from`);
  await read(card, boot.startBytes, 'start.elf', directory);
  await read(card, boot.startBytes, 'fixup.dat', directory);
  const config = settingsIn((await text(card, boot.startBytes, 'config.txt', directory)) ?? '', { boot_partition: String(bootPartition) });
  if (config.get('arm_64bit') !== '1') throw new Error('firmware: a 64-bit kernel needs arm_64bit=1');
  const prefix = config.get('os_prefix') ?? '';
  const [initrd = ''] = (config.get('initramfs') ?? '').split(' ');
  return {
    kernel: await read(card, boot.startBytes, `${prefix}${config.get('kernel') ?? 'kernel8.img'}`, directory),
    initrd: await read(card, boot.startBytes, `${prefix}${initrd}`, directory),
    deviceTree: await read(card, boot.startBytes, deviceTree, directory),
    commandLine: ((await text(card, boot.startBytes, `${prefix}${config.get('cmdline') ?? 'cmdline.txt'}`, directory)) ?? '').trim(),
    bootPartition,
  };
}

/** The first sector: four entries of 16 bytes from 446 on. */
function primaryPartitions(card: string): { number: number; type: number; startBytes: number }[] {
  const sector = Buffer.alloc(512);
  const file = openSync(card, 'r');
  readSync(file, sector, 0, 512, 0);
  closeSync(file);
  if (sector.readUInt16LE(510) !== 0xaa55) throw new Error('firmware: no partition table');
  return [0, 1, 2, 3].map((at) => ({
    number: at + 1,
    type: sector.readUInt8(446 + 16 * at + 4),
    startBytes: sector.readUInt32LE(446 + 16 * at + 8) * 512,
  }));
}

/**
 * Lines of `name=value`, or `initramfs file where`; a filter in brackets holds until the next. One that is not known holds for no machine.
 * @param conditions what `[name]` and `[name=value]` are asked about.
 */
export function settingsIn(file: string, conditions: Readonly<Record<string, string | boolean>>): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  let holds = true;
  for (const line of file.split('\n').map((raw) => raw.trim())) {
    const filter = /^\[([^=\]]+)(?:=([^\]]*))?\]$/.exec(line);
    if (filter !== null) {
      const [, name = '', value] = filter;
      holds = name === 'all' || (value === undefined ? conditions[name] === true : conditions[name] === value);
      continue;
    }
    const setting = /^([a-z0-9_]+)(?:=| )(.*)$/.exec(line);
    if (holds && setting !== null && !line.startsWith('#')) settings.set(setting[1] ?? '', setting[2] ?? '');
  }
  return settings;
}

async function read(card: string, startBytes: number, name: string, directory: string): Promise<string> {
  const to = join(directory, name.replaceAll('/', '_'));
  await runCommand('mcopy', ['-n', '-o', '-i', `${card}@@${startBytes}`, `::/${name}`, to], { hint: `firmware: no ${name}` });
  return to;
}

async function text(card: string, startBytes: number, name: string, directory: string): Promise<string | undefined> {
  const { readFileSync } = await import('node:fs');
  return await read(card, startBytes, name, directory).then(
    (path) => readFileSync(path, 'utf8'),
    () => undefined,
  );
}
