/** Venues and doors by name, and what a kiosk's label says of its door. */
import t from 'tap';
import { labelOf } from '../../cli/enrol-command.ts';
import { entranceNamed, venueNamed } from '../../cli/place-names.ts';
import type { NewCode } from '../../gateway/enrol/give-codes.ts';
import type { Venue } from '../../gateway/registry.ts';

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

t.test('place names: a label names its door', async (t) => {
  const code = { venue: library.id, entrance: 'eeeeeeeeeeeeeeee', venueName: library.name, expiresAtMs: 0 } as unknown as NewCode;
  t.equal(labelOf({ ...code, direction: 'out' }, [library]).lines[0], 'Door: Exit, out');
  t.equal(labelOf({ ...code, direction: undefined }, [library]).lines[0], 'Door: Exit');
});
