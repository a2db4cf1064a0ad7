import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Registry } from '../../gateway/registry.ts';
import { gatewayStatus, openRegistry } from '../../gateway/status.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const now = 1_000 as EpochMillis;
const key = new Uint8Array(32).fill(7);
const newKey = () => rawPublicKey(generateSigningKey());

function open(t: Test) {
  const path = join(t.testdir(), 'registry.db');
  const registry = new Registry(path, key);
  const venue = newPlaceId<VenueId>();
  registry.putVenue({ id: venue, name: 'Shop', timezone: 'Europe/Berlin' });
  const admission = () => ({
    kiosk: newPlaceId<KioskId>(),
    publicKey: newKey(),
    venue,
    entrance: newPlaceId<EntranceId>(),
    direction: 'in' as const,
    dwellMs: 3_600_000,
  });
  return { path, registry, venue, admission };
}

t.test('registry: a kiosk is admitted, moved, revoked and admitted again, also from another process', async (t) => {
  const { path, registry, venue, admission } = open(t);
  const beside = new Registry(path, key);
  const one = admission();
  t.equal(beside.kiosk(one.kiosk), undefined);
  registry.admit(one, now);
  t.match(beside.kiosk(one.kiosk), {
    publicKey: one.publicKey,
    placement: { venue, entrance: one.entrance, direction: 'in', dwellMs: 3_600_000 },
    timezone: 'Europe/Berlin',
    revokedAtMs: undefined,
  });
  beside.admit({ ...one, direction: 'out' }, now);
  t.match(registry.kiosk(one.kiosk), { placement: { direction: 'out' } });
  t.equal(registry.revoke(one.kiosk, now), true);
  t.equal(registry.revoke(one.kiosk, now), false);
  t.match(beside.kiosk(one.kiosk), { revokedAtMs: now });
  beside.admit(one, now);
  t.match(registry.kiosk(one.kiosk), { revokedAtMs: undefined });
  t.equal([...registry.kiosks()].length, 1);
  registry.close();
  beside.close();
});

t.test('registry: a venue is removed with its entrances, unless a kiosk was admitted there', async (t) => {
  const { registry, venue, admission } = open(t);
  const { venueBook } = registry;
  const empty = venueBook.add({ name: 'Kiosk', timezone: 'UTC' }, newPlaceId<VenueId>()).id;
  venueBook.putEntrance(empty, { name: 'Door', direction: 'in' });
  const one = admission();
  registry.admit(one, now);
  t.throws(() => venueBook.remove(venue), { code: 'config.invalid', message: new RegExp(`kiosk ${one.kiosk} was admitted there`) });
  registry.revoke(one.kiosk, now);
  t.throws(() => venueBook.remove(venue), { code: 'config.invalid' }, 'a revoked one, too');
  venueBook.remove(empty);
  t.throws(() => venueBook.remove(empty), { code: 'config.invalid' });
  t.strictSame(
    registry.venues().map(({ id }) => id),
    [venue],
  );
  registry.close();
});

t.test('registry: an id keeps its key and a key its id; a venue must be known', async (t) => {
  const { registry, admission } = open(t);
  const one = admission();
  registry.admit(one, now);
  t.throws(() => registry.admit({ ...one, publicKey: newKey() }, now), { code: 'admission.wrong_key' });
  t.throws(() => registry.admit({ ...admission(), publicKey: one.publicKey }, now), { code: 'admission.wrong_key' });
  t.throws(() => registry.admit({ ...admission(), venue: newPlaceId<VenueId>() }, now), { code: 'admission.unknown_venue' });
  t.throws(() => registry.putVenue({ id: newPlaceId<VenueId>(), name: 'x', timezone: 'Mars/Olympus' }), {
    code: 'config.invalid',
  });
  registry.close();
});

t.test('registry: under another key it does not open', async (t) => {
  const { path, registry } = open(t);
  registry.close();
  t.throws(() => new Registry(path, new Uint8Array(32)), { code: 'store.wrong_key' });
});

t.test('status: a gateway that never ran is told of too', async (t) => {
  const directory = join(t.testdir(), 'gateway');
  const registry = await openRegistry(directory);
  const venue = newPlaceId<VenueId>();
  registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
  const kiosk = newPlaceId<KioskId>();
  registry.admit({ kiosk, publicKey: newKey(), venue, entrance: newPlaceId<EntranceId>(), direction: 'both', dwellMs: 1 }, now);
  registry.close();
  t.match(await gatewayStatus(directory), {
    isRunning: false,
    lastState: undefined,
    venues: [{ id: venue, name: 'Shop' }],
    kiosks: [{ kiosk, rows: 0, isCloned: false }],
    entries: 0,
  });
});

t.test('registry: a kiosk that is admitted again keeps its stay, and has that of a venue that it moves to', (t) => {
  const registry = new Registry(join(t.testdir(), 'registry.db'), key);
  const [shop, library] = [newPlaceId<VenueId>(), newPlaceId<VenueId>()];
  for (const id of [shop, library]) registry.putVenue({ id, name: 'Shop', timezone: 'UTC' });
  const kiosk = newPlaceId<KioskId>();
  const own = { kiosk, publicKey: new Uint8Array(32).fill(3), venue: shop, entrance: newPlaceId<EntranceId>() };
  registry.admit({ ...own, dwellMs: 3_600_000 }, 1 as EpochMillis);
  registry.revoke(kiosk, 2 as EpochMillis);
  registry.admit(own, 3 as EpochMillis);
  t.match(registry.kiosk(kiosk), { revokedAtMs: undefined, placement: { dwellMs: 3_600_000 } });
  registry.admit({ ...own, venue: library, entrance: newPlaceId<EntranceId>() }, 4 as EpochMillis);
  t.match(registry.kiosk(kiosk), { placement: { venue: library, dwellMs: 7_200_000 } });
  registry.close();
  t.end();
});
