/**
 * The kiosk with a kernel under it: every device it reads is one of the kernel's own drivers, and what it promises is counted at a gateway on
 * this machine. `npm run test:guest -- --full`: more scans.
 */
import t from 'tap';
import { auditRoad } from '../support/audit-road.ts';
import { needMachine } from '../support/guest/guest.ts';
import { suiteSize } from '../support/suite-size.ts';
import { ALL_OPENED, type Answer, GuestKiosk, OPENED_WITHOUT_GADGET, SCANNERS, type ScannerKind } from './guest-kiosk.ts';

const { isFull } = suiteSize();
const SCANS = isFull ? 400 : 100;
/** QEMU's keyboard loses what it is not asked for in time: few codes, slowly, and nothing beside them. The gadget's keyboard waits to be asked. */
const TYPED = 3;
const VISITS = 5;
/** 35.61 °C and 22.01 °C in steps of 0.02 K. */
const FOREHEAD = { raw: 15_438, centiCelsius: 3_561 };
const ROOM = 14_758;
const ADVERTISEMENTS = 500;

t.setTimeout(900_000);

t.test('guest: a kiosk reads every kind of device through the kernel, and all arrives at the gateway, once', async (t) => {
  const startedMs = performance.now();
  const kiosk = await GuestKiosk.boot(await needMachine());
  t.teardown(() => kiosk.destroy());
  const lap = (what: string) => t.comment(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s: ${what}`);
  await kiosk.untilOpened(ALL_OPENED);
  lap(`the kiosk has ${kiosk.heard.findLast(({ opened }) => opened !== undefined)?.opened?.join(', ')}`);

  for (let code = 0; code < TYPED; code++) {
    await kiosk.scan('keyboard-usb', 1);
    await kiosk.untilAnswered();
  }
  lap('keyboard-usb');
  await kiosk.scan('serial-ftdi', SCANS);
  lap('serial-ftdi');
  await kiosk.scan('hid-pos', SCANS);
  lap('hid-pos');
  await kiosk.scan('keyboard-evdev', SCANS);
  lap('keyboard-evdev');
  await kiosk.scan('gadget-keyboard', SCANS);
  lap('gadget-keyboard');
  await kiosk.scan('gadget-hid', SCANS / 2);
  await kiosk.scan('gadget-serial', SCANS / 2);
  await kiosk.untilAnswered();
  kiosk.order({ order: 'plug', isIn: false });
  await kiosk.untilOpened(OPENED_WITHOUT_GADGET);
  lap('gadget unplugged');
  kiosk.order({ order: 'plug', isIn: true });
  await kiosk.untilOpened(ALL_OPENED);
  lap('gadget plugged in');
  await kiosk.scan('gadget-hid', SCANS / 2);
  await kiosk.scan('gadget-serial', SCANS / 2);
  lap('gadget');

  for (let visit = 1; visit <= VISITS; visit++) {
    await kiosk.scan('serial-ftdi', 1);
    await kiosk.untilAnswered();
    kiosk.order({ order: 'object', raw: FOREHEAD.raw });
    await kiosk.until(() => kiosk.refusals.filter((kind) => kind === 'thank-you').length >= visit);
    kiosk.order({ order: 'object', raw: ROOM });
  }
  lap('thermometer');
  kiosk.order({ order: 'advertise', count: ADVERTISEMENTS, perSecond: 100 });
  const { heard = 0 } = await kiosk.until((line) => line.heard !== undefined);
  lap('radio');
  await kiosk.untilAnswered();

  const ending = await kiosk.end();
  t.strictSame(ending, { how: 'ended', status: 0 }, 'the kiosk ends in order');
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
    t.comment(
      `${kind}: ${arrived.filter(({ times }) => times > 0).length} of ${wanted.length} arrived; scan to promise ${spread(arrived.map(({ ms }) => ms))}`,
    );
    t.ok(
      wanted.length >= (kind === 'keyboard-usb' ? TYPED : SCANS) && arrived.every(({ times }) => times === 1),
      `${kind}: ${wanted.length} codes, each once`,
    );
    t.ok(
      arrived.every(({ ms }) => Number.isFinite(ms)),
      `${kind}: each was answered for at the door`,
    );
  }
  t.equal(checkIns.length, kiosk.scanned.size, 'nothing else was taken for a card');
  t.strictSame(scans.length, checkIns.length, 'the core has them all');
  t.equal(quarantined, 0, 'nothing is set aside');
  t.strictSame(
    kiosk.refusals.filter((kind) => kind !== 'thank-you'),
    [],
    'nothing was turned away',
  );

  const readings = rows.flatMap(({ event }) => (event.type === 'temperature' ? [event.objectRaw] : []));
  t.comment(`infrared: ${readings.length} readings of ${VISITS} foreheads`);
  t.strictSame(
    readings,
    Array.from({ length: VISITS }, () => FOREHEAD.centiCelsius),
    'infrared: a reading for each forehead, as the sensor has it',
  );
  t.comment(`sniffer: heard ${heard} of ${ADVERTISEMENTS} advertisements`);
  t.ok(heard >= ADVERTISEMENTS * 0.9, 'sniffer: hears what the radio hears');
  t.equal(kiosk.heard.find((line) => line.typedForOthers !== undefined)?.typedForOthers, 0, 'keyboard-evdev: nobody else saw a key');
});

/** Of the clock of whoever handed the code over. */
const waitOf = (kind: ScannerKind, { hostMs, guestMs }: Answer, sentAtMs: number): number =>
  (SCANNERS[kind] === 'agent' ? guestMs : hostMs) - sentAtMs;

function spread(times: readonly number[]): string {
  const inOrder = times.filter(Number.isFinite).toSorted((a, b) => a - b);
  const at = (part: number): string => (inOrder[Math.min(inOrder.length - 1, Math.floor(inOrder.length * part))] ?? Number.NaN).toFixed(0);
  return `p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}
