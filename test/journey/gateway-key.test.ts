/**
 * The gateway's own TLS key is succeeded by another, over real TLS: kiosks follow by themselves, with a code or without, also those that were away
 * while it was succeeded more than once; and nobody follows a key that the gateway does not vouch for. Real processes: test/crash.
 */
import { chmodSync, cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openIdentity } from '../../gateway/identity.ts';
import { rotateTlsKey, strandedBy } from '../../gateway/rotate/rotate-tls.ts';
import { openRegistry } from '../../gateway/status.ts';
import type { KioskId } from '../../protocol/ids.ts';
import { parseTrust } from '../../protocol/trust.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { startWaitingKiosk, type WaitingKiosk } from '../kiosk/waiting-kiosk.ts';
import { DAY_MS, giveCode } from '../support/enrolling.ts';
import { until } from '../support/until.ts';
import { cardOf, Road } from './road.ts';

/** As the command does, then the restart that it asks for. */
async function rotate(road: Road): Promise<void> {
  // Each is the second in which it was made.
  road.clock.pass(1_000);
  await rotateTlsKey(road.gatewayDir, road.clock.wall());
  await road.stopGateway();
  await road.startGateway();
}

async function saidBy(road: Road, kiosk: KioskId): Promise<number | undefined> {
  const registry = await openRegistry(road.gatewayDir);
  try {
    return registry.pinBook.all().get(kiosk);
  } finally {
    registry.close();
  }
}

const generationNow = async (road: Road): Promise<number> => (await openIdentity(road.gatewayDir)).tls.generation;

async function hasSaid(road: Road, kiosk: KioskId, generation: number): Promise<void> {
  for (let said = await saidBy(road, kiosk); said !== generation; said = await saidBy(road, kiosk)) await tick();
}

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

async function serves(road: Road, name: string, kiosk: WaitingKiosk, card: number): Promise<void> {
  await kiosk.ready;
  if ((await kiosk.scan(road.textOf(cardOf(card)))) !== 'welcome') throw new Error('not taken');
  await road.delivered(name);
}

async function enrolled(t: Test, road: Road, name: string): Promise<WaitingKiosk> {
  const kiosk = startWaitingKiosk(road.dirOf(name), { clock: road.clock });
  t.teardown(() => kiosk.stop());
  kiosk.type((await giveCode(road.gatewayDir, { venue: road.venue }, road.clock.wall())).text);
  await kiosk.ready;
  return kiosk;
}

async function openRoad(t: Test): Promise<Road> {
  const road = await Road.open(t);
  const registry = await openRegistry(road.gatewayDir);
  registry.putVenue({ id: road.venue, name: 'Shop', timezone: 'UTC' });
  registry.close();
  return road;
}

t.test('gateway key: kiosks that are online follow, with papers or without, and the gateway knows which have', async (t) => {
  const road = await openRoad(t);
  const kiosk = await enrolled(t, road, 'kiosk');
  const { kiosk: id } = await kiosk.ready;
  const carried = await road.admit('carried');
  const other = await road.startKiosk('carried');
  await Promise.all([hasSaid(road, id, 0), hasSaid(road, carried, 0)]);
  t.strictSame(await strandedBy(road.gatewayDir, road.clock.wall()), { kiosks: [], codes: [] });
  await rotate(road);
  const generation = await generationNow(road);
  t.ok(generation > 0);
  await Promise.all([hasSaid(road, id, generation), hasSaid(road, carried, generation)]);
  await serves(road, 'kiosk', kiosk, 1);
  t.equal(
    parseTrust(readFileSync(road.trustPath, 'utf8')).gateway.certificatePem,
    (await openIdentity(road.gatewayDir)).tls.certificatePem,
  );
  await other.stop();
});

t.test('gateway key: one that was away for weeks while it was succeeded twice follows at once, and loses nothing', async (t) => {
  const road = await openRoad(t);
  const kiosk = await enrolled(t, road, 'kiosk');
  const { kiosk: id } = await kiosk.ready;
  await serves(road, 'kiosk', kiosk, 1);
  await kiosk.stop();
  await rotate(road);
  await rotate(road);
  const newest = await generationNow(road);
  for (const name of ['tls.key', 'tls.crt']) rmSync(join(road.gatewayDir, 'keys', name));
  road.clock.pass(20 * DAY_MS);
  const back = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
  t.teardown(() => back.stop());
  await serves(road, 'kiosk', back, 2);
  await hasSaid(road, id, newest);
  t.ok(existsSync(join(road.dirOf('kiosk'), 'gateway.crt')));
  await back.stop();
  t.equal((await road.audit()).quarantined, 0);
});

t.test('gateway key: whoever has the earlier key is a stranger to a kiosk that followed, and to one that comes later', async (t) => {
  const road = await openRoad(t);
  const kiosk = await enrolled(t, road, 'kiosk');
  await serves(road, 'kiosk', kiosk, 1);
  const stolen = join(road.data, 'stolen');
  cpSync(road.gatewayDir, stolen, { recursive: true });
  await rotate(road);
  await serves(road, 'kiosk', kiosk, 2);
  // The machine of before, with the key of before, in the gateway's place.
  await road.stopGateway();
  rmSync(road.gatewayDir, { recursive: true });
  cpSync(stolen, road.gatewayDir, { recursive: true });
  for (const directory of [road.gatewayDir, join(road.gatewayDir, 'keys')]) chmodSync(directory, 0o700);
  await road.startGateway();
  await until(() => /link\.pin/.test(kiosk.shown.join('')));
  // What an operator does who restored a backup of before, without the log that tells of it.
  await rotate(road);
  await serves(road, 'kiosk', kiosk, 3);
});

t.test('gateway key: whoever would be left behind is named', async (t) => {
  const road = await openRoad(t);
  const never = await road.admit('never');
  const { number } = await giveCode(road.gatewayDir, { venue: road.venue }, road.clock.wall());
  t.strictSame(await strandedBy(road.gatewayDir, road.clock.wall()), { kiosks: [never], codes: [number] });
  t.strictSame((await strandedBy(road.gatewayDir, (road.clock.wall() + DAY_MS) as EpochMillis)).codes, []);
});

t.test('gateway key: a code that is given between rotation and restart makes a kiosk after it', async (t) => {
  const road = await openRoad(t);
  await rotateTlsKey(road.gatewayDir, road.clock.wall());
  const { text } = await giveCode(road.gatewayDir, { venue: road.venue }, road.clock.wall());
  const kiosk = startWaitingKiosk(road.dirOf('kiosk'), { clock: road.clock });
  t.teardown(() => kiosk.stop());
  kiosk.type(text);
  await until(() => kiosk.said.includes('enrol-unreached'));
  await road.stopGateway();
  await road.startGateway();
  await serves(road, 'kiosk', kiosk, 1);
});
