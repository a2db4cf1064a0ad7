/** Builds a kiosk's image: packages and product into a root, root and kernel into a slot, both into a card. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootTree, configTree } from './boot-tree.ts';
import { fillPartition, makeCard } from './card-file.ts';
import { type DebianLock, fetchPackages, type LockedPackage, type Screen } from './debian-lock.ts';
import { packData, packFat, packSquashfs } from './file-systems.ts';
import { makeInitrd } from './initrd.ts';
import { addKioskSettings } from './kiosk-settings.ts';
import { partitionNamed } from './layout.ts';
import { addModules } from './modules.ts';
import { UNPACKED } from './packages.ts';
import { addProduct } from './product.ts';
import { type Programs, runProgram } from './program.ts';
import { furnish, isWantedFirmware, isWantedInRoot } from './root-tree.ts';
import { makeSbom } from './sbom.ts';
import { imageParts, imageSbom, takeReleases } from './take-releases.ts';
import { readTar, type TarEntry } from './tar.ts';
import { Tree } from './tree.ts';

export interface ImageOrder {
  /** Of this software. */
  readonly source: string;
  readonly version: string;
  readonly screen: Screen;
  readonly lock: DebianLock;
  /** In PEM: whose releases its kiosks take; left out, they take none. */
  readonly releaseKey?: string;
  /** Of every file, in seconds. */
  readonly epochS: number;
  /** An archive of Debian: `http://deb.debian.org`. */
  readonly mirror: string;
  /** Downloads stay here, and may be deleted at any time. */
  readonly cache: string;
  /** The image; beside it `.parts` with what an update brings, and `.cdx.json`, what it is made of. */
  readonly out: string;
}

export interface ImageDoors {
  readonly programs: Programs;
  /** Told of each step. */
  readonly say: (step: string) => void;
}

export interface Image {
  readonly card: string;
  /** What a slot holds: whole partitions, the same for both slots. */
  readonly parts: { readonly boot: string; readonly root: string };
  readonly sbom: string;
}

export async function buildImage(order: ImageOrder, { programs, say }: ImageDoors, signal: AbortSignal): Promise<Image> {
  const { lock, screen, epochS, out, source, version } = order;
  const scratch = `${out}.parts`;
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const packing = { programs, epochS, scratch, signal };
  const wanted = lock.packages.filter((locked) => locked.screens.includes(screen));
  say(`${wanted.length} packages of Debian`);
  const files = await fetchPackages(wanted, { mirror: order.mirror, cache: join(order.cache, 'debian'), signal });
  const open = async (locked: LockedPackage): Promise<TarEntry[]> =>
    readTar(await runProgram(programs['dpkg-deb'], ['--fsys-tarfile', files.get(locked) ?? ''], { signal }));

  const root = new Tree();
  const apart = new Map<string, Tree>();
  for (const locked of wanted) {
    const kind = UNPACKED.find((name) => locked.name === name || (name === 'linux-image-arm64' && locked.name.startsWith('linux-image-')));
    if (kind === undefined) root.addArchive(await open(locked), isWantedInRoot);
    else {
      const tree = new Tree();
      tree.addArchive(await open(locked), () => true);
      apart.set(kind, tree);
      if (kind.startsWith('firmware-') || kind === 'wireless-regdb' || kind === 'raspi-firmware')
        root.addArchive(tree.entries(), isWantedFirmware);
    }
  }
  const partOf = (name: string): Tree => {
    const tree = apart.get(name);
    if (tree === undefined) throw new Error(`the lock has no ${name}`);
    return tree;
  };
  say('kernel');
  const kernel = partOf('linux-image-arm64');
  const modules = await addModules(root, kernel, packing);
  say('product');
  await addProduct(root, { cpu: 'arm64', source, cache: order.cache, programs, signal });
  furnish(root, { screen, version, source });
  if (order.releaseKey === undefined) say('no release key: its kiosks take no updates');
  addKioskSettings(root, {
    wifiStatePath: '/run/vestibule-wifi/state',
    // Nobody could open it: there is no browser, and it is on the kiosk's own address alone.
    ...(screen === 'none' && { page: { isOn: false } }),
    ...(order.releaseKey !== undefined && { updates: takeReleases(root, order.releaseKey) }),
  });
  const sbom = makeSbom({
    version,
    suite: lock.suite,
    epochS,
    debian: wanted,
    npmLock: JSON.parse(readFileSync(join(source, 'package-lock.json'), 'utf8')),
    isThere: (path) => root.has(`opt/vestibule/${path}/package.json`),
  });
  root.addFile('usr/share/vestibule/sbom.cdx.json', sbom);

  say('root');
  const parts = imageParts(out);
  await packSquashfs(root, parts.root, packing);
  say('boot');
  const initrd = makeInitrd(partOf('busybox-static').file('usr/bin/busybox'), modules.first, readFileSync(parts.root));
  const firmware = partOf('raspi-firmware');
  await packFat(bootTree(firmware, kernel, initrd), parts.boot, partitionNamed('boot-a'), '56455302', packing);
  const config = join(scratch, 'config.fat');
  await packFat(configTree(firmware), config, partitionNamed('config'), '56455301', packing);
  const data = join(scratch, 'data.ext4');
  await packData(data, partitionNamed('data'), packing);
  say('card');
  const draft = `${out}.draft`;
  makeCard(draft);
  fillPartition(draft, partitionNamed('config'), config);
  fillPartition(draft, partitionNamed('boot-a'), parts.boot);
  fillPartition(draft, partitionNamed('root-a'), parts.root);
  fillPartition(draft, partitionNamed('data'), data);
  for (const file of [config, data]) rmSync(file);
  renameSync(draft, out);
  writeFileSync(imageSbom(out), sbom);
  return { card: out, parts, sbom: imageSbom(out) };
}
