import { spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openCore } from '../../core/core.ts';
import type { Day } from '../../core/day.ts';
import type { Seq } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { bytesSecret, searchTree, temperatureSecret } from '../support/leak-search.ts';
import { DAY, fixture, NOW } from './core-fixture.ts';
import { checkIn, checkOut, DEPLOYMENT, HOUR, KioskStub, MINUTE, newCard, reading, undo } from './kiosk-stub.ts';

t.test('core: two cards at one venue are contacts of one another, and nobody else is', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
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
  const contacts = await core.overlapsWith(anna);
  t.match(contacts, [
    {
      venue: shop.placement.venue,
      day: '2026-11-21',
      overlapMs: 30 * MINUTE + 4_000,
      isCertain: true,
      groupSize: 3,
      isDoubtful: false,
      order: 1,
    },
  ]);
  t.equal((await core.overlapsWith(ben)).length, 1);
  t.strictSame(await core.overlapsWith(cleo), []);
  await core.accept([await shop.batch([{ happening: undo(shop.keyId, 2 as never), atMs: NOW }], NOW)]);
  t.strictSame(await core.overlapsWith(anna), []);
});

t.test('accept: a store that can not keep throws, and the same entries are taken when it can', async (t) => {
  const { dir, keys, open } = await fixture(t);
  let core = await open();
  const kiosk = new KioskStub(keys);
  const yesterday = await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW - DAY }], NOW);
  await core.accept([yesterday]);
  core.close();
  const path = join(dir, 'core/days/2026-11-20.db');
  writeFileSync(path, Buffer.alloc(8_192, 0x55));
  core = await open();
  const both = await kiosk.batch(
    [
      { happening: checkIn(newCard()), atMs: NOW - DAY },
      { happening: checkIn(newCard()), atMs: NOW },
    ],
    NOW,
  );
  await t.rejects(core.accept([both]), { name: 'StoreError', code: 'store.corrupt', message: /day 2026-11-20/ });
  const today = await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW);
  await core.accept([today]);
  t.match(core.counts(), { checkIns: 1, days: 2, unreadableDays: 1 }, 'what can be read is counted');
  core.dropDay('2026-11-20' as Day);
  await core.accept([yesterday, both, today]);
  t.match(core.counts(), { checkIns: 4, daysDropped: 1 });
});

t.test('accept: after close it throws, and nothing is half kept', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const entry = await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW);
  const underWay = core.accept([entry]);
  core.close();
  core.close();
  await t.rejects(underWay, { code: 'store.failed' });
  const again = await open();
  t.equal(again.counts().checkIns, 0);
  await again.accept([entry]);
  t.equal(again.counts().checkIns, 1);
});

t.test('accept: no card and no temperature lies in the files in the open', async (t) => {
  const { dir, keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const card = newCard();
  await core.accept([
    await kiosk.batch(
      [
        { happening: checkIn(card), atMs: NOW },
        { happening: reading(card, kiosk.keyId, 1 as Seq, 3_847), atMs: NOW },
      ],
      NOW,
    ),
    kiosk.flag(2 as Seq, 'confirmed', NOW),
  ]);
  const secrets = [
    bytesSecret('card', card),
    bytesSecret('kiosk', Buffer.from(kiosk.kiosk)),
    temperatureSecret('temperature', 3_847),
    bytesSecret('SQLite header', Buffer.from('SQLite format 3')),
  ];
  const search = () => searchTree(join(dir, 'core'), secrets, (path) => path === 'core.lock');
  t.strictSame(search(), []);
  core.close();
  t.strictSame(search(), [], 'closed');
  t.strictSame(
    searchTree(join(dir, 'core'), [temperatureSecret('temperature', 384_712_345)], () => false),
    [],
  );
  appendFileSync(join(dir, 'core/days/2026-11-21.db'), card);
  t.match(search(), [{ secret: 'card' }], 'the search finds a planted one');
});

t.test('core: it knows how far it took the ledger, and after a restart never claims more than it has', async (t) => {
  const { keys, open } = await fixture(t);
  let core = await open();
  const kiosk = new KioskStub(keys);
  t.equal(await core.taken(), 0);
  const positions: number[] = [];
  for (let card = 0; card < 3; card++) {
    const entry = await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW);
    positions.push(entry.position);
    await core.accept([entry]);
    t.equal(await core.taken(), entry.position);
  }
  core.close();
  core = await open();
  t.equal(await core.taken(), positions[1], 'the one before the last: that one is offered again');
  t.equal(core.counts().checkIns, 3);
});

t.test('core: one process at a time writes a directory', async (t) => {
  const { open } = await fixture(t);
  const core = await open();
  await t.rejects(open(), { name: 'ConfigError', code: 'config.locked' });
  core.close();
  await open();
});

t.test('core: other keys than those it was made under are refused, and nothing is changed', async (t) => {
  const { dir, keys, clock, open } = await fixture(t);
  (await open()).close();
  const others = { ...keys, storeKey: Buffer.alloc(32, 1) };
  const options = { dir: join(dir, 'core'), deployment: DEPLOYMENT, keys: others, clock, log: silentLog };
  await t.rejects(openCore(options), { name: 'StoreError', code: 'store.wrong_key' });
  (await open()).close();
});

t.test('core: killed at any point, it has all that it had taken, once, and can be opened again', async (t) => {
  const { dir, open } = await fixture(t);
  const here = (path: string): string => JSON.stringify(join(import.meta.dirname, path));
  const script = `
    import { openCore } from ${here('../../core/core.ts')};
    import { readCoreKeys } from ${here('../../core/keys.ts')};
    import { checkIn, DEPLOYMENT, KioskStub, newCard } from ${here('kiosk-stub.ts')};
    import { ManualClock } from ${here('../support/manual-clock.ts')};
    const log = { error() {}, warn() {}, info() {}, debug() {} };
    const keys = await readCoreKeys(${JSON.stringify(join(dir, 'keys'))});
    const core = await openCore({ dir: ${JSON.stringify(join(dir, 'core'))}, deployment: DEPLOYMENT, keys, clock: new ManualClock(${NOW}), log });
    const kiosk = new KioskStub(keys);
    for (let i = 0; ; i++) {
      const told = [0, 1, 2].map((days) => ({ happening: checkIn(newCard()), atMs: ${NOW} - days * ${DAY} }));
      const entry = await kiosk.batch(told, ${NOW});
      await core.accept([entry, entry]);
      process.stdout.write('.');
    }
  `;
  let taken = 0;
  let before = 0;
  for (const batches of [1, 4, 9]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
    let told = 0;
    child.stdout.on('data', (bytes: Buffer) => {
      told += bytes.length;
      if (told >= batches) child.kill('SIGKILL');
    });
    await ended;
    taken += told * 3;
    const core = await open();
    const { checkIns, setAside } = core.counts();
    t.ok(checkIns >= taken, `${checkIns} held, ${taken} taken`);
    t.ok(checkIns - before <= told * 3 + 3, 'and of the batch under way at most its three rows');
    t.equal(setAside, 0);
    before = checkIns;
    taken = checkIns;
    core.close();
  }
});
