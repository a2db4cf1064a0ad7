/**
 * The packages of Debian that an image is made of, each by its version and digest: `debian.lock.json`. It is made anew by `vestibule image lock`
 * (make-lock.ts), is part of the repository, and an image is made of nothing that it does not name.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../../disk/files.ts';
import { ConfigError } from '../../protocol/errors.ts';

const lockedPackage = z.strictObject({
  name: z.string(),
  version: z.string(),
  architecture: z.enum(['arm64', 'all']),
  /** Under the archive's root: `debian/pool/…`. */
  path: z.string().regex(/^debian(?:-security)?\/pool\/[\w./+~%:-]+\.deb$/),
  sizeBytes: z.int().positive().max(1_000_000_000),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** In which images it is. */
  screens: z.array(z.enum(['none', 'chromium'])),
});

const lockFile = z.strictObject({
  /** Of all files of an image, in seconds, unless the builder is told otherwise: when the lock was made. */
  epochS: z.int().positive(),
  suite: z.string(),
  packages: z.array(lockedPackage).min(1),
});

export type LockedPackage = z.infer<typeof lockedPackage>;
export type DebianLock = z.infer<typeof lockFile>;
export type Screen = LockedPackage['screens'][number];

/** @throws ConfigError config.invalid for a file that is no lock. */
export function readLock(path: string): DebianLock {
  const parsed = lockFile.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!parsed.success) throw new ConfigError('config.invalid', `${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

export const writeLock = (path: string, lock: DebianLock): void => writeFileSync(path, `${JSON.stringify(lock, undefined, 1)}\n`);

const AT_ONCE = 6;

/**
 * Gets the packages, those that are not in the cache, and checks each.
 * @param mirror an archive of Debian: `http://deb.debian.org`. What it sends is believed by its digest alone.
 * @returns the file of each, by its package.
 * @throws ConfigError config.invalid when one is not to be had, or is another.
 */
export async function fetchPackages(
  packages: readonly LockedPackage[],
  { mirror, cache, signal }: { readonly mirror: string; readonly cache: string; readonly signal: AbortSignal },
): Promise<ReadonlyMap<LockedPackage, string>> {
  mkdirSync(cache, { recursive: true });
  const files = new Map<LockedPackage, string>();
  const waiting = [...packages];
  const fetchSome = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      files.set(next, await fetchOne(next, mirror, cache, signal));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fetchSome));
  return files;
}

async function fetchOne(wanted: LockedPackage, mirror: string, cache: string, signal: AbortSignal): Promise<string> {
  const file = join(cache, `${wanted.sha256}.deb`);
  // What a power cut left, or somebody put there, is fetched anew.
  if (existsSync(file) && digestOf(readFileSync(file)) === wanted.sha256) return file;
  const address = `${mirror}/${wanted.path}`;
  const answer = await fetch(address, { signal });
  if (!answer.ok)
    throw new ConfigError(
      'config.invalid',
      `${wanted.name} ${wanted.version}: ${answer.status} from ${address} (an archive keeps a version until the next: take another with --mirror, or make a new lock with "vestibule image lock")`,
    );
  const content = Buffer.from(await answer.arrayBuffer());
  if (digestOf(content) !== wanted.sha256) throw new ConfigError('config.invalid', `${address}: not the package that the lock names`);
  // Two builds may fetch beside each other.
  replaceFile(file, content, 0o644);
  return file;
}

const digestOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
