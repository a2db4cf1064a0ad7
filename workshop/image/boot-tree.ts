/**
 * What the firmware reads: the partition that names the slot, and a slot's own, which is the same for both slots and finds out by its settings
 * which it is in.
 * Source: Raspberry Pi documentation, "autoboot.txt", "config.txt" (conditional filters `[tryboot]`, `[boot_partition=N]`), Debian's raspi-firmware.
 */
import { NO_SETTINGS } from '../flash/batch-settings.ts';
import type { Slot } from './layout.ts';
import { partitionNamed, SECTOR_BYTES } from './layout.ts';
import { Tree } from './tree.ts';

const FIRMWARE = 'usr/lib/raspi-firmware';

/** Boards that Debian's kernel runs on: Pi 3, 3+, Zero 2 W, Compute Module 3; Pi 4, 400, Compute Module 4. */
const BOARDS = /\/broadcom\/(bcm2837|bcm2711)-rpi-[^/]+\.dtb$/;

const bootNumber = (slot: Slot): number => partitionNamed(`boot-${slot}`).number;

/**
 * @returns `autoboot.txt` that starts a slot, and the other one where it is asked to, once. It fills one sector, so that writing it over another
 * in place leaves one or the other when the power goes.
 */
export function autobootText(slot: Slot): string {
  const other = slot === 'a' ? 'b' : 'a';
  const text = `[all]\ntryboot_a_b=1\nboot_partition=${bootNumber(slot)}\n[tryboot]\nboot_partition=${bootNumber(other)}\n`;
  return `${text}${'#'.repeat(SECTOR_BYTES - text.length - 1)}\n`;
}

const CONFIG = `# The same in both slots.
arm_64bit=1
upstream_kernel=1
os_prefix=
kernel=kernel.img
initramfs initrd.img followkernel
disable_splash=1
dtparam=watchdog=on
[boot_partition=${bootNumber('a')}]
cmdline=cmdline-a.txt
[boot_partition=${bootNumber('b')}]
cmdline=cmdline-b.txt
[all]
`;

/** Ten seconds after a panic the machine starts anew, and a slot that was on trial is left. */
const COMMAND_LINE =
  'console=tty1 quiet loglevel=3 vt.global_cursor_default=0 panic=10 oops=panic init_on_alloc=1 systemd.show_status=0 rd.systemd.show_status=0';

/** @returns the partition that every model's firmware looks at first. */
export function configTree(firmware: Tree): Tree {
  const tree = new Tree();
  // In the first place, so that it lies where the first file lies.
  tree.addFile('autoboot.txt', autobootText('a'));
  // For models without a boot loader of their own: it is looked for in the first partition alone.
  tree.addFile('bootcode.bin', firmware.file(`${FIRMWARE}/bootcode.bin`));
  // In one piece, to be filled on the way to a card (`vestibule flash --wifi`) or by hand.
  tree.addFile('wifi.conf', NO_SETTINGS);
  return tree;
}

export function bootTree(firmware: Tree, kernel: Tree, initrd: Uint8Array): Tree {
  const tree = new Tree();
  for (const name of ['bootcode.bin', 'start.elf', 'fixup.dat', 'start4.elf', 'fixup4.dat'])
    tree.addFile(name, firmware.file(`${FIRMWARE}/${name}`));
  for (const { path, content } of kernel.entries()) {
    if (BOARDS.test(path)) tree.addFile(path.slice(path.lastIndexOf('/') + 1), content);
    else if (path.startsWith('boot/vmlinuz-')) tree.addFile('kernel.img', content);
  }
  tree.addFile('initrd.img', initrd);
  tree.addFile('config.txt', CONFIG);
  // Where a firmware does not know the filter, the script that finds the root looks at both.
  tree.addFile('cmdline.txt', `${COMMAND_LINE}\n`);
  for (const slot of ['a', 'b']) tree.addFile(`cmdline-${slot}.txt`, `${COMMAND_LINE} vestibule.slot=${slot}\n`);
  return tree;
}
