import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openRegistry } from '../../gateway/status.ts';
import { signCard } from '../../protocol/card.ts';
import { encodeCode } from '../../protocol/code.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import { systemClock } from '../../protocol/time.ts';
import { until } from '../support/until.ts';
import { cardOf, promisedBy, Road } from './road.ts';

t.test(
  'journey: a card reported lost is withdrawn at a running kiosk, keeps being so offline after a restart, and leaves no row',
  async (t) => {
    const road = await Road.open(t);
    const id = await road.admit('kiosk');
    const registry = await openRegistry(road.gatewayDir);
    t.teardown(() => registry.close());
    const kiosk = await road.startKiosk('kiosk');
    const issuedOf = () => registry.policyBook.all().find(({ kiosk }) => kiosk === id);
    const isConfirmed = (after: number) => (issuedOf()?.version ?? 0) > after && issuedOf()?.version === issuedOf()?.heldVersion;
    await until(() => isConfirmed(0));
    t.equal(await kiosk.scan(road.textOf(cardOf(1))), 'welcome');

    const before = issuedOf()?.version ?? 0;
    registry.lostList.add([cardOf(1)], systemClock.wall());
    await until(() => isConfirmed(before));
    t.equal(await kiosk.scan(road.textOf(cardOf(1))), 'card-withdrawn');
    t.equal(await kiosk.scan(road.textOf(cardOf(2))), 'welcome');
    t.match(kiosk.shown.join(''), /Card withdrawn/);
    await road.delivered('kiosk');
    await kiosk.stop();
    await road.stopGateway();

    const alone = await road.startKiosk('kiosk');
    t.equal(await alone.scan(road.textOf(cardOf(1))), 'card-withdrawn');
    t.equal(await alone.scan(road.textOf(cardOf(3))), 'welcome');
    await road.startGateway();
    await road.delivered('kiosk');

    const all = [...promisedBy(kiosk), ...promisedBy(alone)];
    const { rows, scans } = await road.audit();
    t.ok(all.every((name) => rows.some((row) => row.name === name)));
    t.equal(scans.length, 3, 'of the lost card only the scan from before');
  },
);

t.test(
  'journey: unsigned cards and an entrance’s direction are changed at a running kiosk; what the staff chose stays until the entrance changes',
  async (t) => {
    const road = await Road.open(t);
    const id = await road.admit('kiosk');
    const registry = await openRegistry(road.gatewayDir);
    t.teardown(() => registry.close());
    const kiosk = await road.startKiosk('kiosk', { page: { isOn: true, port: 0 } });
    const issuedOf = () => registry.policyBook.all().find((issued) => issued.kiosk === id);
    /** Makes a change and waits until the kiosk goes by it. */
    const told = async (change: () => unknown) => {
      const before = issuedOf()?.version ?? 0;
      change();
      await until(() => (issuedOf()?.version ?? 0) > before && issuedOf()?.version === issuedOf()?.heldVersion);
    };
    await until(() => issuedOf()?.heldVersion === issuedOf()?.version && issuedOf() !== undefined);
    const unsigned = encodeCode({ kind: 'unsigned', card: cardOf(9) });
    t.equal(await kiosk.scan(unsigned), 'card-refused');
    await told(() => registry.venueBook.edit(road.venue, { unsignedCards: 'taken' }));
    t.equal(await kiosk.scan(unsigned), 'welcome');

    const { entrance } = registry.kiosk(id)!.placement;
    await told(() => registry.venueBook.putEntrance(road.venue, { name: entrance, direction: 'out' }));
    t.equal(await kiosk.scan(road.textOf(cardOf(1))), 'goodbye');
    t.equal(await kiosk.scan(road.textOfStaff('door-in')), 'door-in');
    await told(() => registry.venueBook.edit(road.venue, { dwellMs: 60_000 }));
    t.equal(await kiosk.scan(road.textOf(cardOf(1))), 'welcome', 'another change leaves the door as the staff turned it');
    await told(() => registry.venueBook.putEntrance(road.venue, { name: entrance, direction: 'both' }));
    t.equal(await kiosk.scan(road.textOf(cardOf(2))), 'welcome');

    const stranger = encodeCode(signCard(cardOf(3), road.gateway.trust.deployment, generateSigningKey()));
    t.equal(await kiosk.scan(stranger), 'card-refused', 'of an issuer that the policy does not name');
    t.ok(readFileSync(join(road.dirOf('kiosk'), 'policy.cbor')).length > 100);
  },
);
