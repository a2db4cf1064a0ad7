import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openCore } from '../../core/core.ts';
import { type BootId, newPlaceId, type Seq } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { DAY, fixture, NOW } from './core-fixture.ts';
import { checkIn, DEPLOYMENT, HOUR, KioskStub, MINUTE, newCard, type Told, undo } from './kiosk-stub.ts';

t.test('accept: a clock a year off, or stepping, places events where they were', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const shop = { venue: newPlaceId<never>(), dwellMs: 30 * MINUTE };
  const right = new KioskStub(keys, shop);
  const yearOff = new KioskStub(keys, shop);
  const stepping = new KioskStub(keys, shop);
  const [anna, ben, cleo, dora] = [newCard(), newCard(), newCard(), newCard()];
  const thenMs = NOW - 2 * DAY;
  await core.accept([
    await right.batch([{ happening: checkIn(anna), atMs: thenMs }], NOW),
    await yearOff.batch([{ happening: checkIn(ben), atMs: thenMs, wallMs: thenMs - 365 * DAY, clock: 'unsynced' }], NOW),
    await stepping.batch(
      [
        { happening: checkIn(cleo), atMs: thenMs, wallMs: thenMs + 365 * DAY, clock: 'synced' },
        { happening: checkIn(dora), atMs: thenMs + 10 * MINUTE, wallMs: Date.UTC(1970, 0, 1), clock: 'assumed' },
      ],
      NOW,
    ),
  ]);
  t.match(core.counts(), { checkIns: 4, days: 1, expired: 0 });
  const contacts = await core.overlapsWith(anna);
  t.strictSame(
    contacts.map(({ day, isCertain }) => ({ day, isCertain })),
    [1, 2, 3].map(() => ({ day: '2026-11-19', isCertain: true })),
  );
});

t.test('accept: an event that nothing places is kept at the edge of retention, and lost for its clock never', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const bootId = new Uint8Array(16).fill(5) as BootId;
  await core.accept([
    await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW - HOUR, wallMs: 0, clock: 'unsynced', bootId }], NOW - MINUTE),
  ]);
  t.match(core.counts(), { checkIns: 1, expired: 0 });
  t.ok(readdirSync(join(t.testdirName, 'core/days')).includes('2026-11-01.db'));
});

t.test('accept: an event of before retention is counted, once, and not kept', async (t) => {
  const { keys, open, clock } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const late = await kiosk.batch(
    [
      { happening: checkIn(newCard()), atMs: Date.UTC(2026, 9, 31, 23, 59) },
      { happening: checkIn(newCard()), atMs: Date.UTC(2026, 10, 1, 0, 0) },
    ],
    NOW,
  );
  await core.accept([late, late]);
  await core.accept([late]);
  t.match(core.counts(), { checkIns: 1, expired: 1, days: 1 });
  await clock.leap(22 * DAY);
  t.match(core.counts(), { checkIns: 0, expired: 1, days: 0, daysDropped: 1 }, 'the count outlives the note');
});

t.test('accept: a row that comes again under another time is held once', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const bootId = new Uint8Array(16).fill(5) as BootId;
  const sealed = [0, 1, 2].map((i) =>
    kiosk.seal({ happening: checkIn(newCard()), atMs: NOW, wallMs: NOW + i * DAY, clock: 'unsynced', bootId }),
  );
  await core.accept([await kiosk.entry(sealed, NOW - 2 * DAY), await kiosk.entry(sealed, NOW - 3 * DAY)]);
  await core.accept([await kiosk.entry(sealed, NOW), await kiosk.entry(sealed, NOW - DAY)]);
  t.equal(core.counts().checkIns, 3);
  await core.accept([await kiosk.entry(sealed, NOW - 3 * DAY)]);
  core.close();
  const again = await open();
  await again.accept([await kiosk.entry(sealed, NOW - 5 * DAY), await kiosk.entry(sealed, NOW - 4 * DAY)]);
  t.equal(again.counts().checkIns, 3);
});

t.test('retention: days are dropped by themselves when their time has come, and nothing of before is answered', async (t) => {
  const { dir, keys, clock, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const [anna, ben] = [newCard(), newCard()];
  const both = (atMs: number): Told[] => [
    { happening: checkIn(anna), atMs },
    { happening: checkIn(ben), atMs },
  ];
  await core.accept([await kiosk.batch([...both(NOW - 3 * DAY), ...both(NOW)], NOW)]);
  const days = () => readdirSync(join(dir, 'core/days')).filter((name) => name.endsWith('.db'));
  t.strictSame(days(), ['2026-11-18.db', '2026-11-21.db']);
  await clock.leap(18 * DAY - 9 * HOUR - 1);
  t.equal((await core.overlapsWith(anna)).length, 2);
  clock.stepWall(1);
  t.equal((await core.overlapsWith(anna)).length, 1, 'at midnight, before it is dropped');
  t.match(core.counts(), { checkIns: 2, days: 1, daysDropped: 0 });
  await clock.advance(10 * MINUTE);
  t.strictSame(days(), ['2026-11-21.db']);
  t.match(core.counts(), { checkIns: 2, days: 1, daysDropped: 1 });
  await clock.leap(3 * DAY);
  t.match(core.counts(), { checkIns: 0, days: 0, daysDropped: 2 });
  t.strictSame(await core.overlapsWith(anna), []);
});

t.test('retention: a core that was off for long drops at its next start', async (t) => {
  const { dir, keys, clock, open } = await fixture(t);
  const core = await open();
  await core.accept([await new KioskStub(keys).batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW)]);
  core.close();
  await clock.leap(40 * DAY);
  const again = await open();
  t.strictSame(readdirSync(join(dir, 'core/days')), []);
  t.match(again.counts(), { daysDropped: 1 });
});

t.test('retention: an undo outlives what it takes back', async (t) => {
  const { keys, clock, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const [anna, ben] = [newCard(), newCard()];
  // By a later process of the kiosk, so that nothing else tells of the stream that it names.
  const undone = await kiosk.restarted(keys).batch([{ happening: undo(kiosk.keyId, 2 as Seq), atMs: NOW }], NOW);
  await core.accept([undone]);
  await clock.leap(20 * DAY);
  const laterMs = NOW + 20 * DAY;
  const scans = await kiosk.batch(
    [
      { happening: checkIn(anna), atMs: laterMs },
      { happening: checkIn(ben), atMs: laterMs },
    ],
    laterMs,
  );
  await core.accept([scans]);
  await clock.leap(20 * DAY);
  t.strictSame(await core.overlapsWith(anna), [], 'the undo came 40 days ago, what it takes back is still held');
  t.equal(core.counts().undos, 1);
  await clock.leap(2 * DAY);
  t.match(core.counts(), { undos: 0, checkIns: 0 });
});

t.test('retention: an undo is kept by when it came, whatever its clock said, and past retention it is counted', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const [anna, ben] = [newCard(), newCard()];
  const bootId = new Uint8Array(16).fill(5) as BootId;
  await core.accept([
    await kiosk.batch(
      [
        { happening: checkIn(anna), atMs: NOW },
        { happening: checkIn(ben), atMs: NOW },
        { happening: undo(kiosk.keyId, 2 as Seq), atMs: NOW, wallMs: 0, clock: 'synced', bootId },
      ],
      NOW,
    ),
  ]);
  t.strictSame(await core.overlapsWith(anna), []);
  t.match(core.counts(), { checkIns: 2, undos: 1, expired: 0 });
  const old = await kiosk.batch([{ happening: undo(kiosk.keyId, 1 as Seq), atMs: NOW - 22 * DAY }], NOW - 22 * DAY);
  await core.accept([old, old]);
  t.match(core.counts(), { undos: 1, expired: 1 });
});

t.test('retention: at most 21 days, whatever is asked for', async (t) => {
  const { dir, keys, clock } = await fixture(t);
  const core = await openCore({ dir: join(dir, 'core'), deployment: DEPLOYMENT, keys, clock, log: silentLog, retentionDays: 400 });
  t.teardown(() => core.end());
  await core.accept([await new KioskStub(keys).batch([{ happening: checkIn(newCard()), atMs: NOW - 22 * DAY }], NOW)]);
  t.match(core.counts(), { checkIns: 0, expired: 1 });
});
