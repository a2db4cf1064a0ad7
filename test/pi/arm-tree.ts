/**
 * The product as a Raspberry Pi has it: this tree's sources, and what the lockfile installs for that processor. The packages lie in the cache
 * under the lockfile's digest; a change of the lockfile installs anew.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cached, needPrograms } from '../support/guest/debian.ts';
import { runCommand } from '../support/guest/run-command.ts';

const root = resolve(import.meta.dirname, '../..');
const ROOMS = ['cli', 'kiosk', 'gateway', 'core', 'cards', 'protocol', 'disk', 'hardware', 'test', 'package.json'];

export interface ArmTree {
  /** To be exported as `tree`. */
  readonly tree: string;
  /** To be exported as `packages`. */
  readonly packages: string;
}

/** No install script runs: each package brings what it has for arm64 ready made, or the test finds that it does not. */
export async function armTree(directory: string): Promise<ArmTree> {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const packages = await cached(`packages-arm64-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`, async (making) => {
    for (const file of ['package.json', 'package-lock.json']) cpSync(join(root, file), join(making, file));
    const install = ['ci', '--os', 'linux', '--cpu', 'arm64', '--ignore-scripts', '--no-audit', '--no-fund'];
    await runCommand('npm', install, { cwd: making, hint: 'npm needs its registry for the packages of the other processor.' });
  });
  const tree = join(directory, 'tree');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree);
  for (const room of ROOMS) cpSync(join(root, room), join(tree, room), { recursive: true });
  symlinkSync('/packages/node_modules', join(tree, 'node_modules'));
  await addAddon(tree);
  return { tree, packages };
}

const ADDON = 'hardware/native';

/** Packs the addon for that processor, as `npm run native:pack -- arm64` does, and has the tree hold what is in the package, and no other. */
async function addAddon(tree: string): Promise<void> {
  const { tar } = await needPrograms(['aarch64-linux-gnu-g++', 'make', 'python3', 'tar']);
  await runCommand(process.execPath, [join(root, ADDON, 'pack.js'), 'arm64']);
  const packages = join(root, ADDON, 'prebuilt');
  const [name = ''] = readdirSync(packages).filter((file) => file.endsWith('-arm64.tar.gz'));
  const built = join(tree, ADDON, 'built');
  rmSync(built, { recursive: true, force: true });
  const place = join(built, 'napi-v8-linux-arm64');
  mkdirSync(place, { recursive: true });
  await runCommand(tar, ['-xzf', join(packages, name), '-C', place, '--strip-components=1']);
}
