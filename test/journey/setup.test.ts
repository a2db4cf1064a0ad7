/**
 * A machine is set up by whoever stands before it: label, entrance, devices, delivery, over a real gateway; at a terminal, and killed at each
 * point at which something is kept. A death here ends the process's work there, the files staying as they were.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { parseConfig } from '../../kiosk/config.ts';
import { deliverRest } from '../../kiosk/reset/deliver-rest.ts';
import { atStake, reset } from '../../kiosk/reset/reset.ts';
import { type RunKioskOptions, runKiosk } from '../../kiosk/run-kiosk.ts';
import type { SetupDesk } from '../../kiosk/setup/setup-desk.ts';
import { readMark, readSettings } from '../../kiosk/setup/setup-files.ts';
import { runTerminalFace } from '../../kiosk/setup/terminal-face.ts';
import { codeOf } from '../../protocol/errors.ts';
import { silentLog } from '../../protocol/log.ts';
import { systemClock } from '../../protocol/time.ts';
import { giveCode } from '../support/enrolling.ts';
import { until } from '../support/until.ts';
import { cardOf, Road } from './road.ts';

async function openRoad(t: Test): Promise<Road> {
  const road = await Road.open(t);
  await withRegistry(road, (registry) => registry.putVenue({ id: road.venue, name: 'Town library', timezone: 'UTC' }));
  return road;
}

async function withRegistry<T>(road: Road, use: (registry: Registry) => T): Promise<T> {
  const { storeKey } = await openIdentity(road.gatewayDir);
  const registry = new Registry(gatewayPaths(road.gatewayDir).registry, storeKey);
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}

const entrancesOf = (road: Road) =>
  withRegistry(road, (registry) => registry.venueBook.venue(road.venue).entrances.map(({ name }) => name));
const codeFor = async (road: Road) => (await giveCode(road.gatewayDir, { venue: road.venue, direction: 'both' }, road.clock.wall())).text;

/** A kiosk in set-up. It ends by `stop`, or by what it died of. */
function startSetup(road: Road, dir: string, options: Partial<RunKioskOptions> = {}) {
  const stopping = new AbortController();
  const { promise: setup, resolve: onSetup } = Promise.withResolvers<SetupDesk>();
  const config = () =>
    parseConfig({
      dataDir: dir,
      scanners: [],
      page: { isOn: false },
      uplink: { firstBackoffMs: 10, longestBackoffMs: 100 },
      ...readSettings(dir),
    });
  const ended = runKiosk(config(), { clock: road.clock, log: silentLog, readConfig: config, onSetup, ...options }, stopping.signal);
  ended.catch(() => {});
  const stop = async (): Promise<void> => {
    stopping.abort();
    await ended;
  };
  return { setup, ended, stop };
}

t.test('set-up: at a terminal, from the label to an event that arrived, in one go', async (t) => {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const { setup, stop } = startSetup(road, dir);
  const desk = await setup;
  const shown: string[] = [];
  async function* lines() {
    yield 'not a code';
    yield await codeFor(road);
    await until(() => desk.state.step === 'name' && !desk.state.isBusy);
    yield 'x'.repeat(65);
    yield 'Garden gate';
    await until(() => desk.state.step === 'devices');
    // A card typed while devices are tried is a trial, and checks nobody in.
    yield road.textOf(cardOf(1));
    await until(() => desk.state.devices.some(({ isTried }) => isTried));
    t.notMatch(shown.at(-1), /1 t:/, 'what is typed here is no port that could be something else');
    desk.put({ kind: 'device', device: 'serial-0a1b2c3d', as: 'scanner', isUp: true, why: undefined });
    t.match(shown.at(-1), /\[2 t: Thermometer/, 'a port is, by its own number');
    yield '';
    await until(() => desk.state.step === 'done');
  }
  t.ok(await runTerminalFace(desk, { write: (text) => shown.push(text), lines: lines() }, 'en', new AbortController().signal));
  t.match(shown.join(''), /Scan the code on this kiosk’s label/);
  t.match(shown.join(''), /At Town library, Garden gate\./);
  t.match(shown.join(''), /That is no name\. .*\n[\s\S]*What is this entrance called/, 'a refusal says what to do');
  t.match(shown.at(-1), /✓ Delivery[\s\S]*Delivered in \d/);
  t.strictSame(await entrancesOf(road), ['Garden gate'], 'operators find it by that name');
  t.notMatch(shown.join(''), new RegExp((await codeFor(road)).slice(0, 12)), 'no code is shown');
  for (const name of ['setup.json', 'kiosk.key']) t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, `${name} is the kiosk’s alone`);
  await stop();
  const audit = await road.audit();
  t.notOk(JSON.stringify(audit).includes('check-in'), 'nobody was checked in');
});

t.test('set-up: killed at each point it goes on there, and one label makes one kiosk', async (t) => {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const code = await codeFor(road);
  const deaths: string[] = [];
  /** Dies where the mark of this step has just been kept. */
  const dyingAt = (step: string) => ({
    ...silentLog,
    debug: (event: string, fields?: () => object) => {
      if (event !== 'setup.kept' || !JSON.stringify(fields?.()).includes(step) || deaths.includes(step)) return;
      deaths.push(step);
      throw new Error(`killed at ${step}`);
    },
  });
  for (const step of ['enrol', 'name', 'devices', 'delivery', 'done']) {
    const { setup, ended, stop } = startSetup(road, dir, { log: dyingAt(step) });
    const live = async () => {
      const desk = await setup;
      const talk = () => {
        if (desk.state.isBusy) return;
        if (desk.state.step === 'enrol') desk.scan(code);
        else if (desk.state.step === 'name') desk.command({ kind: 'name', name: 'Garden gate' });
        else desk.command({ kind: 'next' });
      };
      await until(() => {
        if (deaths.includes(step)) return true;
        try {
          talk();
        } catch {
          return true;
        }
        return deaths.includes(step) || desk.state.step === 'done';
      });
    };
    await Promise.race([live(), ended.catch(() => {})]);
    await stop().catch(() => {});
    t.ok(deaths.includes(step), `died at ${step}`);
    t.equal(readMark(dir)?.step, step, 'and it is kept there');
  }
  const { setup, stop } = startSetup(road, dir);
  t.equal((await setup).state.step, 'done');
  await stop();
  t.strictSame(await entrancesOf(road), ['Garden gate']);
  t.equal(await withRegistry(road, (registry) => [...registry.kiosks()].length), 1);
});

t.test('set-up: devices that could not be used are refused, and nothing of them is kept', async (t) => {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const { setup, stop } = startSetup(road, dir);
  const desk = await setup;
  desk.scan(await codeFor(road));
  await until(() => desk.state.step === 'name' && !desk.state.isBusy);
  desk.command({ kind: 'next' });
  desk.command({ kind: 'use', device: 'serial-00000000', as: 'board-rgb' });
  await until(() => !desk.state.isBusy);
  t.match(desk.state, { step: 'devices', why: /^(config\.invalid|device\.failed)$/ });
  t.notOk(existsSync(join(dir, 'settings.json')));
  await stop();
});

t.test('set-up: settings that are damaged are told of, and are a person’s to mend', async (t) => {
  const dir = t.testdir({ 'settings.json': '{"boards": [' });
  try {
    readSettings(dir);
    t.fail('taken');
  } catch (error) {
    t.equal(codeOf(error), 'config.invalid');
  }
});

t.test(
  'reset: the gateway shuts the kiosk out, what was not delivered is counted before, and the machine can be set up anew',
  async (t) => {
    const road = await openRoad(t);
    const dir = road.dirOf('kiosk');
    const first = startSetup(road, dir);
    const desk = await first.setup;
    desk.scan(await codeFor(road));
    await until(() => desk.state.step === 'name' && !desk.state.isBusy);
    desk.command({ kind: 'name', name: 'Garden gate' });
    await until(() => desk.state.step === 'devices');
    await first.stop();
    const config = parseConfig({ dataDir: dir });
    const parts = { clock: road.clock, log: silentLog };
    const { unsent, kiosk } = atStake(config, road.clock);
    t.type(unsent, 'number');
    t.match(await reset(config, parts, new AbortController().signal), { farewell: { outcome: 'told' } });
    t.strictSame(readdirSync(dir), ['kiosk.lock']);
    await withRegistry(road, (registry) => t.ok([...registry.kiosks()].find((one) => one.kiosk === kiosk)?.revokedAtMs));
    const second = startSetup(road, dir);
    const again = await second.setup;
    again.scan(await codeFor(road));
    await until(() => again.state.step === 'name' && !again.state.isBusy);
    await second.stop();
    t.equal(await withRegistry(road, (registry) => [...registry.kiosks()].length), 2);
  },
);

/** Stopped once it had its papers. */
async function enrolledKiosk(t: Test) {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const { setup, stop } = startSetup(road, dir);
  const desk = await setup;
  desk.scan(await codeFor(road));
  await until(() => desk.state.step === 'name' && !desk.state.isBusy);
  await stop();
  return { road, dir };
}

t.test('reset: nothing waits any more when the gateway was reached before', async (t) => {
  const { road, dir } = await enrolledKiosk(t);
  const config = parseConfig({ dataDir: dir, scanners: [], page: { isOn: false } });
  const waited = () => atStake(config, road.clock).unsent;
  t.not(waited(), 0, 'its end was an event, which waits');
  await deliverRest(config, systemClock, '1.2.3', new AbortController().signal);
  t.equal(waited(), 0, 'the errand has left none of its own');
});

t.test('reset: a gateway that is away holds nothing up', async (t) => {
  const { road, dir } = await enrolledKiosk(t);
  await road.stopGateway();
  const done = await reset(parseConfig({ dataDir: dir }), { clock: road.clock, log: silentLog }, new AbortController().signal);
  t.match(done.farewell, { outcome: 'not-told', why: 'link.refused' });
  t.strictSame(readdirSync(dir), ['kiosk.lock']);
});

t.test('reset: from set-up, only by what was shown, and the machine waits for its next label', async (t) => {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const { setup, stop } = startSetup(road, dir);
  const desk = await setup;
  t.notOk(desk.reset(0), 'there is no kiosk yet');
  desk.scan(await codeFor(road));
  await until(() => desk.state.step === 'name' && !desk.state.isBusy);
  await until(() => desk.unsent === 0);
  t.notOk(desk.reset(7), 'not what waits');
  const { kiosk } = JSON.parse(readFileSync(join(dir, 'kiosk.json'), 'utf8'));
  t.ok(desk.reset(0));
  await until(() => desk.state.step === 'enrol' && !existsSync(join(dir, 'reset')) && !existsSync(join(dir, 'outbox.db')));
  desk.scan(await codeFor(road));
  await until(() => desk.state.step === 'name');
  t.not(JSON.parse(readFileSync(join(dir, 'kiosk.json'), 'utf8')).kiosk, kiosk);
  await withRegistry(road, (registry) => t.ok([...registry.kiosks()].find((one) => one.kiosk === kiosk)?.revokedAtMs));
  await stop();
});

t.test('reset: from set-up, where what waits can not be read it is not said to be nothing', async (t) => {
  const road = await openRoad(t);
  const dir = road.dirOf('kiosk');
  const before = startSetup(road, dir);
  const first = await before.setup;
  first.scan(await codeFor(road));
  await until(() => first.unsent === 0);
  await before.stop();
  const outbox = new Database(join(dir, 'outbox.db'));
  outbox.pragma('user_version = 999');
  outbox.close();
  const { setup, stop } = startSetup(road, dir);
  const desk = await setup;
  await until(() => desk.unsent !== undefined);
  t.equal(desk.unsent, 'unknown');
  t.notOk(desk.reset(0), 'nobody was shown that');
  t.ok(desk.reset('unknown'));
  await until(() => desk.state.step === 'enrol' && !existsSync(join(dir, 'reset')) && !existsSync(join(dir, 'outbox.db')));
  await stop();
});
