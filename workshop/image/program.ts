/** The programs of this machine that an image is made with, and how they are run. Nothing needs root, and nothing is mounted. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import { ConfigError } from '../../protocol/errors.ts';

/** The Debian package that brings each. */
const PACKAGE_OF = {
  'dpkg-deb': 'dpkg',
  sqfstar: 'squashfs-tools',
  mformat: 'mtools',
  mcopy: 'mtools',
  mmd: 'mtools',
  mke2fs: 'e2fsprogs',
  depmod: 'kmod',
  xz: 'xz-utils',
  npm: 'npm',
} as const;

export type Program = keyof typeof PACKAGE_OF;

/** Where Debian keeps programs that only root has on its path. */
const ADMIN_PATHS = ['/usr/sbin', '/sbin'];

export type Programs = Readonly<Record<Program, string>>;

/**
 * @param path as in the environment. @returns where each program is.
 * @throws ConfigError config.invalid that names what to install.
 */
export function findPrograms(path: string): Programs {
  const directories = [...path.split(delimiter), ...ADMIN_PATHS];
  const isThere = (file: string): boolean => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  const names = Object.keys(PACKAGE_OF) as Program[];
  const found = names.map((name) => [name, directories.map((directory) => join(directory, name)).find(isThere)] as const);
  const missing = found.flatMap(([name, where]) => (where === undefined ? [name] : []));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((name) => PACKAGE_OF[name]))];
    throw new ConfigError('config.invalid', `missing: ${missing.join(', ')}. On Debian: sudo apt-get install ${packages.join(' ')}`);
  }
  return Object.fromEntries(found) as Programs;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Over the environment that there is. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its standard input; none when left out. */
  readonly input?: Iterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** @returns its standard output. @throws Error with the end of what it wrote when it fails. */
export async function runProgram(program: string, args: readonly string[], { cwd, env, input, signal }: RunOptions): Promise<Buffer> {
  const settings = Object.entries({ LC_ALL: 'C', TZ: 'UTC', ...env }).map(([name, value]) => `${name}=${value}`);
  const child = spawn('env', [...settings, program, ...args], {
    ...(cwd !== undefined && { cwd }),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    signal,
  });
  const out: Buffer[] = [];
  let complaints = '';
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk}`.slice(-2_000);
  });
  if (input !== undefined && child.stdin !== null) {
    // One that ends early says so by its status.
    child.stdin.on('error', () => {});
    Readable.from(input).pipe(child.stdin);
  }
  const status = await new Promise<number | string>((resolve, reject) => {
    child.once('error', (error) => reject(error));
    child.once('close', (code, killer) => resolve(code ?? killer ?? 'killed'));
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ').slice(0, 200)} ended with ${status}: ${complaints.trim()}`);
  return Buffer.concat(out);
}
