/** A gateway with venues and kiosks in every state that an operator has to tell apart, for the dashboard's tests and pictures. */
import type { MqttClient } from 'mqtt';
import { Accounts } from '../../gateway/accounts.ts';
import type { GatewayConfigInput } from '../../gateway/config.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import type { ProcessDoor } from '../../gateway/watching.ts';
import { generateRecipient, recipientOf } from '../../protocol/hpke.ts';
import { newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { encodeKioskState, type KioskStateReport } from '../../protocol/kiosk-state.ts';
import { topicOf } from '../../protocol/topics.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';
import { checkIn, newCard, publishOrClose, TestKiosk, temperature } from './test-kiosk.ts';
import { until } from './until.ts';

type Teardown = Parameters<typeof startTestGateway>[0];

export const WEB: Partial<GatewayConfigInput> = { web: { port: 0, isPlain: true } };
export const PASSWORD = 'correct horse battery';

/** Adds a person to a gateway that runs. */
export async function addPerson(gateway: TestGateway, name: string, role: 'read-only' | 'manager'): Promise<void> {
  const { storeKey } = await openIdentity(gateway.directory);
  const accounts = new Accounts(gatewayPaths(gateway.directory).accounts, storeKey);
  await accounts.add(name, role, PASSWORD, gateway.clock.wall());
  accounts.close();
}

const PROCESS: ProcessDoor = {
  version: '0.1.0',
  logLevel: { get: () => 'info', set: () => {} },
  use: () => ({ residentBytes: 0, cpuS: 0, loopDelayS: 0 }),
};

const DEVICES: KioskStateReport['devices'] = [
  { name: 'scanner', isUp: true },
  { name: 'thermometer', isUp: true },
];

export const report = (more: Partial<KioskStateReport> = {}): KioskStateReport => ({
  isUp: true,
  state: 'up',
  queued: 0,
  clock: 'synced',
  devices: DEVICES,
  version: '0.1.0',
  ...more,
});

export const say = (client: MqttClient, kiosk: TestKiosk, told: KioskStateReport): Promise<void> =>
  publishOrClose(client, topicOf(kiosk.kiosk, 'state'), encodeKioskState(told), true);

export interface BusyGateway {
  readonly gateway: TestGateway;
  readonly url: string;
  readonly kiosks: Readonly<
    Record<'up' | 'unplugged' | 'offline' | 'withheld' | 'copied' | 'damaged' | 'unset' | 'revoked' | 'new', TestKiosk>
  >;
  readonly clients: ReadonlyMap<TestKiosk, MqttClient>;
}

const VENUES = [
  ['Town library', 'North door', 'South door', 'Reading room'],
  ['Harbour market', 'Quay', 'Tram stop', 'Car park'],
  ['Linden school', 'Main entrance', 'Sports hall', 'Kitchen'],
] as const;

/** @param many further kiosks that are well, to fill a page. */
export async function startBusyGateway(t: Teardown, many = 6): Promise<BusyGateway> {
  const gateway = await startTestGateway(t, { config: WEB, process: PROCESS });
  const { clock, registry, running } = gateway;
  const doors = VENUES.flatMap(([name, ...entrances]) => {
    const venue = newPlaceId<VenueId>();
    registry.putVenue({ id: venue, name, timezone: 'Europe/Berlin' });
    return entrances.map((door) => ({ venue, door }));
  });
  let next = 0;
  const admit = (): TestKiosk => {
    const kiosk = new TestKiosk(running.trust, clock);
    const place = doors[next++ % doors.length]!;
    const name = next > doors.length ? `${place.door} ${Math.ceil(next / doors.length)}` : place.door;
    const { id: entrance } = registry.venueBook.putEntrance(place.venue, { name, direction: 'both' });
    registry.admit({ kiosk: kiosk.kiosk, publicKey: kiosk.publicKey, venue: place.venue, entrance }, clock.wall());
    return kiosk;
  };
  const kiosks = {
    up: admit(),
    unplugged: admit(),
    offline: admit(),
    withheld: admit(),
    copied: admit(),
    damaged: admit(),
    unset: admit(),
    revoked: admit(),
    new: admit(),
  };
  const others = Array.from({ length: many }, admit);
  const clients = new Map<TestKiosk, MqttClient>();
  for (const kiosk of [...Object.values(kiosks), ...others]) {
    if (kiosk !== kiosks.new) clients.set(kiosk, await kiosk.connect(running.tlsPort));
  }
  const client = (kiosk: TestKiosk): MqttClient => clients.get(kiosk)!;

  // An hour of visits, the way a day goes.
  const starts = await Promise.all(
    [kiosks.up, kiosks.unplugged, kiosks.unset, ...others].map(async (kiosk) => ({ kiosk, start: await kiosk.start() })),
  );
  for (let minute = 0; minute < 40; minute++) {
    for (const [index, { kiosk, start }] of starts.entries()) {
      const rows = Math.max(0, Math.round(3 + 3 * Math.sin((minute + index * 9) / 6)));
      if (rows === 0) continue;
      await publishOrClose(client(kiosk), kiosk.batchTopic, start.batch(Array.from({ length: rows }, () => start.seal(checkIn()))));
    }
    await clock.advance(60_000);
  }

  // A high reading, twice; and one that nobody took again.
  const [{ kiosk: first, start }] = starts as [(typeof starts)[number]];
  for (const attempts of [2, 1] as const) {
    const card = newCard();
    const scan = start.seal(checkIn(card));
    const readings = Array.from({ length: attempts }, (_, index) =>
      start.seal(temperature(card, start.ref(scan), (index + 1) as 1 | 2, 38.6)),
    );
    await publishOrClose(client(first), first.batchTopic, start.batch([scan, ...readings]));
  }
  // What counts the devices about says so every quarter of an hour.
  await publishOrClose(client(first), first.batchTopic, start.batch([start.seal({ type: 'occupancy', slotMs: 900_000, tokens: 37 })]));

  for (const kiosk of [...Object.values(kiosks), ...others]) if (clients.has(kiosk)) await say(client(kiosk), kiosk, report());
  await say(
    client(kiosks.unplugged),
    kiosks.unplugged,
    report({
      state: 'degraded',
      devices: [
        { name: 'scanner', isUp: false, why: 'device.gone', path: '/dev/serial/by-id/usb-Honeywell_Scanner_S_*-if00', downForMs: 720_000 },
        { name: 'thermometer', isUp: true, path: '/dev/i2c-1' },
      ],
      settings: { direction: 'in', language: 'de', sound: 'quiet', isOutOfOrder: false },
    }),
  );
  await say(client(kiosks.unset), kiosks.unset, report({ clock: 'unsynced', queued: 212, oldestQueuedMs: 2_400_000 }));
  await say(client(kiosks.offline), kiosks.offline, report({ queued: 3, oldestQueuedMs: 20_000 }));
  client(kiosks.offline).stream.destroy();

  const stranger = await recipientOf((await generateRecipient()).privateKey);
  const sealed = await kiosks.withheld.start([stranger]);
  client(kiosks.withheld).publish(kiosks.withheld.batchTopic, Buffer.from(sealed.batch([sealed.seal(checkIn())])), { qos: 1 });

  for (let copy = 0; copy < 2; copy++) {
    const own = await kiosks.copied.start();
    kiosks.copied.rewind(1);
    await publishOrClose(client(kiosks.copied), kiosks.copied.batchTopic, own.batch([own.seal(checkIn())]));
  }
  const bad = await kiosks.damaged.start();
  const whole = bad.batch([bad.seal(checkIn())]);
  whole[whole.length - 1]! ^= 1;
  await publishOrClose(client(kiosks.damaged), kiosks.damaged.batchTopic, whole);

  registry.rename(kiosks.unplugged.kiosk, 'Counter, left');
  registry.revoke(kiosks.revoked.kiosk, clock.wall());
  await until(() => gateway.log.of('kiosk.disconnected').length > 0);
  await clock.advance(2_000);
  return { gateway, url: running.webUrl ?? '', kiosks, clients };
}
