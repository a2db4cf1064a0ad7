/** Debian's kernel for a guest, with its modules, unpacked into the cache; nothing of it is installed on this machine. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, needPrograms, unpackedPackages } from './debian.ts';
import { runCommand } from './run-command.ts';

export interface Kernel {
  readonly architecture: Architecture;
  /** As `uname -r` says. */
  readonly release: string;
  readonly image: string;
  /** `lib/modules/<release>`, with its index of dependencies. */
  readonly modules: string;
}

export async function fetchKernel(architecture: Architecture): Promise<Kernel> {
  const directory = await unpackedPackages(architecture, [`linux-image-${architecture}`], 'kernel');
  const release = readdirSync(join(directory, 'lib/modules'))[0] ?? '';
  const modules = join(directory, 'lib/modules', release);
  if (!readdirSync(modules).includes('modules.dep')) {
    const { depmod } = await needPrograms(['depmod']);
    await runCommand(depmod, ['-b', directory, release]);
  }
  return { architecture, release, image: join(directory, 'boot', `vmlinuz-${release}`), modules };
}

/** @returns the files of these modules and of all they need, in the order they are to be loaded in. A module built in has none. */
export function filesOfModules({ modules }: Kernel, names: readonly string[]): string[] {
  const needs = new Map<string, { readonly path: string; readonly before: readonly string[] }>();
  for (const line of readFileSync(join(modules, 'modules.dep'), 'utf8').split('\n')) {
    const [path = '', before = ''] = line.split(':');
    if (path !== '') needs.set(nameOf(path), { path, before: before.split(' ').filter((other) => other !== '') });
  }
  const builtIn = new Set(readFileSync(join(modules, 'modules.builtin'), 'utf8').split('\n').map(nameOf));
  const files: string[] = [];
  const add = (name: string): void => {
    const found = needs.get(name);
    if (found === undefined) {
      if (builtIn.has(name)) return;
      throw new Error(`the guest's kernel has no module ${name}`);
    }
    for (const other of found.before) add(nameOf(other));
    const file = join(modules, found.path);
    if (!files.includes(file)) files.push(file);
  };
  for (const name of names) add(name);
  return files;
}

/** The kernel writes either; `modules.dep` has file names. */
const nameOf = (path: string): string =>
  path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko$/, '')
    .replaceAll('-', '_');
