/**
 * Kiosk and gateway, killed with SIGKILL at each step of an enrolment and at any instant, the gateway also while it answers. In the end: one
 * kiosk from the code, whoever died when; it takes cards, and the gateway has them; the kiosk that it replaces is revoked.
 * `npm run test:crash -- --full --seed N`.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import { parsePapers } from '../../protocol/enrol.ts';
import { type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { systemClock } from '../../protocol/time.ts';
import { giveCode, giveCodeInPlaceOf } from '../support/enrolling.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { Mortal } from './mortal.ts';

const { isFull, seed } = suiteSize();
const random = seededRandom(seed);
const GATEWAY_POINTS = ['enrol.bound', 'enrol.admitted', 'enrol.replaced', 'enrol.done', 'enrol.issued', 'enrol.kept'];
const KIOSK_POINTS = ['enrolment.code_kept', 'enrolment.answered', 'enrolment.papers_kept', 'enrolment.code_erased'];
/** Deaths at any instant, of either or both. */
const STRIKES = isFull ? 60 : 6;
const LONGEST_LIFE_MS = 1_500;

interface House {
  readonly data: string;
  readonly port: number;
  readonly venue: VenueId;
  readonly cache: string;
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

function startGateway({ data, port, cache }: House, point = '', onReady = () => {}): Mortal {
  const config = JSON.stringify({ tls: { host: '127.0.0.1', port } });
  return new Mortal('gateway-child.ts', [data, config, point], cache, ({ isReady }) => isReady && onReady());
}

const readyGateway = async (house: House, point = ''): Promise<Mortal> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const gateway = startGateway(house, point, resolve);
  await promise;
  return gateway;
};

function startKiosk({ data, cache }: House, point = '', onReady = () => {}): Mortal {
  const config = {
    dataDir: join(data, 'kiosk'),
    scanners: [{ kind: 'standard-input' }],
    page: { isOn: false },
    uplink: { firstBackoffMs: 10, longestBackoffMs: 100 },
  };
  return new Mortal('kiosk-child.ts', [JSON.stringify(config), point], cache, ({ isReady }) => isReady && onReady());
}

async function openHouse(t: Test): Promise<House> {
  const data = t.testdir();
  mkdirSync(join(data, 'kiosk'), { mode: 0o700 });
  const house = { data, port: await freePort(), venue: newPlaceId<VenueId>(), cache: join(data, 'compiled') };
  const gateway = await readyGateway(house);
  await withRegistry(house, (registry) => registry.putVenue({ id: house.venue, name: 'Shop', timezone: 'UTC' }));
  await gateway.stop();
  return house;
}

async function withRegistry<T>({ data }: House, use: (registry: Registry) => T): Promise<T> {
  const directory = join(data, 'gateway');
  const { storeKey } = await openIdentity(directory);
  const registry = new Registry(gatewayPaths(directory).registry, storeKey);
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}

/** A kiosk that is to be replaced. */
async function admitOld(house: House): Promise<KioskId> {
  const kiosk = newPlaceId<KioskId>();
  const publicKey = new Uint8Array(32).fill(9);
  await withRegistry(house, (registry) =>
    registry.admit(
      { kiosk, publicKey, venue: house.venue, entrance: newPlaceId(), direction: 'in', dwellMs: 3_600_000 },
      systemClock.wall(),
    ),
  );
  return kiosk;
}

/** Both live until the kiosk is ready; then one kiosk is admitted, it has papers, and its code is erased. */
async function assertOneKiosk(t: Test, house: House, code: string, running?: Mortal): Promise<void> {
  const gateway = running ?? (await readyGateway(house));
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const kiosk = startKiosk(house, '', resolve);
  const dir = join(house.data, 'kiosk');
  // A kiosk that was killed before it had kept the code has never heard of it: somebody scans the label again.
  if (!existsSync(join(dir, 'enrolment.code')) && !existsSync(join(dir, 'enrolment.json'))) kiosk.type(code);
  await ready;
  const { kiosk: id } = parsePapers(readFileSync(join(dir, 'enrolment.json'), 'utf8'));
  const admitted = await withRegistry(house, (registry) => [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined));
  t.strictSame(
    admitted.map((one) => one.kiosk),
    [id],
    'one kiosk from the code, and no other at that door',
  );
  t.equal(existsSync(join(dir, 'enrolment.code')), false);
  await kiosk.stop();
  await gateway.stop();
}

for (const point of GATEWAY_POINTS) {
  t.test(`enrolment: the gateway is killed at ${point}`, async (t) => {
    const house = await openHouse(t);
    const { text } = await giveCodeInPlaceOf(join(house.data, 'gateway'), await admitOld(house), systemClock.wall());
    const gateway = await readyGateway(house, point);
    const kiosk = startKiosk(house);
    kiosk.type(text);
    gateway.mustDie();
    await gateway.gone;
    t.equal(gateway.diedAt, point);
    // The kiosk has lived through it, and asks on.
    kiosk.kill();
    await kiosk.gone;
    await assertOneKiosk(t, house, text);
  });
}

for (const point of KIOSK_POINTS) {
  t.test(`enrolment: the kiosk is killed at ${point}`, async (t) => {
    const house = await openHouse(t);
    const { text } = await giveCode(join(house.data, 'gateway'), { venue: house.venue }, systemClock.wall());
    const gateway = await readyGateway(house);
    const kiosk = startKiosk(house, point);
    kiosk.type(text);
    kiosk.mustDie();
    await kiosk.gone;
    t.equal(kiosk.diedAt, point);
    await assertOneKiosk(t, house, text, gateway);
  });
}

t.test(`enrolment: either or both are killed at any instant, ${STRIKES} times (seed ${seed})`, async (t) => {
  for (let strike = 0; strike < STRIKES; strike++) {
    const house = await openHouse(t);
    const { text } = await giveCode(join(house.data, 'gateway'), { venue: house.venue }, systemClock.wall());
    const gateway = await readyGateway(house);
    const kiosk = startKiosk(house);
    kiosk.type(text);
    const victims = [[gateway], [kiosk], [gateway, kiosk]][strike % 3] ?? [];
    await new Promise((resolve) => setTimeout(resolve, random() * LONGEST_LIFE_MS));
    for (const victim of victims) victim.kill();
    if (!victims.includes(kiosk)) kiosk.kill();
    await kiosk.gone;
    if (victims.includes(gateway)) await gateway.gone;
    await assertOneKiosk(t, house, text, victims.includes(gateway) ? undefined : gateway);
  }
});
