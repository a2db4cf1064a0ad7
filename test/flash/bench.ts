/** A bench for cards: a small image with the partitions of a kiosk's, made by other programs than ours, and loop devices as cards. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Test } from 'tap';
import { NO_SETTINGS } from '../../workshop/flash/batch-settings.ts';
import { seededRandom } from '../support/suite-size.ts';

export const MIB = 1_048_576;
export const IMAGE_BYTES = 24 * MIB;
const CONFIG_AT = 4 * MIB;

/** What draws and packs the image; a bare machine lacks some of it. */
const PROGRAMS = { 'mkfs.fat': 'dosfstools', mcopy: 'mtools', xz: 'xz-utils', zip: 'zip', unzip: 'unzip', zstd: 'zstd', gzip: 'gzip' };

const path = `${process.env.PATH}:/usr/sbin:/sbin`;
export const run = (command: string, ...args: string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, PATH: path } });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout.trim();
};

function installPrograms(): void {
  const missing = Object.entries(PROGRAMS).filter(
    ([program]) => spawnSync('sh', ['-c', `PATH=${path} command -v ${program}`]).status !== 0,
  );
  if (missing.length === 0) return;
  execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
  const packages = missing.map(([, name]) => name);
  execFileSync('apt-get', ['install', '-y', '-o', 'DPkg::Lock::Timeout=600', '-qq', '--no-install-recommends', ...packages], {
    stdio: 'ignore',
  });
}

/**
 * An MBR, a FAT16 of 16 MiB with the settings file, and noise. It ends 100 bytes into a sector, as an image of ours does not, so that the end is met, too.
 * @param extraBytes of noise more. @returns its path.
 */
export function makeImage(directory: string, extraBytes = 0): string {
  installPrograms();
  const image = join(directory, 'kiosk.img');
  const master = Buffer.alloc(512);
  master.set([0, 0xfe, 0xff, 0xff, 0x0e, 0xfe, 0xff, 0xff], 446);
  master.writeUInt32LE(CONFIG_AT / 512, 454);
  master.writeUInt32LE((16 * MIB) / 512, 458);
  master.set([0x55, 0xaa], 510);
  writeFileSync(image, master);
  truncateSync(image, CONFIG_AT + 16 * MIB);
  run('mkfs.fat', '-F', '16', '-s', '4', '--offset', String(CONFIG_AT / 512), image, String(16 * 1_024));
  for (const [name, content] of [
    ['AUTOBOOT.TXT', '[all]\n'],
    ['wifi.conf', Buffer.from(NO_SETTINGS)],
  ] as const) {
    const file = join(directory, name);
    writeFileSync(file, content);
    run('mcopy', '-i', `${image}@@${CONFIG_AT}`, file, '::');
  }
  const file = openSync(image, 'r+');
  for (let at = 20 * MIB; at < IMAGE_BYTES + extraBytes; at += MIB) writeSync(file, noise(at), 0, MIB, at);
  closeSync(file);
  truncateSync(image, IMAGE_BYTES + extraBytes - 412);
  return image;
}

/** Seeded by its place, so that no two MiB are alike; cheap, because there may be many. */
function noise(seed: number): Buffer {
  const random = seededRandom(seed + 1);
  const bytes = Buffer.alloc(MIB, 0x5a);
  for (let at = 0; at < MIB; at += 512) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  return bytes;
}

/** A slot, into which files are put as cards are. */
export class LoopSlot {
  readonly path: string;
  #card: string | undefined;

  constructor(t: Test, card: string) {
    this.path = run('losetup', '--find', '--show', card);
    this.#card = card;
    t.teardown(() => this.takeOut());
  }

  takeOut(): void {
    if (this.#card === undefined) return;
    this.#card = undefined;
    run('losetup', '--detach', this.path);
  }

  putIn(card: string): void {
    run('losetup', this.path, card);
    this.#card = card;
  }
}

/** A card that has been something else before. */
export function makeCard(directory: string, name: string, sizeBytes = 32 * MIB): string {
  const card = join(directory, name);
  writeFileSync(card, Buffer.alloc(4 * MIB, 0xee));
  truncateSync(card, sizeBytes);
  return card;
}

export function bytesAt(file: string, atBytes: number, lengthBytes: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  const descriptor = openSync(file, 'r');
  readSync(descriptor, bytes, 0, lengthBytes, atBytes);
  closeSync(descriptor);
  return bytes;
}

export function flipByte(file: string, atBytes: number): void {
  const [byte = 0] = bytesAt(file, atBytes, 1);
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.from([byte ^ 0x01]), 0, 1, atBytes);
  closeSync(descriptor);
}

export const isBlank = (card: string): boolean => bytesAt(card, 0, MIB).every((byte) => byte === 0);

export const holds = (card: string, image: string, sizeBytes = IMAGE_BYTES - 412): boolean =>
  spawnSync('cmp', ['--bytes', String(sizeBytes), card, image]).status === 0;

/** Such as `/dev/sda`; undefined in a container whose root is no disk's. */
export function systemDisk(): string | undefined {
  const source = run('findmnt', '--noheadings', '--output', 'SOURCE', '/');
  if (!source.startsWith('/dev/')) return undefined;
  const parent = spawnSync('lsblk', ['--noheadings', '--output', 'PKNAME', source], { encoding: 'utf8' }).stdout.trim();
  return `/dev/${parent === '' ? basename(source) : parent}`;
}
