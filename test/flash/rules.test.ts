/** What needs no disk: which disks are left alone and why, the line of progress, where a file lies in a FAT, what a batch is told. */

import t from 'tap';
import { FlashLines } from '../../cli/flash-lines.ts';
import { encodeSettings, SETTINGS_BYTES } from '../../workshop/flash/batch-settings.ts';
import { BLOCK_BYTES, blocksOf, lay } from '../../workshop/flash/blocks.ts';
import { diskLine, parseDisks, refusalOf } from '../../workshop/flash/disks.ts';
import { fileIn } from '../../workshop/flash/fat.ts';
import { Pace, timeText } from '../../workshop/flash/progress.ts';
import { ManualClock } from '../support/manual-clock.ts';
import fc from '../support/properties.ts';

const GIB = 2 ** 30;
const wanted = { needsBytes: 3 * GIB, mayLoop: false, isNamed: false };

/** As lsblk 2.38 writes it. */
function device(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const plain = { type: 'disk', size: 32 * GIB, rm: true, hotplug: true, ro: false, vendor: 'Generic ', model: 'SD/MMC', 'log-sec': 512 };
  return { name, ...plain, mountpoints: [null], ...more };
}
const inside = (name: string, mount: string | null, more: Record<string, unknown> = {}) =>
  device(name, { type: 'part', mountpoints: [mount], vendor: null, model: null, ...more });
const refusal = (one: Record<string, unknown>, more = {}, isCard = true) => {
  const [disk] = parseDisks(JSON.stringify({ blockdevices: [one] }), () => isCard);
  if (disk === undefined) return 'not a disk';
  const why = refusalOf(disk, { ...wanted, ...more });
  return why === undefined ? 'taken' : why.code;
};

t.test('disks: a card is taken, and what else is in a machine is left alone, each for its reason', async (t) => {
  const fixed = { rm: false, hotplug: false };
  const locked = inside('/dev/nvme0n1p3', null, {
    children: [inside('/dev/mapper/luks', null, { children: [inside('/dev/mapper/vg-root', '/')] })],
  });
  t.equal(refusal(device('/dev/sdb', { children: [inside('/dev/sdb1', null)] })), 'taken');
  t.equal(refusal(device('/dev/sdb', { rm: false })), 'taken', 'a USB disk');
  t.equal(refusal(device('/dev/sda', fixed)), 'flash.not_removable');
  t.equal(refusal(device('/dev/nvme0n1', { ...fixed, children: [locked] })), 'flash.system_disk', 'three layers down');
  t.equal(refusal(device('/dev/sdb', { children: [inside('/dev/sdb2', '/')] })), 'flash.system_disk', 'a machine that runs from a stick');
  t.equal(refusal(device('/dev/sdb', { children: [inside('/dev/sdb1', '[SWAP]')] })), 'flash.system_disk');
  t.equal(refusal(device('/dev/sdb', { children: [inside('/dev/sdb1', '/media/holiday')] })), 'flash.in_use');
  t.equal(refusal(device('/dev/sdb', { mountpoints: ['/mnt'] })), 'flash.in_use');
  t.equal(refusal(device('/dev/sdb', { ro: true })), 'flash.read_only');
  t.equal(refusal(device('/dev/sdb', { size: 2 * GIB })), 'flash.too_small');
  t.equal(refusal(device('/dev/sdb', { size: 2_000 * GIB })), 'flash.not_removable', 'somebody’s backups');
  t.equal(refusal(device('/dev/sdb', { size: 2_000 * GIB }), { isNamed: true }), 'taken');
  t.equal(refusal(device('/dev/mmcblk0', { rm: false })), 'taken', 'a card in a slot of the machine');
  t.equal(refusal(device('/dev/mmcblk1'), {}, false), 'flash.not_removable', 'an eMMC is soldered in');
  t.equal(refusal(device('/dev/mmcblk1boot0'), {}, false), 'not a disk');
  t.equal(refusal(device('/dev/sr0', { type: 'rom' })), 'not a disk');
  t.equal(refusal(device('/dev/sdc', { size: 0 })), 'not a disk', 'a reader without a card');
  t.equal(refusal(device('/dev/loop3', { ...fixed, type: 'loop' })), 'flash.not_removable');
  t.equal(refusal(device('/dev/loop3', { ...fixed, type: 'loop' }), { mayLoop: true }), 'taken');
  const [disk] = parseDisks(JSON.stringify({ blockdevices: [device('/dev/sdb')] }), () => false);
  t.equal(disk && diskLine(disk), '/dev/sdb  32.0 GiB  Generic SD/MMC');
  for (const text of ['', '{}', '{"blockdevices":[{"name":7}]}']) t.throws(() => parseDisks(text, () => false), { code: 'flash.no_tool' });
});

t.test('progress: share, rate and time left, of the last seconds; nothing is guessed in the first', async (t) => {
  const pace = new Pace();
  t.equal(pace.line(0, 100 * BLOCK_BYTES, 0), '  0 %  0 B of 100.0 MiB');
  t.equal(pace.line(20 * BLOCK_BYTES, 100 * BLOCK_BYTES, 1_000), ' 20 %  20.0 MiB of 100.0 MiB  20.0 MiB/s  0:04 left');
  t.equal(pace.line(25 * BLOCK_BYTES, 100 * BLOCK_BYTES, 11_000), ' 25 %  25.0 MiB of 100.0 MiB  512.0 KiB/s  2:30 left');
  t.equal(new Pace().line(7, undefined, 0), '       7 B');
  t.equal(timeText(3_723), '1:02:03');
});

t.test('progress: a terminal sees one line that is written over, a log a line every ten seconds', async (t) => {
  for (const isTTY of [true, false]) {
    const clock = new ManualClock();
    let shown = '';
    const lines = new FlashLines(clock, { isTTY, write: (text: string) => (shown += text) });
    lines.begin('/dev/sdb', undefined);
    for (let second = 0; second <= 20; second++) {
      lines.progress('writing', second * BLOCK_BYTES, 100 * BLOCK_BYTES);
      await clock.advance(1_000);
    }
    lines.tell('done');
    t.equal(shown.split('\n').length - 1, isTTY ? 1 : 4);
    t.equal(shown.split('\r\u001b[K').length - 1, isTTY ? 22 : 0);
    t.match(shown, '/dev/sdb  writing    20 %  20.0 MiB of 100.0 MiB  1.0 MiB/s  1:20 left');
  }
});

t.test('blocks: however a stream is cut, it gives the same blocks, with the settings laid over', async (t) => {
  const bytes = Buffer.alloc(2 * BLOCK_BYTES + 1_000, 0x11);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: BLOCK_BYTES + 5 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: bytes.length - 4_096 }),
      async (cuts, atBytes) => {
        const patch = { atBytes, bytes: new Uint8Array(4_096).fill(0x22) };
        const wantedBytes = Buffer.from(bytes);
        lay(patch, wantedBytes, 0);
        async function* chunks() {
          for (let at = 0, step = 0; at < bytes.length; step++) {
            const end = at + (cuts[step % cuts.length] ?? 1) + 20_000;
            yield bytes.subarray(at, end);
            at = end;
          }
        }
        const got: Buffer[] = [];
        for await (const block of blocksOf(chunks(), patch)) got.push(Buffer.from(block.bytes));
        t.ok(Buffer.concat(got).equals(wantedBytes) && got.length === 3);
      },
    ),
    { numRuns: 20 },
  );
});

t.test(
  'settings: a batch without any has none; faults are told at once; a passphrase becomes the key that IEEE 802.11 makes of it',
  async (t) => {
    t.equal(encodeSettings({}), undefined);
    const bytes = encodeSettings({ wifi: { ssid: 'IEEE', passphrase: 'password' }, country: 'DE' });
    t.equal(bytes?.length, SETTINGS_BYTES);
    // IEEE 802.11-2020, annex J.4.2, test vector 1.
    const psk = 'f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e';
    t.equal(
      Buffer.from(bytes ?? [])
        .toString()
        .trimEnd(),
      `country=DE\nnetwork={\n  ssid=49454545\n  psk=${psk}\n}`,
    );
    t.throws(() => encodeSettings({ wifi: { ssid: 'x'.repeat(33), passphrase: 'short' } }), {
      code: 'config.invalid',
      message: /32 bytes.*8 to 63.*needs --country/,
    });
  },
);

t.test('fat: bytes that are no file system hold no file, and nothing is read beyond them', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 4_096 }), fc.nat(8), (noise, sector) => {
      const disk = Buffer.alloc(8_192);
      disk.set(noise, 0);
      disk.writeUInt8(0x0e, 450);
      disk.writeUInt32LE(sector, 454);
      const place = fileIn(disk, 'WIFI~1.CON');
      t.ok(place === undefined || place.atBytes + place.lengthBytes <= disk.length);
    }),
    { numRuns: 200 },
  );
});
