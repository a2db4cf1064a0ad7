/**
 * A machine becomes a kiosk by the code on its label, whoever dies when; and finds its way back by itself when its certificate has ended, its
 * clock is unset, or both. Real gateway, real kiosks, real files. A death here ends the process's work at a point, the files staying as they
 * were there; SIGKILL at the same points is in test/crash.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CERTIFICATE_DAYS } from '../../gateway/authority.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { type Kiosk, Registry } from '../../gateway/registry.ts';
import { encodeCode } from '../../protocol/code.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import type { Clock } from '../../protocol/time.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { deadlyLog, startWaitingKiosk, type WaitingKiosk } from '../kiosk/waiting-kiosk.ts';
import { openCuttableLink } from '../support/cuttable-link.ts';
import { DAY_MS, enrolmentCodeOf, giveCode, giveCodeInPlaceOf } from '../support/enrolling.ts';
import { until } from '../support/until.ts';
import { cardOf, Road } from './road.ts';

/** Where the kiosk's work can stop, in order. */
const KIOSK_POINTS = ['enrolment.code_kept', 'enrolment.answered', 'enrolment.papers_kept', 'enrolment.code_erased'];
const GATEWAY_POINTS = ['enrol.bound', 'enrol.admitted', 'enrol.done', 'enrol.kept'];

async function withRegistry<T>(road: Road, use: (registry: Registry) => T): Promise<T> {
  const { storeKey } = await openIdentity(road.gatewayDir);
  const registry = new Registry(gatewayPaths(road.gatewayDir).registry, storeKey);
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}

const kiosksOf = (road: Road): Promise<Kiosk[]> => withRegistry(road, (registry) => [...registry.kiosks()]);
const admittedTo = async (road: Road): Promise<KioskId[]> =>
  (await kiosksOf(road)).filter(({ revokedAtMs }) => revokedAtMs === undefined).map(({ kiosk }) => kiosk);

/** What runs, to be stopped before the test's directory goes, in the opposite order. */
const stops: (() => Promise<void>)[] = [];

function journey(title: string, run: (t: Test) => Promise<void>): void {
  t.test(title, async (t) => {
    try {
      await run(t);
    } finally {
      for (const stop of stops.splice(0).reverse()) await stop();
    }
  });
}

async function openRoad(t: Test): Promise<Road> {
  const road = await Road.open(t);
  stops.push(() => road.close());
  await withRegistry(road, (registry) => registry.putVenue({ id: road.venue, name: 'Shop', timezone: 'UTC' }));
  return road;
}

const codeFor = (road: Road) => giveCode(road.gatewayDir, { venue: road.venue, direction: 'both' }, road.clock.wall());

const certificateIn = (dir: string): string => JSON.parse(readFileSync(join(dir, 'enrolment.json'), 'utf8')).certificatePem;

/** A card is taken, and the gateway has it. */
async function serves(road: Road, name: string, kiosk: WaitingKiosk, card: number): Promise<void> {
  await kiosk.ready;
  const answer = await kiosk.scan(road.textOf(cardOf(card)));
  if (answer !== 'welcome') throw new Error(`not taken: ${answer}`);
  await road.delivered(name);
}

journey('enrolment: a kiosk without identity takes no card, then its code from its own scanner, then cards', async (t) => {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const kiosk = startWaitingKiosk(dir, { clock: road.clock });
  stops.push(() => kiosk.stop());
  await until(() => kiosk.said.includes('not-enrolled'));
  t.equal(await kiosk.scan(road.textOf(cardOf(1))), 'not-enrolled');
  t.equal(await kiosk.scan('4006381333931'), 'not-a-card');
  t.match(kiosk.shown.join(''), /NOT SET UP/);
  t.equal(await kiosk.scan((await codeFor(road)).text), 'enrolling');
  await serves(road, 'kiosk', kiosk, 1);
  t.match(kiosk.said.slice(-3), ['enrolling', 'enrolled', 'welcome']);
  t.equal(existsSync(join(dir, 'enrolment.code')), false, 'the code is erased');
  t.strictSame(await admittedTo(road), [(await kiosk.ready).kiosk]);
});

journey('enrolment: what is scanned while the gateway is asked is not lost, and a refused code leaves the kiosk waiting', async (t) => {
  const road = await openRoad(t);
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
  stops.push(() => kiosk.stop());
  const code = await codeFor(road);
  kiosk.type(encodeCode({ ...enrolmentCodeOf(code), secret: new Uint8Array(16) }));
  await until(() => kiosk.said.includes('enrol-refused'));
  t.match(kiosk.shown.join(''), /\(enrol\.unknown\)/);
  kiosk.type(code.text);
  await kiosk.ready;
  kiosk.type(road.textOf(cardOf(1)));
  await until(() => kiosk.said.includes('welcome'));
});

for (const point of KIOSK_POINTS) {
  journey(`enrolment: the kiosk dies at ${point}; started again it is a kiosk without being asked, and the only one`, async (t) => {
    const road = await openRoad(t);
    const { log, hasDied } = deadlyLog(point);
    const first = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock, log });
    first.type((await codeFor(road)).text);
    await t.rejects(first.ended, { message: `killed at ${point}` });
    t.ok(hasDied());
    const second = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
    stops.push(() => second.stop());
    await serves(road, 'kiosk', second, 1);
    t.strictSame(await admittedTo(road), [(await second.ready).kiosk]);
    t.equal(existsSync(join(road.dirOf('kiosk'), 'enrolment.code')), false);
  });
}

for (const point of GATEWAY_POINTS) {
  journey(`enrolment: the gateway dies at ${point}; started again it finishes the swap when the kiosk asks again`, async (t) => {
    const road = await openRoad(t);
    const old = startWaitingKiosk(road.dirOf('old'), { clock: road.clock });
    stops.push(() => old.stop());
    old.type((await codeFor(road)).text);
    const { kiosk: oldId } = await old.ready;
    await road.stopGateway();
    const { log, hasDied } = deadlyLog(point);
    await road.startGateway(log);
    const code = await giveCodeInPlaceOf(road.gatewayDir, oldId, road.clock.wall());
    const fresh = startWaitingKiosk(road.dirOf('fresh'), { clock: road.clock });
    stops.push(() => fresh.stop());
    fresh.type(code.text);
    await road.gatewayDied();
    t.ok(hasDied());
    await road.startGateway();
    await serves(road, 'fresh', fresh, 1);
    const { kiosk } = await fresh.ready;
    t.strictSame(await admittedTo(road), [kiosk], 'one kiosk at the door, and it is the new one');
    const entrances = new Set((await kiosksOf(road)).map(({ placement }) => placement.entrance));
    t.equal(entrances.size, 1, 'the entrance is the old one');
  });
}

journey('enrolment: the reply is lost, again and again; the kiosk gets the certificate that was issued the first time', async (t) => {
  const road = await openRoad(t);
  await road.stopGateway();
  let losses = 3;
  const link = await openCuttableLink(() => road.gateway.tlsPort);
  stops.push(() => link.close());
  const issued: string[] = [];
  const debug = (event: string) => {
    // All is done and nothing is said yet.
    if (event !== 'enrol.bound' || losses === 0) return;
    losses -= 1;
    link.cut();
    setImmediate(() => link.mend());
  };
  await road.startGateway({ ...silentLog, debug, info: (event) => void (event === 'certificate.issued' && issued.push(event)) });
  const code = { ...enrolmentCodeOf(await codeFor(road)), port: link.port };
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
  stops.push(() => kiosk.stop());
  kiosk.type(encodeCode(code));
  await serves(road, 'kiosk', kiosk, 1);
  t.equal(losses, 0);
  t.ok(kiosk.said.includes('enrol-unreached'), 'the technician is told meanwhile');
  t.equal(issued.length, 1);
  t.strictSame(await admittedTo(road), [(await kiosk.ready).kiosk]);
});

/** A kiosk that has enrolled, served a card and was switched off. */
async function switchedOff(road: Road): Promise<string> {
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
  kiosk.type((await codeFor(road)).text);
  await serves(road, 'kiosk', kiosk, 1);
  await kiosk.stop();
  return certificateIn(road.dirOf('kiosk'));
}

journey('return: a kiosk that was off past its certificate’s end comes back by itself', async (t) => {
  const road = await openRoad(t);
  const before = await switchedOff(road);
  road.clock.pass(2 * CERTIFICATE_DAYS * DAY_MS);
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock, isClockSynced: () => true });
  stops.push(() => kiosk.stop());
  await serves(road, 'kiosk', kiosk, 2);
  t.not(certificateIn(road.dirOf('kiosk')), before);
  await until(() => /online/.test(kiosk.shown.join('')));
});

/** A machine without a battery for its clock: 1970 and some minutes, at each boot. */
class UnsetClock implements Clock {
  readonly #clock: Clock;
  readonly monotonic: Clock['monotonic'];
  readonly sleep: Clock['sleep'];
  readonly after: Clock['after'];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.monotonic = () => clock.monotonic();
    this.sleep = clock.sleep;
    this.after = clock.after;
  }

  wall = (): EpochMillis => (this.#clock.monotonic() % DAY_MS) as EpochMillis;
}

journey('return: one whose clock is in 1970 and whose certificate has ended comes back, and knows the time from its gateway', async (t) => {
  const road = await openRoad(t);
  const before = await switchedOff(road);
  road.clock.pass(CERTIFICATE_DAYS * DAY_MS);
  const told: string[] = [];
  const log = { ...silentLog, info: (event: string) => void told.push(event) };
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: new UnsetClock(road.clock), isClockSynced: () => false, log });
  stops.push(() => kiosk.stop());
  await kiosk.ready;
  await until(() => told.includes('clock.told'));
  await serves(road, 'kiosk', kiosk, 2);
  t.not(certificateIn(road.dirOf('kiosk')), before);
  t.ok(told.includes('certificate.renewed'));
  const { scans, rows } = await road.audit();
  t.equal(scans.length, 1, 'the one before is past retention');
  const stamps = rows.filter(({ event }) => event.type === 'check-in').map(({ event }) => event.stamp);
  const last = stamps.at(-1);
  t.equal(last?.clock, 'assumed');
  t.ok(Math.abs((last?.wallMs ?? 0) - road.clock.wall()) < 60_000, 'the scan bears the gateway’s time');
});

journey('return: one with its clock in 1970 enrols', async (t) => {
  const road = await openRoad(t);
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: new UnsetClock(road.clock), isClockSynced: () => false });
  stops.push(() => kiosk.stop());
  kiosk.type((await codeFor(road)).text);
  await serves(road, 'kiosk', kiosk, 1);
});

journey('return: a kiosk that is online when its certificate ends goes on with another, and loses no scan', async (t) => {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const kiosk = startWaitingKiosk(dir, { clock: road.clock });
  stops.push(() => kiosk.stop());
  kiosk.type((await codeFor(road)).text);
  await serves(road, 'kiosk', kiosk, 1);
  const before = certificateIn(dir);
  road.clock.pass(CERTIFICATE_DAYS * DAY_MS);
  await until(() => certificateIn(dir) !== before);
  await serves(road, 'kiosk', kiosk, 2);
});

journey(
  'swap of a card: a kiosk from an older image starts a new epoch when the gateway tells it, and nothing is lost or counted twice',
  async (t) => {
    const road = await openRoad(t);
    await switchedOff(road);
    road.copy('kiosk', 'image');
    const later = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
    for (let card = 2; card < 5; card++) await serves(road, 'kiosk', later, card);
    await later.stop();
    const events: string[] = [];
    const note = (event: string) => void events.push(event);
    const log = { ...silentLog, error: note, info: note };
    // So that the gateway is asked at once, and not within a day.
    road.clock.pass(CERTIFICATE_DAYS * DAY_MS);
    const restored = startWaitingKiosk(road.dirOf('image'), { clock: road.clock, log });
    stops.push(() => restored.stop());
    await restored.ready;
    await until(() => events.includes('outbox.set_aside') && events.includes('store.recovered'));
    t.ok(events.includes('outbox.older_than_seen'));
    await serves(road, 'image', restored, 9);
    await restored.stop();
    const { rows, quarantined } = await road.audit();
    t.equal(quarantined, 0);
    const names = rows.map(({ name }) => name);
    t.equal(new Set(names).size, names.length);
    t.equal(rows.filter(({ event }) => event.type === 'check-in').length, 5);
  },
);

journey('revocation: a revoked kiosk says so at the door, and keeps what it is given', async (t) => {
  const road = await openRoad(t);
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
  stops.push(() => kiosk.stop());
  kiosk.type((await codeFor(road)).text);
  await serves(road, 'kiosk', kiosk, 1);
  const { kiosk: id } = await kiosk.ready;
  await withRegistry(road, (registry) => registry.revoke(id, road.clock.wall()));
  await until(() => /offline \(admission\.revoked\)/.test(kiosk.shown.join('')));
  t.equal(await kiosk.scan(road.textOf(cardOf(2))), 'welcome');
});
