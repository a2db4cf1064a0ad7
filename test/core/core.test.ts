import t from 'tap';
import { openCore } from '../../core/core.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { checkIn, checkOut, DEPLOYMENT, HOUR, KioskStub, MINUTE, newCard, undo } from './kiosk-stub.ts';

const NOW = Date.UTC(2026, 10, 21, 9);

t.test('core: two cards at one venue are contacts of one another, and nobody else is', async (t) => {
  const dir = t.testdir();
  const keys = await makeCoreKeys(`${dir}/keys`);
  const clock = new ManualClock(NOW);
  const core = await openCore({ dir: `${dir}/core`, deployment: DEPLOYMENT, keys, clock, log: silentLog });
  t.teardown(() => core.close());
  const shop = new KioskStub(keys);
  const cafe = new KioskStub(keys);
  const [anna, ben, cleo] = [newCard(), newCard(), newCard()];
  await core.accept([
    await shop.batch(
      [
        { happening: checkIn(anna), atMs: NOW - 2 * HOUR },
        { happening: checkIn(ben, 3), atMs: NOW - 2 * HOUR + 10 * MINUTE },
        { happening: checkOut(anna), atMs: NOW - 2 * HOUR + 40 * MINUTE },
      ],
      NOW,
    ),
    await cafe.batch([{ happening: checkIn(cleo), atMs: NOW - 2 * HOUR }], NOW),
  ]);
  t.match(core.counts(), { checkIns: 3, checkOuts: 1, undos: 0, setAside: 0, expired: 0, days: 1 });
  const contacts = core.overlapsWith(anna);
  t.match(contacts, [
    { venue: shop.placement.venue, day: '2026-11-21', overlapMs: 30 * MINUTE + 4_000, isCertain: true, groupSize: 3, order: 1 },
  ]);
  t.equal(core.overlapsWith(ben).length, 1);
  t.strictSame(core.overlapsWith(cleo), []);
  await core.accept([await shop.batch([{ happening: undo(shop.keyId, 2 as never), atMs: NOW }], NOW)]);
  t.strictSame(core.overlapsWith(anna), []);
});
