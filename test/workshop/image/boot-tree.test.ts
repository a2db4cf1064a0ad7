import t from 'tap';
import { autobootText, bootTree, configTree } from '../../../workshop/image/boot-tree.ts';
import { Tree } from '../../../workshop/image/tree.ts';
import { settingsIn } from '../../support/card/firmware.ts';

function packages(): { readonly firmware: Tree; readonly kernel: Tree } {
  const firmware = new Tree();
  for (const name of ['bootcode.bin', 'start.elf', 'fixup.dat', 'start4.elf', 'fixup4.dat'])
    firmware.addFile(`usr/lib/raspi-firmware/${name}`, name);
  const kernel = new Tree();
  for (const board of ['bcm2837-rpi-3-b', 'bcm2711-rpi-4-b', 'bcm2712-rpi-5-b'])
    kernel.addFile(`usr/lib/linux-image-6/broadcom/${board}.dtb`, board);
  kernel.addFile('boot/vmlinuz-6', 'kernel');
  return { firmware, kernel };
}

t.test('boot: autoboot.txt starts its slot, and the other one when it is tried, in one sector', async (t) => {
  for (const [slot, own, other] of [
    ['a', '2', '3'],
    ['b', '3', '2'],
  ] as const) {
    const text = autobootText(slot);
    t.equal(Buffer.byteLength(text), 512);
    t.equal(settingsIn(text, { tryboot: false }).get('boot_partition'), own);
    t.equal(settingsIn(text, { tryboot: true }).get('boot_partition'), other);
    t.equal(settingsIn(text, {}).get('tryboot_a_b'), '1');
  }
});

t.test('boot: one partition for both slots knows by its number which it is', async (t) => {
  const { firmware, kernel } = packages();
  const boot = bootTree(firmware, kernel, Buffer.from('initrd'));
  const config = Buffer.from(boot.file('config.txt')).toString();
  for (const [number, slot] of [
    ['2', 'a'],
    ['3', 'b'],
  ] as const) {
    const name = settingsIn(config, { boot_partition: number }).get('cmdline') ?? '';
    t.match(Buffer.from(boot.file(name)).toString(), new RegExp(`vestibule\\.slot=${slot}\\n$`));
  }
  t.notMatch(Buffer.from(boot.file('cmdline.txt')).toString(), /slot/, 'a firmware that does not know the filter names none');
  t.strictSame(
    boot.entries().flatMap(({ path }) => (path.endsWith('.dtb') ? [path] : [])),
    ['bcm2711-rpi-4-b.dtb', 'bcm2837-rpi-3-b.dtb'],
    'the boards that it runs on',
  );
});

t.test('boot: the first partition has what a Pi 3 looks for, and what names the slot', async (t) => {
  t.strictSame(
    configTree(packages().firmware)
      .entries()
      .map(({ path }) => path),
    ['autoboot.txt', 'bootcode.bin', 'wifi.conf'],
  );
});
