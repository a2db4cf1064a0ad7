/** Venues and doors by name, and what a kiosk's label says of its door. */
import t from 'tap';
import { labelOf } from '../../cli/enrol-command.ts';
import { anyKioskNamed, entranceNamed, kioskNamed, venueNamed } from '../../cli/place-names.ts';
import { eventLine, namesOf } from '../../cli/tail-lines.ts';
import type { NewCode } from '../../gateway/enrol/give-codes.ts';
import type { Kiosk, Venue } from '../../gateway/registry.ts';

const venueOf = (id: string, name: string): Venue =>
  ({
    id,
    name,
    entrances: [
      { id: 'mmmmmmmmmmmmmmmm', name: 'Main door', direction: 'both' },
      { id: 'eeeeeeeeeeeeeeee', name: 'Exit', direction: 'out' },
    ],
  }) as unknown as Venue;
const library = venueOf('aaaaaaaaaaaaaaaa', 'Town library');

t.test('place names: a venue by its id or its name, where only one has that', async (t) => {
  t.equal(venueNamed('--venue', 'Town library', [library]), library);
  t.equal(venueNamed('--venue', library.id, [library]), library);
  t.throws(() => venueNamed('--venue', 'Library', [library]), { code: 'config.invalid', message: /venue list/ });
  t.throws(() => venueNamed('--venue', 'Town library', [library, venueOf('bbbbbbbbbbbbbbbb', 'Town library')]), { message: /2 venues/ });
});

t.test('place names: a door by its name; one that is not there is refused with those that are', async (t) => {
  t.equal(entranceNamed('--entrance', 'Main door', library), 'mmmmmmmmmmmmmmmm');
  t.equal(entranceNamed('--entrance', 'kkkkkkkkkkkkkkkk', library), 'kkkkkkkkkkkkkkkk');
  t.throws(() => entranceNamed('--entrance', 'Side door', library), { message: /"Main door", "Exit"/ });
});

const kiosk = (id: string, name: string | undefined, revokedAtMs?: number, entrance = 'none', venue = library.id) =>
  ({ kiosk: id, name, revokedAtMs, placement: { venue, entrance } }) as unknown as Kiosk;
const museum = venueOf('bbbbbbbbbbbbbbbb', 'Museum');
const registry = (kiosks: readonly Kiosk[]) => ({ kiosks: () => kiosks, venues: () => [library, museum] });

t.test('place names: a kiosk by its id, or its name where one admitted kiosk alone has it', async (t) => {
  const known = [kiosk('k10sk00000000001', 'Till 3'), kiosk('k10sk00000000002', undefined), kiosk('k10sk00000000003', 'Till 3', 1)];
  t.equal(kioskNamed('kiosk', 'Till 3', registry(known)), 'k10sk00000000001', 'not the revoked one');
  t.equal(kioskNamed('kiosk', 'k10sk00000000009', registry(known)), 'k10sk00000000009');
  t.throws(() => kioskNamed('kiosk', 'Till 4', registry(known)), { code: 'config.invalid', message: /vestibule status/ });
  t.throws(() => kioskNamed('kiosk', 'Till 3', registry([...known, kiosk('k10sk00000000004', 'Till 3')])), {
    message: /2 kiosks.*\(k10sk00000000001, k10sk00000000004\)/,
  });
});

t.test('place names: a kiosk without a name by its door, with its venue where several are called so', async (t) => {
  const here = kiosk('k10sk00000000001', undefined, undefined, 'mmmmmmmmmmmmmmmm');
  const there = kiosk('k10sk00000000002', undefined, undefined, 'mmmmmmmmmmmmmmmm', museum.id);
  const named = kiosk('k10sk00000000003', 'Till 3', undefined, 'eeeeeeeeeeeeeeee');
  t.equal(kioskNamed('kiosk', 'Main door', registry([here, named])), here.kiosk);
  t.throws(() => kioskNamed('kiosk', 'Main door', registry([here, there])), { message: /2 kiosks are called "Main door"/ });
  t.equal(kioskNamed('kiosk', 'Museum, Main door', registry([here, there])), there.kiosk);
  t.equal(kioskNamed('kiosk', 'Town library, Till 3', registry([here, named])), named.kiosk);
  t.throws(() => kioskNamed('kiosk', 'Exit', registry([named])), { message: /no admitted kiosk/ }, 'it is called otherwise');
  t.throws(() => kioskNamed('kiosk', '', registry([kiosk('k10sk00000000004', undefined)])), { message: /no admitted kiosk/ });
});

t.test('place names: one that is to be admitted again by its name, where none that is admitted has it', async (t) => {
  const back = kiosk('k10sk00000000001', 'Till 3', 1);
  t.equal(anyKioskNamed('kiosk', 'Till 3', registry([back])), back);
  t.equal(anyKioskNamed('kiosk', back.kiosk, registry([back])), back);
  t.equal(anyKioskNamed('kiosk', 'k10sk00000000009', registry([back])), undefined);
  t.throws(() => anyKioskNamed('kiosk', 'Till 3', registry([back, kiosk('k10sk00000000002', 'Till 3')])), {
    message: /\(k10sk00000000001 \(revoked\), k10sk00000000002\)/,
  });
});

t.test('place names: tail calls a kiosk as status does', async (t) => {
  const names = namesOf(
    registry([kiosk('k10sk00000000001', undefined, undefined, 'mmmmmmmmmmmmmmmm'), kiosk('k10sk00000000002', undefined)]),
  );
  const line = (id: string) =>
    eventLine(`vestibule/1/events/${library.id}/x`, { data: { kiosk: id } }, names, (code) => ({ code, meaning: '', advice: '' }));
  t.match(line('k10sk00000000001'), 'Town library  Main door (k10sk00000000001)');
  t.match(line('k10sk00000000002'), 'Town library  kiosk k10sk00000000002', 'its door has no name either');
});

t.test('place names: a label names its door', async (t) => {
  const code = { venue: library.id, entrance: 'eeeeeeeeeeeeeeee', venueName: library.name, expiresAtMs: 0 } as unknown as NewCode;
  t.equal(labelOf({ ...code, direction: 'out' }, [library]).lines[0], 'Door: Exit, out');
  t.equal(labelOf({ ...code, direction: undefined }, [library]).lines[0], 'Door: Exit');
  t.equal(labelOf({ ...code, name: 'Till 3' }, [library]).lines[0], 'Till 3. Door: Exit');
});
