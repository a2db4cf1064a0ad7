/** The product as an image has it: this software's own rooms, and what the lockfile installs for the processor, without what runs elsewhere. */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, relative } from 'node:path';
import { ConfigError } from '../../protocol/errors.ts';
import { type Programs, runProgram } from './program.ts';
import { readTar } from './tar.ts';
import type { Tree } from './tree.ts';

/** Where it lies on a machine that has it as a package or in its image. */
export const HOME = 'opt/vestibule';

/** What a kiosk runs, and what tells about it. */
export const ROOMS = ['cli', 'kiosk', 'gateway', 'core', 'cards', 'protocol', 'disk', 'hardware', 'workshop'];
/** Beside the rooms. */
export const FILES = ['package.json', 'LICENSE', 'docs/technician.md', 'docs/operator.md', 'docs/errors.md'];
const ADDON = 'hardware/native';
const COMPILERS: Readonly<Record<Cpu, string>> = { arm64: 'g++-aarch64-linux-gnu', x64: 'g++-x86-64-linux-gnu' };

/** Beside the lockfile's packages: other processors' and systems' programs, and what only whoever builds a package reads. */
const unwantedFor = (cpu: Cpu): readonly RegExp[] => [
  new RegExp(String.raw`/(?:prebuilds|prebuilt)/(?!linux-${cpu}\b)[^/]+/`),
  new RegExp(String.raw`/prebuilds/(?:linux-${cpu}/[^/]*\bmusl\b|(?!linux-${cpu}\b)[^/]+\.node$)`),
  /\/node-linux-(?:arm64|x64)\/(?:include|share)\//,
  /\.(?:map|d\.ts|d\.cts|d\.mts|md|markdown|ts\.snap|gyp|gypi|c|cc|cpp|h|hpp|o|a)$/,
  // What npm noted of its own installation, by the settings of whoever ran it.
  /^\/\.package-lock\.json$/,
  /\/(?:test|tests|__tests__|example|examples|benchmark|benchmarks|\.github)\//,
];
/** A licence is kept, whatever it is called; so is what our own rooms are written in. */
const isWantedPackageFile = (path: string, unwanted: readonly RegExp[]): boolean =>
  /(?:licen[cs]e|notice|copying)[^/]*$/i.test(path) || !unwanted.some((pattern) => pattern.test(`/${path}`));

/** As Node and npm name them. */
export type Cpu = 'arm64' | 'x64';

export interface ProductOrder {
  readonly cpu: Cpu;
  readonly source: string;
  /** Packages that were installed stay here. */
  readonly cache: string;
  readonly programs: Pick<Programs, 'npm'>;
  readonly signal: AbortSignal;
}

/** Adds the product to a root. @throws ConfigError config.invalid where the native addon was not packed for the processor. */
export async function addProduct(root: Tree, { cpu, source, cache, programs, signal }: ProductOrder): Promise<void> {
  for (const room of ROOMS) {
    // What was compiled here is of this machine.
    addDirectory(
      root,
      join(source, room),
      `${HOME}/${room}`,
      withoutTypes,
      (path) => !/^native\/(?:build|built|prebuilt|build-tmp[^/]*)\//.test(path),
    );
  }
  for (const file of FILES) root.addFile(`${HOME}/${file}`, readFileSync(join(source, file)));
  await addAddon(root, source, cpu);
  const unwanted = unwantedFor(cpu);
  const packages = await installed(cpu, source, cache, programs, signal);
  const isWanted = (path: string): boolean => isWantedPackageFile(path, unwanted);
  addDirectory(root, join(packages, 'node_modules'), `${HOME}/node_modules`, (_, content) => content, isWanted);
}

/** @returns where they lie. No install script runs: each package brings what it has ready made. */
async function installed(cpu: Cpu, source: string, cache: string, programs: Pick<Programs, 'npm'>, signal: AbortSignal): Promise<string> {
  const lock = readFileSync(join(source, 'package-lock.json'));
  const directory = join(cache, `packages-${cpu}-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  // Of its own: two builds may run beside each other.
  const draft = mkdtempSync(`${directory}.draft-`);
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(source, file), join(draft, file));
  const args = ['ci', '--omit=dev', '--os', 'linux', '--cpu', cpu, '--libc', 'glibc', '--ignore-scripts', '--no-audit', '--no-fund'];
  await runProgram(programs.npm, args, { cwd: draft, signal });
  if (existsSync(directory)) rmSync(draft, { recursive: true });
  else renameSync(draft, directory);
  return directory;
}

/** Input events and I2C; packed by `npm run native:pack`. */
async function addAddon(root: Tree, source: string, cpu: Cpu): Promise<void> {
  const prebuilt = join(source, ADDON, 'prebuilt');
  const packed = existsSync(prebuilt)
    ? readdirSync(prebuilt, { recursive: true, encoding: 'utf8' }).find((file) => file.endsWith(`-${cpu}.tar.gz`))
    : undefined;
  if (packed === undefined)
    throw new ConfigError(
      'config.invalid',
      `the native addon is not packed for ${cpu}: sudo apt-get install ${COMPILERS[cpu]} make python3, then npm run native:pack -- ${cpu}`,
    );
  const { gunzipSync } = await import('node:zlib');
  for (const { path, type, content } of readTar(gunzipSync(readFileSync(join(prebuilt, packed))))) {
    if (type === 'file') root.addFile(`${HOME}/${ADDON}/built/napi-v8-linux-${cpu}/${path.split('/').slice(1).join('/')}`, content, 0o755);
  }
}

/** Blanks in place of types, so that lines and columns stay (files/root/usr/lib/vestibule/plain.mjs). */
function withoutTypes(path: string, content: Buffer): Uint8Array {
  return path.endsWith('.ts') && !path.endsWith('.d.ts') ? Buffer.from(stripTypeScriptTypes(content.toString())) : content;
}

type Change = (path: string, content: Buffer) => Uint8Array;

function addDirectory(root: Tree, from: string, to: string, change: Change, isWanted: (path: string) => boolean): void {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const path = relative(from, file);
    if (!isWanted(path)) continue;
    if (entry.isSymbolicLink()) root.addLink(`${to}/${path}`, readlinkSync(file));
    else if (entry.isFile())
      root.addFile(`${to}/${path}`, change(path, readFileSync(file)), (lstatSync(file).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
