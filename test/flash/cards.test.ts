/** `vestibule flash` against loop devices: real block devices of the kernel, opened past the page cache and for nobody else. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { codeOf } from '../../protocol/errors.ts';
import { encodeSettings } from '../../workshop/flash/batch-settings.ts';
import { openCard } from '../../workshop/flash/card.ts';
import type { Disk } from '../../workshop/flash/disks.ts';
import { examine } from '../../workshop/flash/examine.ts';
import { imageFile } from '../../workshop/flash/image.ts';
import { listDisks } from '../../workshop/flash/list-disks.ts';
import { writeCard } from '../../workshop/flash/write-card.ts';
import { VestibuleProcess } from '../support/child.ts';
import { readSheet } from '../support/read-sheet.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { until } from '../support/until.ts';
import { bytesAt, flipByte, holds, IMAGE_BYTES, isBlank, LoopSlot, MIB, makeCard, makeImage, run, systemDisk } from './bench.ts';

const { isFull, seed } = suiteSize();
const directory = t.testdir();
const image = makeImage(directory);
const never = new AbortController().signal;
const flash = (...args: string[]): Promise<string> => VestibuleProcess.run(['flash', ...args]);

function setUp(t: Test, sizeBytes?: number, dir = t.testdir()) {
  const card = makeCard(dir, 'card', sizeBytes);
  const slot = new LoopSlot(t, card);
  return { card, slot, onto: ['--disk', slot.path, '--loop-devices', '--yes'] };
}

async function diskAt(path: string): Promise<Disk> {
  const disk = (await listDisks()).find((one) => one.path === path);
  if (disk === undefined) throw new Error(`no ${path}`);
  return disk;
}

async function planOf(settings?: Uint8Array, file = image) {
  const plan = await examine(imageFile(file), settings, () => {}, never);
  if (plan === undefined) throw new Error('aborted');
  return plan;
}

t.test('flash: a card holds what the image says, and says so when it is asked again', async (t) => {
  const { card, onto } = setUp(t);
  t.match(await flash(image, ...onto), /writing +0 % {2}0 B of 24\.0 MiB[\s\S]*written and read back\. Take it out\./);
  t.ok(holds(card, image));
  t.match(await flash('check', image, ...onto.slice(0, 3)), /is as the image says, all 24\.0 MiB/);
  flipByte(card, 21_234_567);
  await t.rejects(flash('check', image, ...onto.slice(0, 3)), /differs from the image at byte 21234567 \(0x1440387\) \[flash\.differs\]/);
});

t.test('flash: an image may be packed in every usual way', async (t) => {
  const { digests } = await planOf();
  const packed = t.testdir();
  run('sh', '-c', `zstd -q -o ${packed}/one.zst ${image} && gzip -c -1 ${image} > ${packed}/one.gz`);
  run('sh', '-c', `xz -0 -c ${image} > ${packed}/one.xz && zip -q -1 -j ${packed}/one.zip ${image}`);
  // Packed in parts by several processors, as pigz, pzstd and xz do.
  run('sh', '-c', `split -n 3 ${image} ${packed}/part && for p in ${packed}/part*; do zstd -q $p; gzip -1 $p; done`);
  run('sh', '-c', `cat ${packed}/part*.zst > ${packed}/parts.zst && cat ${packed}/part*.gz > ${packed}/parts.gz`);
  for (const name of ['one.zst', 'one.gz', 'one.xz', 'one.zip', 'parts.zst', 'parts.gz'])
    t.strictSame((await planOf(undefined, join(packed, name))).digests, digests, name);
});

t.test('flash: one byte that flips on the card is found and named, and the card boots nothing', async (t) => {
  const { card, slot } = setUp(t);
  const plan = await planOf();
  const disk = await diskAt(slot.path);
  for (const at of [MIB, 17_000_001, IMAGE_BYTES - 413]) {
    const door = await openCard(slot.path, 'write');
    const flipping = writeCard(door, disk, plan, (stage, done) => stage === 'verifying' && done === MIB && flipByte(card, at), never);
    await t.rejects(flipping, { code: 'flash.differs', message: new RegExp(`at byte ${at} `) });
    await door.close();
    t.ok(isBlank(card), 'its first MiB was never written');
  }
});

t.test('flash: a card whose beginning reads back wrong boots nothing either', async (t) => {
  const { card, slot } = setUp(t);
  const plan = await planOf();
  const door = await openCard(slot.path, 'write');
  const keepingOther = {
    ...door,
    flush: async () => {
      await door.flush();
      if (!isBlank(card)) flipByte(card, 1_000);
    },
  };
  const writing = writeCard(keepingOther, await diskAt(slot.path), plan, () => {}, never);
  await t.rejects(writing, { code: 'flash.differs', message: /at byte 1000 / });
  await door.close();
  t.ok(isBlank(card));
});

t.test('flash: Ctrl-C leaves a card that is done, or one that is blank at its beginning, and is no fault of the image', async (t) => {
  const { card, slot } = setUp(t);
  const plan = await planOf();
  const disk = await diskAt(slot.path);
  const door = await openCard(slot.path, 'write');
  const late = new AbortController();
  const stopping = {
    ...door,
    write: async (from: Uint8Array, at: number) => {
      await door.write(from, at);
      if (!isBlank(card)) late.abort();
    },
  };
  t.equal(await writeCard(stopping, disk, plan, () => {}, late.signal), true, 'all of it was there when it came');
  t.ok(holds(card, image));

  const early = new AbortController();
  const unpacking = {
    ...plan.image,
    // As a program that unpacks ends: within a MiB.
    open: async function* (signal: AbortSignal) {
      for await (const chunk of plan.image.open(signal)) {
        yield chunk.subarray(0, chunk.length / 2);
        return early.abort();
      }
    },
  };
  t.equal(await writeCard(door, disk, { ...plan, image: unpacking }, () => {}, early.signal), false);
  t.ok(isBlank(card));
  await door.close();
});

t.test('flash: a card whose writer was killed half way boots nothing, and the next start does it from the beginning', async (t) => {
  const dir = t.testdir();
  const large = makeImage(dir, 360 * MIB);
  const { card, onto } = setUp(t, 400 * MIB, dir);
  const writer = new VestibuleProcess(['flash', large, ...onto]);
  await until(() => bytesAt(card, 60 * MIB, 1)[0] !== 0);
  t.equal(await writer.end('SIGKILL'), 'SIGKILL');
  t.equal(bytesAt(card, 380 * MIB, 1)[0], 0, 'it was not done');
  t.ok(isBlank(card));

  const asked = new VestibuleProcess(['flash', large, ...onto]);
  truncateSync(card, 32 * MIB);
  truncateSync(card, 400 * MIB);
  await until(() => bytesAt(card, 60 * MIB, 1)[0] !== 0);
  t.equal(await asked.end('SIGINT'), 130);
  t.match(asked.written, /Stopped\. \/dev\/loop\d+ is blank at its beginning and boots nothing: flash it again\./);
  t.ok(isBlank(card));

  await flash(large, ...onto);
  t.ok(holds(card, large, IMAGE_BYTES + 360 * MIB - 412));
});

t.test('flash: cut anywhere, a card has no boot record unless all of it was read back', async (t) => {
  const { card, slot } = setUp(t);
  const plan = await planOf();
  const disk = await diskAt(slot.path);
  const random = seededRandom(seed);
  for (let round = 0; round < (isFull ? 200 : 12); round++) {
    const door = await openCard(slot.path, 'write');
    // Cut at the very first, nothing is touched: it is what the round before left.
    let left = 1 + Math.floor(random() * 29);
    const cut = () => {
      left -= 1;
      if (left < 0) throw new Error('cut');
    };
    const cuttable = {
      ...door,
      write: async (from: Uint8Array, at: number) => {
        cut();
        await door.write(from, at);
      },
    };
    const isDone = await writeCard(cuttable, disk, plan, () => {}, never).catch(() => false);
    await door.close();
    t.equal(isDone ? holds(card, image) : isBlank(card) || bytesAt(card, 0, 1)[0] === 0xee, true, `round ${round}, seed ${seed}`);
    if (!isDone) t.notMatch(bytesAt(card, 510, 2).toString('hex'), '55aa');
  }
});

t.test('flash: what is no free card is refused by name, and not touched', async (t) => {
  const { card, slot, onto } = setUp(t);
  const before = createHash('sha256').update(readFileSync(card)).digest('hex');
  await t.rejects(flash(image, '--disk', slot.path, '--yes'), /flash\.not_removable/);
  await t.rejects(flash(image, '--disk', '/dev/nothing', '--yes'), /flash\.no_disk/);
  await t.rejects(flash(image, ...onto.slice(0, 3)), /--yes asks nothing.*config\.invalid/);
  await t.rejects(flash(join(directory, 'nothing.img'), ...onto), /nothing\.img: is not there \[flash\.bad_image\]/);
  const text = join(directory, 'letter.txt');
  writeFileSync(text, 'Dear technician,\n'.repeat(100));
  await t.rejects(flash(text, ...onto), /no image of a disk.*flash\.bad_image/);
  const cutOff = join(directory, 'cut.gz');
  run('sh', '-c', `gzip -c -1 ${image} | head -c 100000 > ${cutOff}`);
  await t.rejects(flash(cutOff, ...onto), /is damaged or cut off \[flash\.bad_image\]/);
  t.equal(createHash('sha256').update(readFileSync(card)).digest('hex'), before);
  const small = setUp(t, 8 * MIB, directory);
  await t.rejects(flash(image, ...small.onto), /holds 8\.0 MiB, and the image needs 24\.0 MiB \[flash\.too_small\]/);
  const system = systemDisk();
  if (system !== undefined) await t.rejects(flash(image, '--disk', system, '--yes'), /this machine runs from it \[flash\.system_disk\]/);
});

t.test('flash: a mounted card is refused, by what is known of it and by the kernel', async (t) => {
  const dir = t.testdir();
  const { slot, onto } = setUp(t, undefined, dir);
  const where = join(dir, 'mounted');
  mkdirSync(where);
  run('mkfs.ext4', '-q', slot.path);
  run('mount', slot.path, where);
  t.teardown(() => run('umount', where));
  await t.rejects(flash(image, ...onto), new RegExp(`is mounted at ${where} \\(umount .*flash\\.in_use`));
  t.equal(codeOf(await openCard(slot.path, 'write').catch((error: unknown) => error)), 'flash.in_use');
});

t.test('flash: three cards in a row, each with a label of its own that makes one kiosk', async (t) => {
  const dir = t.testdir();
  const data = join(dir, 'data');
  const labels = join(dir, 'labels.pdf');
  const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, '--tls-port', '0', '--tcp-port', '0', '--web-port', '0']);
  await gateway.line((line) => line.startsWith('gateway ready'));
  await gateway.end('SIGTERM');
  await VestibuleProcess.run(['venue', 'add', '--name', 'Town library', '--data', data]);
  const cards = [1, 2, 3].map((number) => makeCard(dir, `card${number}`));
  const slot = new LoopSlot(t, cards[0] ?? '');
  const onto = ['--disk', slot.path, '--loop-devices', '--yes', '--count', '3'];
  const labelled = ['--labels', labels, '--venue', 'Town library', '--direction', 'both', '--data', data];
  const batch = new VestibuleProcess(['flash', image, ...onto, ...labelled]);
  for (const [at, card] of cards.entries()) {
    t.match(await batch.line((line) => line.startsWith(`Card ${at + 1} of 3: written and read back`)), `Its label is No. ${at + 1}.`);
    t.ok(holds(card, image));
    if (at === 2) break;
    await batch.line((line) => line === `Card ${at + 2} of 3: put it in.`);
    slot.takeOut();
    slot.putIn(cards[at + 1] ?? '');
  }
  t.equal(await batch.ended(), 0);
  t.match(batch.written, /3 of 3 done, 0 failed\./);
  const codes = (await readSheet(readFileSync(labels))).map(({ text }) => text);
  t.equal(new Set(codes).size, 3);
  t.ok(codes.every((code) => code.startsWith('V') && !batch.written.includes(code)));
  t.equal((await VestibuleProcess.run(['enrol', 'list', '--data', data])).match(/open until/g)?.length, 3);
  const given = JSON.parse(await VestibuleProcess.run(['enrol', 'list', '--json', '--data', data])) as { direction?: string }[];
  t.strictSame(
    given.map(({ direction }) => direction),
    ['both', 'both', 'both'],
    'for the doors that were named',
  );
});

t.test('flash: a disk larger than any card that is put where a card was is nobody’s wish, also where that card was named', async (t) => {
  const dir = t.testdir();
  const cards = [1, 2].map((number) => makeCard(dir, `card${number}`));
  const backups = makeCard(dir, 'backups', 300 * 1_024 * MIB);
  const slot = new LoopSlot(t, cards[0] ?? '');
  const batch = new VestibuleProcess(['flash', image, '--disk', slot.path, '--loop-devices', '--yes', '--count', '2']);
  for (const [put, line] of [
    [backups, /^Card 2 of 2: .* is more than any kiosk's card/],
    [cards[1], /^Card 2 of 2: written and read back/],
  ] as const) {
    await batch.line((said) => said === 'Card 2 of 2: put it in.');
    slot.takeOut();
    slot.putIn(put ?? '');
    await batch.line((said) => line.test(said));
  }
  t.equal(await batch.ended(), 0);
  t.equal(bytesAt(backups, 0, 1)[0], 0xee, 'not touched');
});

t.test('flash: Wi-Fi and region of a batch are on its cards and nowhere else', async (t) => {
  const { card, onto } = setUp(t);
  const before = createHash('sha256').update(readFileSync(image)).digest('hex');
  const options = ['--wifi', 'Town library', '--country', 'DE'];
  const said = await VestibuleProcess.run(['flash', image, ...onto, ...options], 'correct horse\n');
  const written = run('mtype', '-i', `${card}@@4M`, '::wifi.conf');
  t.match(written, /^country=DE\nnetwork=\{\n {2}ssid=546f776e206c696272617279\n {2}psk=[0-9a-f]{64}\n\}$/);
  t.notMatch(said, /correct horse/);
  t.equal(readFileSync(card).indexOf('correct horse'), -1);
  t.equal(createHash('sha256').update(readFileSync(image)).digest('hex'), before, 'the image is as it was');
  t.match(await flash('check', image, ...onto.slice(0, 3)), /is as the image says/);
  const plain = join(directory, 'plain.img');
  run('sh', '-c', `cp ${image} ${plain} && mdel -i ${plain}@@4M ::wifi.conf`);
  await t.rejects(flash(plain, ...onto, '--country', 'DE'), /flash\.no_settings/);
  t.equal((await planOf(encodeSettings({ country: 'DE' }))).patch?.bytes.length, 4_096);
});
