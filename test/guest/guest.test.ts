/**
 * The kiosk with a kernel under it: every device it reads is one of the kernel's own drivers, and what it promises is counted at a gateway on
 * this machine. `npm run test:guest -- --full`: more scans, and then each driver is broken, to see that its section finds it.
 */
import t, { type Test } from 'tap';
import { boardFirmware } from '../board/firmware.ts';
import { brokenTree } from '../powercut/broken-tree.ts';
import { auditRoad } from '../support/audit-road.ts';
import { type Machine, needMachine } from '../support/guest/guest.ts';
import { suiteSize } from '../support/suite-size.ts';
import { BoardOnWire } from './board-on-wire.ts';
import { BREAKS } from './breaks.ts';
import { type Answer, GuestKiosk } from './guest-kiosk.ts';
import { type Bench, FOREHEADS, SECTIONS, type SectionName, type Sizes } from './sections.ts';
import { ALWAYS_THERE, OPENED, SCANNERS, type ScannerKind } from './settings.ts';

const { isFull } = suiteSize();
const SIZES: Sizes = { scans: isFull ? 400 : 100, typed: 5, strangers: 100, visits: 3, advertisements: 500 };
const SMALL: Sizes = { scans: 2, typed: 1, strangers: 2, visits: 1, advertisements: 50 };
/** For a broken driver to do what it should; a whole one takes a few seconds. */
const BROKEN_PATIENCE_MS = 60_000;

t.setTimeout(isFull ? 7_200_000 : 1_800_000);

const machine = await needMachine();
const firmware = boardFirmware();

async function benchOf(t: Test, machine: Machine, tree?: string): Promise<Bench> {
  const kiosk = await GuestKiosk.boot(machine, tree);
  t.teardown(() => kiosk.destroy());
  const plugBoard = async () => {
    const board = new BoardOnWire(firmware, (bytes) => kiosk.guest.write('board', bytes));
    t.teardown(() => board.end());
    kiosk.guest.onBytes('board', (bytes) => board.receive(bytes));
    await kiosk.guest.qmp.execute('device_add', { driver: 'usb-serial', id: 'board', chardev: 'board', serial: 'board' });
    return board;
  };
  return { kiosk, plugBoard };
}

t.test('guest: a kiosk reads every kind of device through the kernel, and all arrives at the gateway, once', async (t) => {
  const startedMs = performance.now();
  const lap = (what: string) => t.comment(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s: ${what}`);
  const bench = await benchOf(t, machine);
  const { kiosk } = bench;
  await kiosk.untilOpened(OPENED);
  await kiosk.untilDevices(ALWAYS_THERE, true);
  lap(`the kiosk has ${kiosk.opened.join(', ')}`);
  for (const name of Object.keys(SECTIONS) as SectionName[]) {
    const more = await SECTIONS[name](bench, SIZES);
    lap(typeof more === 'string' ? `${name}: ${more}` : name);
  }
  t.strictSame(await kiosk.end(), { how: 'ended', status: 0 }, 'the kiosk ends in order');
  lap('ended');

  const { rows, scans, quarantined } = await auditRoad(kiosk.venue.data);
  const checkIns = rows.flatMap(({ name, event }) =>
    event.type === 'check-in' ? [{ name, card: Buffer.from(event.card).toString('hex') }] : [],
  );
  const answerOf = new Map(kiosk.answers.map((answer) => [answer.name, answer]));
  for (const kind of Object.keys(SCANNERS) as ScannerKind[]) {
    const wanted = [...kiosk.scanned.values()].filter((scanned) => scanned.kind === kind);
    const arrived = wanted.map(({ card, sentAtMs = Number.NaN }) => {
      const found = checkIns.filter((checkIn) => checkIn.card === card);
      const answer = answerOf.get(found[0]?.name ?? '');
      return { times: found.length, ms: answer === undefined ? Number.NaN : waitOf(kind, answer, sentAtMs) };
    });
    const count = arrived.filter(({ times }) => times > 0).length;
    t.comment(`${kind}: ${count} of ${wanted.length} arrived; scan to promise ${spread(arrived.map(({ ms }) => ms))}`);
    t.ok(
      wanted.length >= (kind === 'keyboard-usb' ? SIZES.typed : SIZES.scans) && arrived.every(({ times }) => times === 1),
      `${kind}: ${wanted.length} codes, each once`,
    );
    t.ok(
      arrived.every(({ ms }) => Number.isFinite(ms)),
      `${kind}: each was answered for at the door`,
    );
  }
  t.comment(`keyboard-usb: ${kiosk.strangers} of ${SIZES.strangers} short codes were answered for as none of ours`);
  t.equal(kiosk.strangers, SIZES.strangers, `keyboard-usb: ${SIZES.strangers} short codes, one answer each`);
  t.equal(checkIns.length, kiosk.scanned.size, 'nothing else was taken for a card');
  t.strictSame(scans.length, checkIns.length, 'the core has them all');
  t.equal(quarantined, 0, 'nothing is set aside');

  const readings = rows.flatMap(({ event }) => (event.type === 'temperature' ? [event.objectRaw] : []));
  for (const [name, forehead] of Object.entries(FOREHEADS)) {
    const count = readings.filter((reading) => reading === forehead).length;
    t.comment(`${name}: ${count} readings of ${SIZES.visits} visitors arrived`);
    t.equal(count, SIZES.visits, `${name}: a reading of each visitor, as the sensor has it`);
  }
  t.equal(readings.length, SIZES.visits * Object.keys(FOREHEADS).length, 'no other reading');
});

if (isFull) {
  for (const { driver, section, file, right, wrong } of BREAKS) {
    t.test(`guest: ${driver} broken: its section fails, the others do not`, async (t) => {
      const bench = await benchOf(t, machine, brokenTree(t.testdir(), file, right, wrong));
      await bench.kiosk.untilOpened(OPENED);
      await bench.kiosk.untilDevices(ALWAYS_THERE, true);
      await SECTIONS[section === 'hid-pos' ? 'serial-ftdi' : 'hid-pos'](bench, SMALL);
      bench.kiosk.patienceMs = BROKEN_PATIENCE_MS;
      const failed = await SECTIONS[section](bench, SMALL).then(
        () => undefined,
        (error: Error) => error.message.split('\n')[0],
      );
      t.comment(`${driver}, ${file} with ${wrong === '' ? 'nothing' : wrong}: ${failed ?? 'nothing was noticed'}`);
      t.ok(failed, `${section} fails`);
    });
  }
}

/** Of the clock of whoever handed the code over. */
const waitOf = (kind: ScannerKind, { hostMs, guestMs }: Answer, sentAtMs: number): number =>
  (SCANNERS[kind] === 'agent' ? guestMs : hostMs) - sentAtMs;

function spread(times: readonly number[]): string {
  const inOrder = times.filter(Number.isFinite).toSorted((a, b) => a - b);
  const at = (part: number): string => (inOrder[Math.min(inOrder.length - 1, Math.floor(inOrder.length * part))] ?? Number.NaN).toFixed(0);
  return `p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}
