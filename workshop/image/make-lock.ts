/**
 * Chooses the packages of an image: asks apt, in a directory of its own and about arm64, what the wanted ones need, and writes down each with its
 * digest as Debian's signed lists have it.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DebianLock, LockedPackage, Screen } from './debian-lock.ts';
import { INSTALLED, LEFT_OUT, SUITE, UNPACKED } from './packages.ts';
import { runProgram } from './program.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

export interface LockOrder {
  /** An archive of Debian: `http://deb.debian.org`. */
  readonly mirror: string;
  /** Is made, emptied, and taken away. */
  readonly scratch: string;
  readonly epochS: number;
}

export async function makeLock({ mirror, scratch, epochS }: LockOrder, signal: AbortSignal): Promise<DebianLock> {
  rmSync(scratch, { recursive: true, force: true });
  for (const part of ['lists/partial', 'archives/partial', 'parts']) mkdirSync(join(scratch, part), { recursive: true });
  const source = (archive: string, suite: string): string =>
    `deb [arch=arm64 signed-by=${KEYRING}] ${mirror}/${archive} ${suite} main non-free-firmware\n`;
  writeFileSync(join(scratch, 'sources.list'), `${source('debian', SUITE)}${source('debian-security', `${SUITE}-security`)}`);
  const settings = {
    'Dir::State::Lists': join(scratch, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': scratch,
    'Dir::Etc::sourcelist': join(scratch, 'sources.list'),
    'Dir::Etc::sourceparts': join(scratch, 'parts'),
    'Dir::Etc::preferencesparts': join(scratch, 'parts'),
    'APT::Architecture': 'arm64',
    'APT::Architectures': 'arm64',
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled': 'false',
  };
  const options = ['-qq', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  const apt = async (program: string, ...args: string[]): Promise<string> =>
    (await runProgram(program, [...options, ...args], { cwd: scratch, signal })).toString();
  try {
    await apt('apt-get', 'update');
    const closures = new Map<Screen, Set<string>>();
    for (const screen of ['none', 'chromium'] as const) {
      const said = await apt('apt-get', 'install', '--yes', '--no-install-recommends', '--print-uris', ...INSTALLED[screen]);
      closures.set(screen, new Set([...namesIn(said)].filter((name) => !LEFT_OUT.has(name))));
    }
    const apart = await Promise.all(UNPACKED.map(async (name) => newest(name, await apt('apt-cache', 'depends', name))));
    const names = [...new Set([...apart, ...[...closures.values()].flatMap((closure) => [...closure])])].toSorted();
    const shown = await apt('apt-cache', 'show', '--no-all-versions', ...names);
    const packages = shown.split('\n\n').flatMap((record): LockedPackage[] => {
      const field = (key: string): string => new RegExp(`^${key}: (.*)$`, 'm').exec(record)?.[1] ?? '';
      const name = field('Package');
      if (name === '') return [];
      const isSecurity = field('Filename').startsWith('pool/updates/');
      const screens = (['none', 'chromium'] as const).filter((screen) => apart.includes(name) || closures.get(screen)?.has(name));
      return [
        {
          name,
          version: field('Version'),
          architecture: field('Architecture') === 'all' ? 'all' : 'arm64',
          path: `${isSecurity ? 'debian-security' : 'debian'}/${field('Filename')}`,
          sizeBytes: Number(field('Size')),
          sha256: field('SHA256'),
          screens,
        },
      ];
    });
    return { epochS, suite: SUITE, packages: packages.toSorted((one, other) => (one.name < other.name ? -1 : 1)) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Lines of an address, a file's name, its size and digest. */
const namesIn = (said: string): Set<string> =>
  new Set(said.split('\n').flatMap((line) => /^'[^']+' ([^_]+)_/.exec(line)?.[1]?.split(' ') ?? []));

/** A kernel goes by a package that only stands for the newest. */
const newest = (name: string, depends: string): string => /Depends: (linux-image-\S+)/.exec(depends)?.[1] ?? name;
