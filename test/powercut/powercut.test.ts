/**
 * The power of a kiosk is cut while it promises: a virtual machine is killed, and its disk loses what it was not told to flush. In the end
 * everything that was promised is at the gateway, once, and no disk was taken for damaged. SIGKILL of a process can not show this: what it
 * has written stays with the kernel. `npm run test:powercut -- --full --seed N`.
 */
import t, { type Test } from 'tap';
import { auditRoad } from '../support/audit-road.ts';
import { needMachine } from '../support/guest/guest.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { brokenTree } from './broken-tree.ts';
import { type Life, PowerKiosk } from './power-kiosk.ts';

const { isFull, seed } = suiteSize();
const CUTS = isFull ? 20 : 4;

t.setTimeout(isFull ? 7_200_000 : 1_800_000);

const CUT_KINDS = ['all-lost', 'some-kept', 'all-kept', 'some-kept'] as const;

/** A third while the machine and the kiosk start, the others while scans are promised. */
function planLives(count: number, random: () => number): Life[] {
  return Array.from({ length: count }, (_, at) => ({
    moment:
      at % 3 === 2
        ? { afterMountMs: Math.floor(random() * 9_000) }
        : { afterPromises: 1 + Math.floor(random() * 80), andMs: Math.floor(random() * 60) },
    cut: CUT_KINDS[at % CUT_KINDS.length] ?? 'all-lost',
    isOnline: at % 2 === 1,
  }));
}

const machine = await needMachine();

/** Cuts the power once, and looks. @returns promises that are not on the disk any more. */
async function cutOnce(t: Test, kiosk: PowerKiosk, life: Life): Promise<string[]> {
  const { cached, lost } = await kiosk.liveAndDie(life);
  const disk = await kiosk.look();
  const kept = new Set(disk.rows.map(({ name }) => name));
  const gone = kiosk.promised.map(({ name }) => name).filter((name) => !kept.has(name));
  const when =
    'afterMountMs' in life.moment ? `${life.moment.afterMountMs} ms after mounting` : `after ${life.moment.afterPromises} promises`;
  t.comment(
    `cut ${when}, ${life.isOnline ? 'online' : 'offline'}, ${life.cut}: ${kiosk.promised.length} promised so far, ${lost} of ${cached} cached sectors lost, ${disk.rows.length} rows kept, ${gone.length} promises gone`,
  );
  t.equal(disk.fileSystem, '', 'the file system is sound once its journal is played back');
  t.equal(disk.integrity, 'ok', 'the outbox is sound');
  t.equal(disk.isTakenForDamage, false, 'what the power cut tore is not taken for damage');
  t.strictSame(disk.setAside, [], 'no outbox was set aside');
  return gone;
}

t.test(`power cut: ${CUTS} of them lose no promise, double nothing and leave the files sound (seed ${seed})`, async (t) => {
  const random = seededRandom(seed);
  const kiosk = await PowerKiosk.open({ machine, random });
  t.teardown(() => kiosk.destroy());
  for (const life of planLives(CUTS, random)) t.strictSame(await cutOnce(t, kiosk, life), [], 'nothing promised is gone');
  await kiosk.deliver();
  t.strictSame(kiosk.faults, [], 'every machine lived until its power was cut, and every card was welcome');
  const { rows, scans, quarantined } = await auditRoad(kiosk.venue.data);
  const cardOf = new Map(
    rows.flatMap(({ name, event }) => (event.type === 'check-in' ? [[name, Buffer.from(event.card).toString('hex')]] : [])),
  );
  const lost = kiosk.promised.filter(({ name, card }) => cardOf.get(name) !== card);
  t.strictSame(lost, [], `all ${kiosk.promised.length} promises are in the ledger, as scanned`);
  t.equal(new Set(rows.map(({ name }) => name)).size, rows.length, 'no row is in the ledger twice');
  t.equal(new Set(cardOf.values()).size, cardOf.size, 'no card counts twice in the ledger');
  t.strictSame(scans.map(({ name }) => name).toSorted(), [...cardOf.keys()].toSorted(), 'the core has every check-in of the ledger, once');
  t.equal(quarantined, 0, 'nothing is set aside');
  t.ok(kiosk.promised.length >= CUTS * 10, `there was something to lose: ${kiosk.promised.length}`);
});

t.test(`power cut: an outbox that does not sync loses promises (seed ${seed})`, async (t) => {
  const random = seededRandom(seed + 1);
  const tree = brokenTree(
    t.testdir(),
    'kiosk/outbox.ts',
    "openSqlite(path, { synchronous: 'FULL', maxPages: pages })",
    "openSqlite(path, { synchronous: 'NORMAL', maxPages: pages })",
  );
  const kiosk = await PowerKiosk.open({ machine, random, tree });
  t.teardown(() => kiosk.destroy());
  const gone = await cutOnce(t, kiosk, { moment: { afterPromises: 60, andMs: 0 }, cut: 'all-kept', isOnline: false });
  t.ok(gone.length > 0, `expected to lose: ${gone.length} of ${kiosk.promised.length} promises are gone`);
  t.strictSame(kiosk.faults, []);
});

if (isFull) {
  t.test(`power cut: a disk that says it has flushed, and has not, loses promises (seed ${seed})`, async (t) => {
    const random = seededRandom(seed + 2);
    const kiosk = await PowerKiosk.open({ machine, random, ignoresFlush: true });
    t.teardown(() => kiosk.destroy());
    await kiosk.liveAndDie({ moment: { afterPromises: 60, andMs: 0 }, cut: 'all-lost', isOnline: false });
    const disk = await kiosk.look();
    const kept = new Set(disk.rows.map(({ name }) => name));
    const gone = kiosk.promised.filter(({ name }) => !kept.has(name));
    t.ok(gone.length > 0, `expected to lose: ${gone.length} of ${kiosk.promised.length} promises are gone`);
  });
}
