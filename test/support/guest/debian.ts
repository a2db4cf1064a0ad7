/**
 * What the guests need of Debian: programs on this machine, installed when they are missing, and packages that are only unpacked, for
 * either processor. The lists of packages that are unpacked lie in a cache of our own, so that the machine's are not touched.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runCommand } from './run-command.ts';

export type Architecture = 'amd64' | 'arm64';

/** The Debian package that brings each program. */
const PACKAGE_OF = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-system-aarch64': 'qemu-system-arm',
  busybox: 'busybox-static',
  depmod: 'kmod',
  setpriv: 'util-linux',
  flock: 'util-linux',
  'fsck.vfat': 'dosfstools',
  'mkfs.ext4': 'e2fsprogs',
  'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu',
  make: 'make',
  python3: 'python3',
  tar: 'tar',
  sfdisk: 'fdisk',
  sqfstar: 'squashfs-tools',
  unsquashfs: 'squashfs-tools',
  mcopy: 'mtools',
  xz: 'xz-utils',
} as const;

export type Program = keyof typeof PACKAGE_OF;

/** Where Debian keeps programs that only root runs. */
const ADMIN_PATHS = ['/usr/sbin', '/sbin', '/bin', '/usr/bin'];

/** @returns the path of a program on this machine; `undefined` when there is none. */
function find(program: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...ADMIN_PATHS];
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
}

/** Installs what is missing. @returns where each program is. @throws Error that says what to install. */
export async function needPrograms<Name extends Program>(programs: readonly Name[]): Promise<Record<Name, string>> {
  const missing = programs.filter((program) => find(program) === undefined).map((program) => PACKAGE_OF[program]);
  if (missing.length > 0) {
    // For a guest without a screen, a sound card or a boot menu nothing that is recommended is needed.
    const install = [
      'install',
      '--yes',
      '--no-install-recommends',
      ...missing,
      ...(missing.some((name) => name === 'qemu-system-x86') ? ['seabios'] : []),
    ];
    const hint = `This suite runs guests in QEMU. On Debian: sudo apt-get ${install.join(' ')}`;
    if (process.getuid?.() !== 0) throw new Error(`missing: ${missing.join(', ')}. ${hint}`);
    await aptGet(['-qq', 'update'], { hint });
    await aptGet(['-qq', ...install], { hint });
  }
  return Object.fromEntries(
    programs.map((program) => {
      const path = find(program);
      if (path === undefined) throw new Error(`${program}: not there, although ${PACKAGE_OF[program]} is installed`);
      return [program, path];
    }),
  ) as Record<Name, string>;
}

/** Downloads and what was made of them; may be deleted at any time. */
export const cacheDirectory = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vestibule-guests');

/**
 * Makes a directory in the cache once: `make` fills another one, which then takes its place, so that one that was cut short is made again
 * and two suites at once do not meet.
 */
export async function cached(name: string, make: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(cacheDirectory(), name);
  if (existsSync(directory)) return directory;
  const half = `${directory}.${process.pid}.making`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { recursive: true });
  try {
    await make(half);
    if (!existsSync(directory)) renameSync(half, directory);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  return directory;
}

/** Downloads these packages of Debian, without what they depend on, and unpacks them into one directory of the cache. */
export function unpackedPackages(architecture: Architecture, packages: readonly string[], name: string): Promise<string> {
  return cached(`${name}-${architecture}`, async (directory) => {
    const apt = await aptFor(architecture);
    const downloads = join(directory, 'downloads');
    mkdirSync(downloads);
    await aptGet([...apt, 'download', ...(await Promise.all(packages.map((wanted) => newest(apt, wanted))))], {
      cwd: downloads,
      hint: 'Packages are downloaded from the sources in /etc/apt of this machine.',
    });
    for (const file of readdirSync(downloads)) await runCommand('dpkg', ['-x', join(downloads, file), directory]);
    rmSync(downloads, { recursive: true });
  });
}

/** One at a time: suites that run beside each other need the same programs and lists, and apt waits for no other. */
function aptGet(args: readonly string[], options: Parameters<typeof runCommand>[2]): Promise<string> {
  mkdirSync(cacheDirectory(), { recursive: true });
  return runCommand('flock', [join(cacheDirectory(), 'apt.lock'), 'apt-get', '-o', 'DPkg::Lock::Timeout=600', ...args], options);
}

/** @returns the package itself, or, of one that only stands for the newest, that one. */
async function newest(apt: readonly string[], name: string): Promise<string> {
  if (!name.startsWith('linux-image-')) return name;
  const said = await runCommand('apt-cache', [...apt, 'depends', name]);
  const found = /Depends: (linux-image-\S+)/.exec(said)?.[1];
  if (found === undefined) throw new Error(`${name}: the lists of packages name none`);
  return found;
}

/** Lists older than this are fetched anew: of a package that was replaced there is nothing left to download. */
const LISTS_AGE_MS = 3_600_000;

/** @returns the options with which apt knows the packages of that processor, and nothing of this machine but its sources. */
async function aptFor(architecture: Architecture): Promise<string[]> {
  const directory = join(cacheDirectory(), `apt-${architecture}`);
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(directory, part), { recursive: true });
  const options = {
    'Dir::State::Lists': join(directory, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': directory,
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    // The cache may be in a home that apt's own user can not enter.
    'APT::Sandbox::User': 'root',
  };
  const apt = ['-qq', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  const stamp = join(directory, 'fetched');
  const fetchedMs = existsSync(stamp) ? Number(readFileSync(stamp, 'utf8')) : 0;
  if (Date.now() - fetchedMs > LISTS_AGE_MS) {
    await aptGet([...apt, 'update'], { hint: 'The lists of packages could not be fetched.' });
    writeFileSync(stamp, String(Date.now()));
  }
  return apt;
}
