import { join } from 'node:path';
import t from 'tap';
import { coreStatus } from '../../core/status.ts';
import { fixture, NOW } from './core-fixture.ts';
import { checkIn, KioskStub, newCard } from './kiosk-stub.ts';

t.test('status: what is held and what was set aside is told by kiosk and reason, beside a core that goes on', async (t) => {
  const { open, dir, keys, clock } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const good = await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW);
  const sign1 = Uint8Array.from(good.sign1);
  sign1[sign1.length - 1] = (sign1[sign1.length - 1] ?? 0) ^ 1;
  await core.accept([good, { ...good, sign1 }]);
  const status = coreStatus({ dir: join(dir, 'core'), storeKey: keys.storeKey, clock });
  t.match(status, { days: 1, setAside: 1, setAsideBy: [{ kiosk: kiosk.kiosk, reason: 'seal.signature', count: 1 }] });
  t.match(status, { cases: { confirmed: 0 }, notices: { noticed: 0, leftOut: 0, toTrace: 0 } });
  core.close();
});

t.test('status: of a clock that jumped ahead the days that are held are told, and that it is doubted', async (t) => {
  const { open, dir, keys, clock } = await fixture(t);
  const core = await open();
  await core.accept([await new KioskStub(keys).batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW)]);
  const status = () => coreStatus({ dir: join(dir, 'core'), storeKey: keys.storeKey, clock });
  t.notOk('clock' in status());
  clock.stepWall(35 * 86_400_000);
  t.match(status(), { days: 1, clock: { kind: 'ahead', byMs: 35 * 86_400_000 } });
  core.close();
});
