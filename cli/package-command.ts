/** `vestibule package`: builds the Debian packages. */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { replaceFile } from '../disk/files.ts';
import { readLock } from '../workshop/image/debian-lock.ts';
import type { Cpu } from '../workshop/image/product.ts';
import { makePackages } from '../workshop/packages/packages.ts';
import { untilStopped } from './stopping.ts';
import { VERSION } from './version.ts';

interface PackageOptions {
  readonly cpu: Cpu;
  readonly out: string;
  readonly cache: string;
  readonly release: string;
}

const source = resolve(import.meta.dirname, '..');
const HELP = `
Needs no root. The same sources and lockfile give the same bytes. Before the first time: npm run native:pack -- x64 (or arm64).
  sudo apt install ./dist/vestibule_${VERSION}_amd64.deb ./dist/vestibule-gateway_${VERSION}_all.deb`;

export function packageCommand(): Command {
  return new Command('package')
    .description('build Debian packages: the program, a gateway, a kiosk for other boards')
    .addOption(new Option('--cpu <cpu>', 'of the machine it is for').choices(['x64', 'arm64']).default(process.arch))
    .option('--out <dir>', 'where they are put', 'dist')
    .option('--cache <dir>', 'where downloads stay', join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vestibule-image'))
    .option('--release <version>', 'in place of that of package.json', VERSION)
    .addHelpText('after', HELP)
    .action(async ({ cpu, out, cache, release }: PackageOptions) => {
      const asked = process.env.SOURCE_DATE_EPOCH;
      const epochS = asked === undefined ? readLock(join(source, 'workshop/image/debian.lock.json')).epochS : Number(asked);
      const programs = { npm: 'npm' };
      const packages = await makePackages({ source, version: release, cpu, epochS, cache, programs, signal: untilStopped() });
      mkdirSync(out, { recursive: true });
      for (const { file, bytes } of packages) {
        replaceFile(join(out, file), bytes, 0o644);
        process.stdout.write(`${join(out, file)}  ${(bytes.length / 1_048_576).toFixed(1)} MiB\n`);
      }
    });
}
