/** The image that the tests of this suite take, built once; without a browser, as small as it is. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { VERSION } from '../../cli/version.ts';
import { buildImage, type Image } from '../../workshop/image/build-image.ts';
import { type DebianLock, readLock, type Screen } from '../../workshop/image/debian-lock.ts';
import { makeLock } from '../../workshop/image/make-lock.ts';
import { FILES, ROOMS } from '../../workshop/image/product.ts';
import { findPrograms } from '../../workshop/image/program.ts';
import { cacheDirectory, needPrograms } from '../support/guest/debian.ts';
import { runCommand } from '../support/guest/run-command.ts';

export const root = resolve(import.meta.dirname, '../..');
const MIRROR = 'http://deb.debian.org';
const HEADS_AT_ONCE = 8;
const { signal } = new AbortController();
const builds = join(cacheDirectory(), 'image');
/** Downloads of Debian's packages, by their digests. */
export const packagesCache = join(builds, 'debian');

/** Programs that build and look; packs the native addon when it is not. */
export async function needBench(): Promise<void> {
  await needPrograms([
    'sqfstar',
    'unsquashfs',
    'mcopy',
    'sfdisk',
    'xz',
    'depmod',
    'mkfs.ext4',
    'aarch64-linux-gnu-g++',
    'make',
    'python3',
    'tar',
  ]);
  mkdirSync(builds, { recursive: true });
  await alone(join(root, 'hardware/native/pack.js'), 'arm64');
}

/** @param out is made. @param releaseKey of an image that takes releases. */
export function build(out: string, lock: DebianLock, screen: Screen = 'none', releaseKey?: string): Promise<Image> {
  mkdirSync(builds, { recursive: true });
  const order = {
    ...{ source: root, version: VERSION, screen, lock, epochS: lock.epochS, mirror: MIRROR, cache: builds, out },
    ...(releaseKey !== undefined && { releaseKey }),
  };
  return buildImage(
    order,
    { programs: findPrograms(`${process.env.PATH}:/usr/sbin:/sbin`), say: (step) => console.error(`# ${step}`) },
    signal,
  );
}

/**
 * The lock of the repository; where the archive has gone on and does not have its packages any more, one made now, which is told: the test is of
 * what is built, and the lock is to be made anew.
 */
export async function usableLock(say: (words: string) => void, screen: Screen = 'none'): Promise<DebianLock> {
  const lock = readLock(join(root, 'workshop/image/debian.lock.json'));
  const asked = lock.packages.filter(
    ({ screens, sha256 }) => screens.includes(screen) && !existsSync(join(packagesCache, `${sha256}.deb`)),
  );
  const heads: boolean[] = [];
  const ask = async (paths: Iterable<string>): Promise<void> => {
    for (const path of paths) heads.push((await fetch(`${MIRROR}/${path}`, { method: 'HEAD' })).ok);
  };
  // A few at a time: of two hundred connections at once some are not answered in time.
  const paths = asked.map(({ path }) => path).values();
  await Promise.all(Array.from({ length: HEADS_AT_ONCE }, () => ask(paths))).catch((cause: Error) => {
    throw new Error(`${MIRROR} is not reached: an image is made of ${asked.length} packages that are not here (${packagesCache})`, {
      cause,
    });
  });
  if (heads.every((isThere) => isThere)) return lock;
  say(`${heads.filter((isThere) => !isThere).length} packages of the lock are gone: npx vestibule image lock`);
  return await makeLock({ mirror: MIRROR, scratch: join(cacheDirectory(), 'lock'), epochS: lock.epochS }, signal);
}

/**
 * The image of the sources as they are now: built by whichever file of this suite, or run of it, asks first; the others wait for that one.
 * Nothing in it may be changed.
 */
export async function sharedImage(say: (words: string) => void): Promise<Image> {
  await needBench();
  mkdirSync(builds, { recursive: true });
  const directory = join(builds, `shared-${digestOfSources()}`);
  const { flock } = await needPrograms(['flock']);
  const said = await runCommand(flock, [
    `${builds}/shared.lock`,
    process.execPath,
    join(import.meta.dirname, 'build-shared.ts'),
    directory,
  ]);
  for (const line of said.split('\n').filter((words) => words !== '')) say(line);
  return imageAt(join(directory, CARD));
}

/** What `vestibule image --out` has made. */
export const imageAt = (card: string): Image => ({
  card,
  parts: { boot: `${card}.parts/boot.fat`, root: `${card}.parts/root.squashfs` },
  sbom: `${card}.cdx.json`,
});

/** Runs a program of ours when no other file of this suite does. @returns what it says. */
async function alone(program: string, ...args: string[]): Promise<string> {
  const { flock } = await needPrograms(['flock']);
  return await runCommand(flock, [join(builds, 'lock'), process.execPath, program, ...args]);
}

const CARD = 'kiosk.img';
/** Images of other sources are taken away after so long. */
const KEPT_MS = 3_600_000;

/** Builds into a directory what is not there. */
export async function buildShared(directory: string): Promise<void> {
  if (existsSync(directory)) return;
  for (const name of readdirSync(builds).filter((name) => name.startsWith('shared-'))) {
    const other = join(builds, name);
    if (Date.now() - statSync(other).mtimeMs > KEPT_MS) rmSync(other, { recursive: true });
  }
  const half = `${directory}.half`;
  rmSync(half, { recursive: true, force: true });
  await build(join(half, CARD), await usableLock(console.log));
  renameSync(half, directory);
}

/** Of all that may go into an image, or has it built otherwise. */
function digestOfSources(): string {
  const digest = createHash('sha256');
  for (const part of [...ROOMS, ...FILES, 'docs/systemd', 'package-lock.json']) {
    const from = join(root, part);
    const files = statSync(from).isDirectory()
      ? readdirSync(from, { recursive: true, withFileTypes: true }).flatMap((entry) =>
          entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
        )
      : [from];
    for (const file of files.filter((path) => !/\/native\/(?:pre)?buil[dt]/.test(path)).toSorted())
      digest.update(`${relative(root, file)}\0${statSync(file).mode & 0o100}\0`).update(readFileSync(file));
  }
  return digest.digest('hex').slice(0, 16);
}
