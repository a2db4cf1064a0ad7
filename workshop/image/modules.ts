/** Which of a kernel's modules a kiosk has: those of the boards it runs on and of what is plugged into it, with all that they need. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Packing } from './file-systems.ts';
import { runProgram } from './program.ts';
import type { Tree } from './tree.ts';

/** Loaded before there is a root: card and disk, file systems, and the watchdog, which the first process looks for when it starts. */
const FIRST = [
  ...['bcm2835', 'sdhci_iproc', 'mmc_block', 'squashfs', 'ext4', 'crc32c_generic', 'vfat', 'nls_ascii', 'nls_cp437', 'bcm2835_wdt'],
  // The disk of a virtual machine.
  ...['virtio_pci', 'virtio_blk'],
];

/** Loaded when udev finds the device. */
const LATER = [
  // USB: the Pi's, a virtual machine's, and sticks.
  ...['dwc2', 'phy_generic', 'xhci_pci', 'usbhid', 'hid_generic', 'usb_storage', 'uas', 'sd_mod', 'exfat'],
  // What scanners, boards and thermometers come as, and clocks.
  ...['evdev', 'uhid', 'cdc_acm', 'ftdi_sio', 'cp210x', 'ch341', 'pl2303', 'usbserial', 'i2c_bcm2835', 'i2c_dev'],
  ...['rtc_ds1307', 'rtc_pcf8563', 'rtc_pcf85063', 'rtc_pcf8523'],
  // Networks.
  ...[
    'smsc95xx',
    'lan78xx',
    'genet',
    'bcm_phy_lib',
    'broadcom',
    'microchip',
    'smsc',
    'r8152',
    'asix',
    'ax88179_178a',
    'cdc_ether',
    'rndis_host',
  ],
  ...['brcmfmac', 'brcmfmac_wcc', 'brcmfmac_cyw', 'cfg80211', 'ccm', 'ctr', 'cmac', 'virtio_net'],
  // Bluetooth.
  ...['hci_uart', 'btusb', 'btbcm'],
  // Screens.
  ...['vc4', 'v3d', 'virtio_gpu'],
  // The board's own sensors, and a virtual machine's randomness and lines.
  ...['raspberrypi_hwmon', 'bcm2835_thermal', 'bcm2711_thermal', 'bcm2835_rng', 'iproc_rng200', 'raspberrypi_cpufreq', 'cpufreq_dt'],
  ...['virtio_console', 'virtio_rng'],
];

const MODULES = 'usr/lib/modules';

export interface Chosen {
  /** As `uname -r` says. */
  readonly release: string;
  /** What is loaded before there is a root, in this order. */
  readonly first: readonly Module[];
}

export interface Module {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * Puts the wanted modules into the root, unpacked, with the index that modprobe reads.
 * @param kernel the kernel's package; a name of which it has no module is built in, or not there, and passed over.
 */
export async function addModules(root: Tree, kernel: Tree, { programs, scratch, signal }: Packing): Promise<Chosen> {
  const files = new Map(
    kernel
      .entries()
      .filter(({ path }) => path.startsWith(`${MODULES}/`) && path.endsWith('.ko.xz'))
      .map(({ path, content }) => [nameOf(path), { path, content }]),
  );
  const release = [...files.values()][0]?.path.split('/')[3];
  if (release === undefined) throw new Error('a kernel without modules');
  const chosen = new Map<string, Module & { readonly path: string }>();
  const choose = async (name: string): Promise<void> => {
    const file = files.get(name);
    if (file === undefined || chosen.has(name)) return;
    const content = await runProgram(programs.xz, ['-dc'], { input: [file.content], signal });
    for (const other of needsOf(content)) await choose(other);
    chosen.set(name, { name: basename(file.path, '.xz'), content, path: file.path.replace(/\.xz$/, '') });
  };
  for (const name of FIRST) await choose(name);
  const first = [...chosen.values()];
  for (const name of LATER) await choose(name);

  const stage = mkdtempSync(join(scratch, 'modules-'));
  try {
    const place = join(stage, 'lib/modules', release);
    mkdirSync(place, { recursive: true });
    for (const list of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
      writeFileSync(join(place, list), kernel.file(`${MODULES}/${release}/${list}`));
    for (const { path, content } of chosen.values()) {
      const file = join(stage, path.slice('usr/'.length));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      root.addFile(path, content);
    }
    await runProgram(programs.depmod, ['-b', stage, release], { signal });
    for (const { name, parentPath } of readdirSync(place, { withFileTypes: true }).filter((entry) => entry.isFile()))
      root.addFile(`${MODULES}/${release}/${name}`, readFileSync(join(parentPath, name)));
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
  return { release, first: first.map(({ name, content }) => ({ name, content })) };
}

/** As a module says itself, in its section `.modinfo`: strings that end with zero. A soft dependency is loaded where it is there. */
function needsOf(module: Buffer): string[] {
  const value = (key: string): string => {
    const at = module.indexOf(`\0${key}=`);
    return at === -1 ? '' : module.toString('latin1', at + key.length + 2, module.indexOf(0, at + 1));
  };
  const soft = value('softdep').replaceAll(/\b(?:pre|post):/g, ' ');
  return [...value('depends').split(','), ...soft.split(' ')].filter((name) => name !== '').map((name) => name.replaceAll('-', '_'));
}

const nameOf = (path: string): string => basename(path, '.ko.xz').replaceAll('-', '_');
