import { join } from 'node:path';
import t from 'tap';
import { type Core, openCore } from '../../core/core.ts';
import type { BatchEntry, LedgerEntry } from '../../core/intake.ts';
import { type CoreKeys, makeCoreKeys } from '../../core/keys.ts';
import { type DeploymentId, newPlaceId, type Seq } from '../../protocol/ids.ts';
import { silentLog } from '../../protocol/log.ts';
import { seededRandom, suiteSize } from '../support/suite-size.ts';
import { DAY, fixture, NOW } from './core-fixture.ts';
import { checkIn, checkOut, HOUR, KioskStub, MINUTE, newCard, reading, shuffled, type Told, undo } from './kiosk-stub.ts';

t.test('accept: replayed, reordered and in parts, a ledger comes to the same', async (t) => {
  const { seed } = suiteSize();
  t.comment(`SEED=${seed}`);
  const random = seededRandom(seed);
  const cards = Array.from({ length: 6 }, newCard);
  const { keys, open } = await fixture(t);
  const kiosks = [1, 2, 3].map(() => new KioskStub(keys));
  const entries: LedgerEntry[] = [];
  for (let batch = 0; batch < 12; batch++) {
    const kiosk = kiosks[batch % 3]!;
    const startMs = NOW - 3 * DAY + batch * 5 * HOUR;
    const told: Told[] = [];
    for (let i = 0; i < 8; i++) {
      const card = cards[Math.floor(random() * cards.length)]!;
      const atMs = startMs + i * 12 * MINUTE;
      const pick = random();
      if (pick < 0.7) told.push({ happening: checkIn(card), atMs });
      else if (pick < 0.9) told.push({ happening: checkOut(card), atMs });
      else told.push({ happening: undo(kiosk.keyId, Math.max(1, kiosk.nextSeq - 3 + i) as Seq), atMs });
    }
    entries.push(await kiosk.batch(told, startMs + 3 * HOUR));
  }
  entries.push(kiosks[0]!.flag(1 as Seq, 'unconfirmed', NOW - HOUR), kiosks[0]!.flag(1 as Seq, 'confirmed', NOW - HOUR));

  const essence = async (core: Core) => ({
    counts: core.counts(),
    contacts: await Promise.all(
      cards.map(async (card) => (await core.overlapsWith(card)).map(({ contact: _, order: __, ...rest }) => JSON.stringify(rest)).sort()),
    ),
  });
  const first = await open('in-order');
  await first.accept(entries);
  const expected = await essence(first);
  t.ok(expected.counts.checkIns > 30 && expected.contacts.flat().length > 10, 'something is compared');
  t.match(expected.counts.flags, { confirmed: 1, unconfirmed: 0 });
  await first.accept(entries);
  await first.accept([...entries].reverse());
  t.strictSame(await essence(first), expected, 'replayed, and backwards');
  first.close();
  t.strictSame(await essence(await open('in-order')), expected, 'reopened');

  for (const name of ['b', 'c', 'd']) {
    let core = await open(name);
    const parts = entries.flatMap((entry): LedgerEntry[] => (entry.kind === 'batch' ? partsOf(entry, random) : [entry]));
    const offered = shuffled([...parts, ...entries, ...parts.slice(0, 7)], random);
    for (let i = 0; i < offered.length; i += 5) {
      await core.accept(offered.slice(i, i + 5));
      if (random() < 0.2) {
        core.close();
        core = await open(name);
      }
    }
    t.strictSame(await essence(core), expected, 'in parts, shuffled, some twice, reopened between');
  }
});

/** As a ledger that took some rows of a batch now and the others later. */
const partsOf = (entry: BatchEntry, random: () => number): BatchEntry[] => {
  const cut = Math.floor(random() * entry.rows.length);
  return [
    { ...entry, rows: entry.rows.slice(0, cut) },
    { ...entry, rows: entry.rows.slice(cut) },
  ];
};

t.test('accept: many at once, and two callers at the same time', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const entries: LedgerEntry[] = [];
  for (let i = 0; i < 300; i++) entries.push(await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW - i }], NOW));
  await Promise.all([core.accept(entries), core.accept([...entries].reverse())]);
  t.match(core.counts(), { checkIns: 300, setAside: 0 });
});

t.test('accept: an entry that is wrong in itself is set aside with its reason, once, and nothing behind it waits', async (t) => {
  const { dir, keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const other = new KioskStub(keys);
  const stranger = new KioskStub(await makeCoreKeys(join(dir, 'others-keys')));
  const entry = (from = kiosk) => from.batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW);
  const flipped = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
  const good = await entry();
  const second = await entry();
  const third = await entry();
  const elsewhere = await entry(other);
  const torn = await kiosk.entry([{ seq: kiosk.nextSeq, row: new Uint8Array([1, 2, 3]) }, kioskRow(kiosk)], NOW);
  const wrong: Record<string, LedgerEntry> = {
    'seal.signature': { ...good, sign1: flipped(good.sign1) },
    'seal.signature key record': { ...good, keyRecord: flipped(good.keyRecord) },
    'seal.signature other kiosk': { ...good, kioskPublicKey: elsewhere.kioskPublicKey },
    'seal.kiosk': { ...good, kiosk: other.kiosk },
    'seal.digest': { ...good, rows: [...good.rows, ...second.rows] },
    'seal.unknown_recipient': await entry(stranger),
    'seal.unknown_key': { ...good, keyRecord: await otherKeyRecord(kiosk, keys) },
    'decode.malformed': { ...good, kioskPublicKey: new Uint8Array(31) },
    'decode.malformed venue': { ...elsewhere, placement: { ...good.placement, venue: '' as never } },
    'decode.out_of_range': { ...good, placement: { ...good.placement, dwellMs: 0.5 } },
    'decode.unsupported': { ...kiosk.flag(1 as Seq, 'confirmed', NOW), state: 'maybe' as never },
    'decode.malformed one row of a batch': torn,
  };
  await core.accept([second, ...Object.values(wrong), third]);
  t.match(core.counts(), { checkIns: 3, setAside: Object.keys(wrong).length });
  const reasons = core.setAside(100).map(({ reason }) => reason);
  t.strictSame(
    reasons.reverse(),
    Object.keys(wrong).map((name) => name.split(' ')[0]),
  );
  t.match(core.setAside(1), [{ kiosk: kiosk.kiosk, position: torn.position, seq: 4 }], 'one row of a batch, and its others are kept');

  await core.accept(Object.values(wrong));
  t.equal(core.counts().setAside, Object.keys(wrong).length, 'offered again');
  await core.accept([good]);
  t.equal(core.counts().checkIns, 4, 'the same entry unharmed is taken');

  // Its key record is known by now, but as that of another signer.
  const unsent = kiosk.seal({ happening: checkIn(newCard()), atMs: NOW });
  await core.accept([{ ...good, ...kiosk.sign([unsent], other.signingKey, NOW), kioskPublicKey: elsewhere.kioskPublicKey }]);
  t.equal(core.counts().checkIns, 4);
  t.match(core.setAside(1), [{ reason: 'seal.signature' }]);
});

const kioskRow = (kiosk: KioskStub) => {
  kiosk.seal({ happening: checkIn(newCard()), atMs: NOW });
  return kiosk.seal({ happening: checkIn(newCard()), atMs: NOW });
};

/** Signed by the same kiosk, but of another process of it. */
const otherKeyRecord = async (kiosk: KioskStub, keys: CoreKeys): Promise<Uint8Array> => {
  const restarted = kiosk.restarted(keys);
  return (await restarted.batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW)).keyRecord;
};

t.test('accept: rows of another deployment are set aside', async (t) => {
  const { dir, keys, clock } = await fixture(t);
  const deployment = newPlaceId<DeploymentId>();
  const core = await openCore({ dir: join(dir, 'other'), deployment, keys, clock, log: silentLog });
  t.teardown(() => core.end());
  await core.accept([await new KioskStub(keys).batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW)]);
  t.match(core.counts(), { checkIns: 0, setAside: 1 });
  t.match(core.setAside(1), [{ reason: 'seal.signature' }]);
});

t.test('accept: an undo works before what it takes back has come, and after a restart of the kiosk', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys, { dwellMs: HOUR });
  const restarted = kiosk.restarted(keys);
  const [anna, ben] = [newCard(), newCard()];
  const scans = await kiosk.batch(
    [
      { happening: checkIn(anna), atMs: NOW - HOUR },
      { happening: checkIn(ben), atMs: NOW - HOUR },
    ],
    NOW,
  );
  await core.accept([await restarted.batch([{ happening: undo(kiosk.keyId, 2 as Seq), atMs: NOW }], NOW)]);
  await core.accept([scans]);
  t.strictSame(await core.overlapsWith(anna), []);
  t.match(core.counts(), { checkIns: 2, undos: 1 });
});

t.test('accept: an undo names rows of its own kiosk only', async (t) => {
  const { keys, open } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const other = new KioskStub(keys);
  const [anna, ben] = [newCard(), newCard()];
  await core.accept([
    await kiosk.batch(
      [
        { happening: checkIn(anna), atMs: NOW - HOUR },
        { happening: checkIn(ben), atMs: NOW - HOUR },
      ],
      NOW,
    ),
    await other.batch([{ happening: undo(kiosk.keyId, 2 as Seq), atMs: NOW }], NOW),
  ]);
  t.equal((await core.overlapsWith(anna)).length, 1);
});

t.test('accept: a flag finds its card, follows its latest state, and ages off', async (t) => {
  const { keys, open, clock } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const [anna, ben] = [newCard(), newCard()];
  const batch = await kiosk.batch(
    [
      { happening: checkIn(anna), atMs: NOW - MINUTE },
      { happening: reading(anna, kiosk.keyId, 1 as Seq), atMs: NOW - MINUTE },
      { happening: checkIn(ben), atMs: NOW - MINUTE },
    ],
    NOW,
  );
  const unconfirmed = kiosk.flag(2 as Seq, 'unconfirmed', NOW);
  const confirmed = kiosk.flag(2 as Seq, 'confirmed', NOW);
  const cleared = kiosk.flag(2 as Seq, 'cleared', NOW);
  await core.accept([unconfirmed, batch]);
  t.match(core.flagsOf(anna), [{ state: 'unconfirmed', raisedAtMs: NOW, expiresAtMs: NOW + 48 * HOUR }]);
  t.strictSame(core.flagsOf(ben), []);
  await core.accept([confirmed]);
  await core.accept([unconfirmed]);
  t.match(core.flagsOf(anna), [{ state: 'confirmed' }], 'an earlier entry that comes again changes nothing');
  t.match(core.counts(), { readings: 1, flags: { confirmed: 1, unconfirmed: 0, cleared: 0 } });
  await core.accept([cleared]);
  t.strictSame(core.flagsOf(anna), []);
  t.match(core.counts().flags, { confirmed: 0, cleared: 1 });
  await clock.advance(48 * HOUR);
  t.match(core.counts().flags, { confirmed: 0, unconfirmed: 0, cleared: 0 });
  await core.accept([unconfirmed]);
  t.strictSame(core.flagsOf(anna), [], 'an entry that is past its end raises nothing');
});

t.test('accept: a doubt lowers the weight of the visits that rest on its row, whichever came first, and takes nothing away', async (t) => {
  const { keys, open, clock } = await fixture(t);
  const core = await open();
  const kiosk = new KioskStub(keys);
  const [anna, ben, cleo] = [newCard(), newCard(), newCard()];
  const batch = await kiosk.batch(
    [anna, ben, cleo].map((card) => ({ happening: checkIn(card), atMs: NOW - HOUR })),
    NOW,
  );
  const doubt = kiosk.doubt(2 as Seq, 'two-places', NOW);
  await core.accept([doubt, batch, doubt, kiosk.doubt(2 as Seq, 'door-rate', NOW)]);
  t.strictSame((await core.overlapsWith(anna)).map(({ isDoubtful }) => isDoubtful).toSorted(), [false, true], 'one of the two others');
  t.strictSame(
    (await core.overlapsWith(ben)).map(({ isDoubtful }) => isDoubtful),
    [true, true],
    'whose own visit is in doubt',
  );
  t.equal(core.counts().doubted, 1, 'one row, for two reasons');
  await core.accept([{ ...kiosk.doubt(3 as Seq, 'door-rate', NOW), reason: 'dislike' as never }]);
  t.match(core.setAside(1), [{ reason: 'decode.unsupported' }]);
  await clock.advance(22 * 24 * HOUR);
  t.equal(core.counts().doubted, 0, 'forgotten with what it is about');
});
