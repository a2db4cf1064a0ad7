import { join } from 'node:path';
import t from 'tap';
import { CodeBook } from '../../gateway/enrol/code-book.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';

t.test('code book: a code that an operator takes back while a kiosk comes with it is the kiosk’s or withdrawn, never both', async (t) => {
  const path = join(t.testdir(), 'enrolment.db');
  const [gateway, operator] = [new CodeBook(path, new Uint8Array(32)), new CodeBook(path, new Uint8Array(32))];
  t.teardown(() => {
    gateway.close();
    operator.close();
  });
  const at = (ms: number) => ms as EpochMillis;
  const door = { venue: newPlaceId<VenueId>(), entrance: newPlaceId<EntranceId>(), direction: undefined, dwellMs: undefined };
  const order = { ...door, role: 'kiosk', replaces: undefined, expiresAtMs: at(1_000) } as const;
  const secrets = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
  const [first = 0, second = 0] = operator.give(
    secrets.map((secret) => ({ ...order, secret })),
    at(0),
  );
  operator.open([first, second]);
  const [kiosk, key] = [newPlaceId<KioskId>(), new Uint8Array(32)];

  t.equal(gateway.find(secrets[0] ?? key)?.withdrawnAtMs, undefined, 'the gateway looked');
  t.ok(operator.withdraw(first, at(1)), 'and the operator was told that nobody will use it');
  t.notOk(gateway.bind(first, kiosk, key, at(2)));
  t.match(gateway.codes().at(-1), { number: first, bound: undefined, withdrawnAtMs: 1 });

  t.ok(gateway.bind(second, kiosk, key, at(2)));
  t.notOk(operator.withdraw(second, at(3)));
  t.ok(gateway.bind(second, kiosk, key, at(4)), 'the same kiosk again');
});
