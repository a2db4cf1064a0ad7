import { join } from 'node:path';
import t from 'tap';
import { openDatabase } from '../../gateway/database.ts';
import { Registry } from '../../gateway/registry.ts';
import { REGISTRY_STEPS } from '../../gateway/registry-schema.ts';
import type { EntranceId, KioskId, VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const key = new Uint8Array(32).fill(7);
const now = 9_000 as EpochMillis;
const rawKey = (n: number) => new Uint8Array(32).fill(n);

t.test('registry: one of the first layout keeps every venue, kiosk, entrance, stay and revocation', (t) => {
  const path = join(t.testdir(), 'registry.db');
  const old = openDatabase({ path, key, steps: REGISTRY_STEPS.slice(0, 1) });
  old.prepare("INSERT INTO venues VALUES ('venve00000000001', 'Shop', 'Europe/Berlin'), ('venve00000000002', 'Library', 'UTC')").run();
  const insert = old.prepare('INSERT INTO kiosks VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  insert.run('k10sk00000000001', rawKey(1), 'venve00000000001', 'entrance00000001', 'both', 3_600_000, 1_000, null);
  insert.run('k10sk00000000002', rawKey(2), 'venve00000000002', 'entrance00000002', 'out', 1, 2_000, null);
  // A dead kiosk, and the one that took its entrance and was said to be for something else.
  insert.run('k10sk00000000003', rawKey(3), 'venve00000000002', 'entrance00000003', 'in', 7_200_000, 3_000, 4_000);
  insert.run('k10sk00000000004', rawKey(4), 'venve00000000002', 'entrance00000003', 'both', 7_200_000, 2_500, null);
  old.close();

  const registry = new Registry(path, key);
  const kiosks = [...registry.kiosks()].sort((a, b) => a.kiosk.localeCompare(b.kiosk));
  t.match(kiosks, [
    { placement: { entrance: 'entrance00000001', direction: 'both', dwellMs: 3_600_000 }, timezone: 'Europe/Berlin', admittedAtMs: 1_000 },
    { placement: { entrance: 'entrance00000002', direction: 'out', dwellMs: 1 }, revokedAtMs: undefined },
    { placement: { entrance: 'entrance00000003', direction: 'both' }, revokedAtMs: 4_000 },
    { placement: { entrance: 'entrance00000003', direction: 'both', dwellMs: 7_200_000 }, isDirectionTold: false },
  ]);
  t.strictSame(
    kiosks.map(({ publicKey }) => publicKey),
    [1, 2, 3, 4].map(rawKey),
  );
  t.match(registry.venues(), [
    { name: 'Library', timezone: 'UTC', entrances: [{ id: 'entrance00000002' }, { id: 'entrance00000003' }] },
    { name: 'Shop', kind: 'other', threshold: undefined, unsignedCards: 'as-gateway', entrances: [{ isTold: false }] },
  ]);
  registry.venueBook.edit('venve00000000002' as VenueId, { dwellMs: 5_400_000 });
  t.equal(registry.kiosk('k10sk00000000002' as KioskId)?.placement.dwellMs, 5_400_000, 'the venue’s word is the last');
  t.equal(registry.kiosk('k10sk00000000001' as KioskId)?.placement.dwellMs, 3_600_000);
  const moved = { kiosk: 'k10sk00000000001' as KioskId, publicKey: rawKey(1), venue: 'venve00000000001' as VenueId };
  t.throws(() => registry.admit({ ...moved, entrance: 'entrance00000002' as EntranceId }, now), { code: 'config.invalid' });
  registry.admit({ ...moved, entrance: 'entrance00000001' as EntranceId, direction: 'in', isDirectionTold: true }, now);
  t.match(registry.kiosk(moved.kiosk), { placement: { direction: 'in', dwellMs: 3_600_000 }, isDirectionTold: true });
  registry.close();
  t.end();
});
