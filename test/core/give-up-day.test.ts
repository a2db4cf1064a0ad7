import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AuditLog } from '../../core/audit.ts';
import { openCore } from '../../core/core.ts';
import { giveUpDay } from '../../core/give-up-day.ts';
import { makeCoreKeys } from '../../core/keys.ts';
import { silentLog } from '../../protocol/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { checkIn, DEPLOYMENT, HOUR, KioskStub, newCard } from './kiosk-stub.ts';

const NOW = Date.UTC(2026, 10, 21, 9);
const LOST = '2026-11-20';

t.test('give up: a damaged day is forgotten by name, in the audit log, and later rows of it are taken again', async (t) => {
  const root = t.testdir();
  const dir = join(root, 'core');
  const keys = await makeCoreKeys(join(root, 'keys'));
  const clock = new ManualClock(NOW);
  const open = () => openCore({ dir, deployment: DEPLOYMENT, keys, clock, log: silentLog });
  const kiosk = new KioskStub(keys);
  const batch = (atMs: number) => kiosk.batch([{ happening: checkIn(newCard()), atMs }], NOW);
  const ask = (day: string, purpose = 'its disk was lost') =>
    giveUpDay({ dir, keys, clock, log: silentLog }, { day, who: 'vera', purpose });

  const core = await open();
  await core.accept([await batch(NOW - 24 * HOUR), await batch(NOW - HOUR)]);
  t.throws(() => ask(LOST), { code: 'config.locked' }, 'while it runs');
  core.close();
  t.throws(() => ask(LOST), { code: 'config.invalid', message: /can be read/ });
  writeFileSync(join(dir, `days/${LOST}.db`), Buffer.alloc(8_192, 0x55));
  const refused = await batch(NOW - 23 * HOUR);
  const damaged = await open();
  await t.rejects(damaged.accept([refused]), { code: 'store.corrupt' });
  damaged.close();
  t.throws(() => ask(LOST, ' '), { code: 'config.invalid', message: /purpose/ });
  t.throws(() => ask('yesterday'), { code: 'config.invalid', message: /no day of this name/ });

  t.match(ask(LOST), { entry: 1, reason: 'store.corrupt' });
  t.match(new AuditLog(dir, keys.storeKey).entries(10), [
    { who: 'vera', action: 'day.give_up', about: LOST, outcome: 'done', detail: 'store.corrupt' },
  ]);
  const again = await open();
  t.teardown(() => again.close());
  await again.accept([refused]);
  t.match(again.counts(), { checkIns: 2, days: 2, unreadableDays: 0, daysDropped: 1 });
});
