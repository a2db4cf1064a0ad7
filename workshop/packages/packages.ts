/**
 * What the three packages are: the program, and a service each for the gateway and the kiosk. A removed package keeps what it wrote; a purged one
 * says what it destroys, and destroys that alone.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addProduct, type Cpu, HOME } from '../image/product.ts';
import type { Programs } from '../image/program.ts';
import { Tree } from '../image/tree.ts';
import { type DebPackage, makeDeb } from './deb.ts';

export interface PackageOrder {
  /** Of this software. */
  readonly source: string;
  readonly version: string;
  readonly cpu: Cpu;
  /** Of every file, in seconds. */
  readonly epochS: number;
  /** Installed packages of npm stay here. */
  readonly cache: string;
  readonly programs: Pick<Programs, 'npm'>;
  readonly signal: AbortSignal;
}

const ARCHITECTURES: Readonly<Record<Cpu, string>> = { x64: 'amd64', arm64: 'arm64' };
const FILES = join(import.meta.dirname, 'files');
const UNIT_DIR = 'usr/lib/systemd/system';
const ABOUT = { Maintainer: 'The Vestibule developers <maintainers@vestibule.invalid>', Section: 'net', Priority: 'optional' };
const UNPACKS = { 'Pre-Depends': 'dpkg (>= 1.21.18)' };

/** @returns each package, as a file's name and its bytes. @throws ConfigError `config.invalid` where the native addon was not packed. */
export async function makePackages(order: PackageOrder): Promise<{ readonly file: string; readonly bytes: Buffer }[]> {
  const { source, version, epochS } = order;
  const program = await programPackage(order);
  const gateway = servicePackage(source, version, 'gateway', {
    description: 'Anonymous check-in for venues: the gateway and its tracing core',
    recommends: 'systemd-timesyncd | time-daemon',
    conffile: 'gateway.json',
    owns: ['gateway', 'core', 'issuer', 'sample-cards.pdf'],
  });
  const kiosk = servicePackage(source, version, 'kiosk', {
    description: 'Anonymous check-in for venues: the kiosk at a door',
    recommends: 'systemd-timesyncd | time-daemon, udev',
    conffile: undefined,
    owns: ['kiosk'],
  });
  const modules = 'usr/lib/modules-load.d/vestibule.conf';
  kiosk.content.addFile(modules, readFileSync(join(source, 'workshop/image/files/root', modules)));
  kiosk.content.addFile('usr/lib/udev/rules.d/70-vestibule.rules', readFileSync(join(source, 'hardware/udev/70-vestibule.rules')));
  return [program, gateway, kiosk].map((deb) => makeDeb(deb, epochS));
}

async function programPackage(order: PackageOrder): Promise<DebPackage> {
  const content = new Tree();
  await addProduct(content, order);
  content.remove((path) => path === `${HOME}/LICENSE`);
  // What `vestibule --version` says is what dpkg says.
  const about = JSON.parse(readFileSync(join(order.source, 'package.json'), 'utf8')) as object;
  content.addFile(`${HOME}/package.json`, `${JSON.stringify({ ...about, version: order.version }, undefined, 2)}\n`);
  // By the Node that the lockfile pins, whatever Node the machine has.
  content.addFile(
    'usr/bin/vestibule',
    `#!/bin/sh\nexec /${HOME}/node_modules/node-linux-${order.cpu}/bin/node /${HOME}/cli/main.ts "$@"\n`,
    0o755,
  );
  content.addFile('usr/lib/sysusers.d/vestibule.conf', readFileSync(join(FILES, 'sysusers.conf')));
  content.addFile('usr/share/doc/vestibule/copyright', readFileSync(join(order.source, 'LICENSE')));
  return {
    name: 'vestibule',
    architecture: ARCHITECTURES[order.cpu],
    version: order.version,
    fields: {
      ...ABOUT,
      ...UNPACKS,
      Depends: 'libc6 (>= 2.31), libstdc++6, libgcc-s1, libudev1, systemd | systemd-standalone-sysusers',
      Description: 'Anonymous check-in for venues: the program and its Node',
    },
    scripts: { postinst: script('program.postinst', {}), postrm: script('program.postrm', {}) },
    conffiles: [],
    content,
  };
}

interface Service {
  readonly description: string;
  readonly recommends: string;
  readonly conffile: string | undefined;
  /** In /var/lib/vestibule: what a purge destroys. */
  readonly owns: readonly string[];
}

function servicePackage(source: string, version: string, kind: 'gateway' | 'kiosk', service: Service): DebPackage {
  const name = `vestibule-${kind}`;
  const content = new Tree();
  const unit = readFileSync(join(source, `docs/systemd/${name}.service`), 'utf8');
  content.addFile(
    `${UNIT_DIR}/${name}.service`,
    // A kiosk is started by the Node that came with it, through what keeps it small; `node` may be missing on the machine, or old.
    unit.replace(/^ExecStart=\/opt\/vestibule\/cli\/vestibule\.js/m, 'ExecStart=/usr/bin/vestibule'),
  );
  content.addFile(`usr/share/doc/${name}/copyright`, readFileSync(join(source, 'LICENSE')));
  const conffiles = service.conffile === undefined ? [] : [`/etc/vestibule/${service.conffile}`];
  for (const path of conffiles) content.addFile(path.slice(1), readFileSync(join(FILES, service.conffile ?? '')));
  const words = { NAME: name, OWNS: service.owns.join(' '), STARTS: kind === 'kiosk' ? 'yes' : 'no' };
  return {
    name,
    architecture: 'all',
    version,
    fields: {
      ...ABOUT,
      ...UNPACKS,
      Depends: `vestibule (= ${version})`,
      Recommends: service.recommends,
      Description: service.description,
    },
    scripts: {
      postinst: script('service.postinst', words),
      prerm: script('service.prerm', words),
      postrm: script('service.postrm', words),
    },
    conffiles,
    content,
  };
}

/** `@NAME@` and the like in a maintainer script. */
function script(file: string, words: Readonly<Record<string, string>>): string {
  const all: Readonly<Record<string, string>> = { GOES: readFileSync(join(FILES, 'user.postrm'), 'utf8').trimEnd(), ...words };
  return readFileSync(join(FILES, file), 'utf8').replaceAll(/@([A-Z]+)@/g, (_, word: string) => all[word] ?? '');
}
