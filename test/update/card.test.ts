/**
 * A card that takes releases from sticks: a power cut while it writes, the other slot started once by what the card's own bytes tell the firmware,
 * kept when a test event arrives; and, of the full size, one that does not start, after which it is what it was.
 */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { formatReleaseKey } from '../../protocol/release-key.ts';
import type { ReleaseVersion } from '../../protocol/release-version.ts';
import { OUR_WIRE } from '../../protocol/wire-revision.ts';
import { IMAGE_BOARD } from '../../workshop/image/take-releases.ts';
import { makeBundle } from '../../workshop/release/make-bundle.ts';
import { build, needBench, usableLock } from '../image/built.ts';
import { CardKiosk, TRYBOOT } from '../image/card-kiosk.ts';
import { auditRoad } from '../support/audit-road.ts';
import { needPrograms } from '../support/guest/debian.ts';
import { guestDirectory } from '../support/guest/guest.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';

const { isFull, seed } = suiteSize();
const BOOT_OF = { a: 2, b: 3 } as const;
const MIB = 1_048_576;
/** Of the guest's time: long enough for its start and a test event. */
const TRIAL_MS = 300_000;

t.setTimeout(7_200_000);
const startedMs = performance.now();
const lap = (t: Test, what: string) => t.comment(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s: ${what}`);

/** @returns a stick with one bundle on it. */
async function stickOf(bundle: string): Promise<string> {
  const { mcopy } = await needPrograms(['mcopy']);
  const stick = `${bundle}.stick`;
  const sectors = Math.ceil((statSync(bundle).size + 64 * MIB) / 512);
  await runCommand('mformat', ['-C', '-F', '-T', String(sectors), '-h', '64', '-s', '32', '-v', 'STICK', '-i', stick, '::']);
  await runCommand(mcopy, ['-i', stick, bundle, '::/']);
  return stick;
}

/** From a release that does not start: it is tried twice, and left for good. */
async function goesBack(t: Test, kiosk: CardKiosk, stick: string): Promise<void> {
  await kiosk.plugStick(stick);
  for (const which of ['first', 'second']) {
    t.match(await kiosk.restarts(), TRYBOOT, `the ${which} try of one that is no good`);
    await t.rejects(kiosk.start({ isTryboot: true }), /firmware/, 'where a Pi would stand still');
    lap(t, `the ${which} try did not start`);
    await kiosk.start();
    t.equal(kiosk.bootPartition, BOOT_OF.b, 'the next start is of the slot from before');
  }
  await kiosk.says(/release\.not_started/);
  await kiosk.ready();
  await kiosk.scan(1);
  await kiosk.delivered();
  lap(t, 'is back, and delivers');
}

t.test(`image: takes a release from a stick through a power cut, starts it by its firmware, and keeps it (seed ${seed})`, async (t) => {
  const directory = guestDirectory();
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const key = generateSigningKey();
  await needBench();
  const image = await build(
    join(directory, 'kiosk.img'),
    await usableLock((words) => t.comment(words)),
    'none',
    formatReleaseKey(rawPublicKey(key)),
  );
  lap(t, 'built');
  const bundle = async (version: ReleaseVersion, boot: string, root: string): Promise<string> => {
    const path = join(directory, `${version.join('.')}.vrelease`);
    const parts = [
      { name: 'boot', path: boot },
      { name: 'root', path: root },
    ];
    await makeBundle({ version, board: IMAGE_BOARD, wire: OUR_WIRE, parts }, key, path);
    return await stickOf(path);
  };
  const good = await bundle([90, 0, 0], image.parts.boot, image.parts.root);
  const nothing = join(directory, 'nothing');
  writeFileSync(nothing, Buffer.alloc(MIB, 1));
  const bad = await bundle([91, 0, 0], nothing, nothing);
  lap(t, 'two releases on sticks');

  const kiosk = await CardKiosk.open(image.card, seededRandom(seed));
  t.teardown(() => kiosk.destroy());
  const own = await runCommand('unsquashfs', ['-cat', image.parts.root, 'usr/lib/vestibule/kiosk.json']);
  const { updates } = JSON.parse(own) as { updates: object };
  kiosk.setUp({ updates: { ...updates, quietMs: 0, trialMs: TRIAL_MS } });
  await kiosk.start();
  t.equal(kiosk.bootPartition, BOOT_OF.a);
  await kiosk.ready();
  await kiosk.enrol('scanner');
  await kiosk.scan(1);
  await kiosk.delivered();
  lap(t, 'is a kiosk, of slot a');

  await kiosk.plugStick(good);
  await kiosk.says(/update\.taking/);
  lap(t, 'takes the release');
  await kiosk.scan(1);
  await kiosk.lives(5_000);
  const { cached, lost } = await kiosk.cut('some-kept');
  lap(t, `its power was cut while it wrote: ${lost} of ${cached} cached sectors lost`);
  await kiosk.start();
  t.equal(kiosk.bootPartition, BOOT_OF.a, 'a slot that is half written is not started from');
  await kiosk.ready();
  await kiosk.plugStick(good);
  t.match(await kiosk.restarts(), TRYBOOT, 'it asks for the other slot, once');
  lap(t, 'starts the release');
  await kiosk.start({ isTryboot: true });
  t.equal(kiosk.bootPartition, BOOT_OF.b);
  await kiosk.says(/update\.kept/);
  await kiosk.scan(1);
  await kiosk.delivered();
  lap(t, 'keeps it');
  await kiosk.cut('all-lost');
  await kiosk.start();
  t.equal(kiosk.bootPartition, BOOT_OF.b, 'what was kept lasts through a cut');
  await kiosk.ready();
  if (isFull) await goesBack(t, kiosk, bad);
  await kiosk.cut('all-kept');
  await kiosk.venue.close();
  const { rows } = await auditRoad(kiosk.venue.data);
  const names = rows.map(({ name }) => name);
  t.strictSame(
    kiosk.promised.filter(({ name }) => !names.includes(name)),
    [],
    'all that was promised is there',
  );
  t.equal(new Set(names).size, names.length, 'once each');
});
