import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Core, openCore } from '../../../core/core.ts';
import { openCoreDb } from '../../../core/core-db.ts';
import type { Day } from '../../../core/day.ts';
import { DayKeys } from '../../../core/day-keys.ts';
import type { Machine } from '../../../core/gateways.ts';
import type { HolderReceipt } from '../../../core/holder/receipt.ts';
import { CardNames } from '../../../core/pseudonym.ts';
import { cardOfProof, decodeChallenge, decodeProof, encodeProof, type HolderAction, signProof } from '../../../protocol/holder.ts';
import { type DeploymentId, newPlaceId } from '../../../protocol/ids.ts';
import { newKeyCode } from '../../../protocol/key-code.ts';
import { silentLog } from '../../../protocol/log.ts';
import { noticeDigestOf } from '../../../protocol/notice.ts';
import type { TierProgress, ToldRevocation } from '../../../protocol/revocation-news.ts';
import { deriveVisitor, type Visitor } from '../../../protocol/visitor.ts';
import { bytesSecret, type Secret } from '../../support/leak-search.ts';
import { LogRecorder } from '../../support/log-recorder.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { searchOpened } from '../../support/opened-search.ts';
import { DAY, type Fixture, fixture, NOW } from '../core-fixture.ts';
import { checkIn, checkOut, DEPLOYMENT, HOUR, KioskStub, MINUTE, newCard, reading, undo } from '../kiosk-stub.ts';

const newVisitor = (): Visitor => deriveVisitor(newKeyCode());

const proofOf = (core: Core, visitor: Visitor, action: HolderAction): string =>
  encodeProof(signProof(action, decodeChallenge(core.holder.challenge()), visitor));

async function ask(
  core: Core,
  visitor: Visitor,
  action: HolderAction,
): Promise<{ receipt?: HolderReceipt | null; revokedAtMs?: number | null }> {
  const answer = JSON.parse(await core.holder.ask(proofOf(core, visitor, action), 'here')) as { receipt?: string | null };
  return { ...answer, ...(typeof answer.receipt === 'string' && { receipt: payloadOf(answer.receipt) }) } as never;
}

const NEVER = new AbortController().signal;

/** What a gateway is told, the first one unless another is named. */
const told = async (core: Core, gateway?: Machine): Promise<readonly ToldRevocation[]> =>
  (await core.revocationsFor(gateway).revocations(undefined, 0, NEVER)).noticed;

/** A gateway says this of the first that it is told of. */
async function said(
  core: Core,
  { gateway, tiers }: { readonly gateway?: Machine; readonly tiers: readonly TierProgress[] },
): Promise<void> {
  const [first] = await told(core, gateway);
  await core.revocationsFor(gateway).report({ known: [], progress: first === undefined ? [] : [{ tombstone: first.digest, tiers }] });
}

const payloadOf = (jws: string): HolderReceipt => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as HolderReceipt;

/** All that the core could know a card by. */
const secretsOf = ({ keys }: Fixture, { card, publicKey }: Visitor): Secret[] => [
  bytesSecret('UUID', card),
  bytesSecret('public key', publicKey),
  bytesSecret("the core's name", new CardNames(keys.pseudonymKey).of(card)),
  bytesSecret('digest for notices', noticeDigestOf(card)),
];

/** What of the secrets lies in the core's files, write-ahead logs included. */
function found({ dir, keys }: Fixture, secrets: readonly Secret[], name = 'core'): string[] {
  const corePath = join(dir, name, 'core.db');
  const db = openCoreDb(corePath, keys.storeKey, 'read');
  const dayKeys = new DayKeys(db);
  const days = readdirSync(join(dir, name, 'days')).filter((file) => file.endsWith('.db'));
  const inDays = days.flatMap((file) => {
    const key = dayKeys.find(file.slice(0, 10) as Day)?.key;
    return key === undefined ? [] : searchOpened(join(dir, name, 'days', file), key, secrets, file);
  });
  db.close();
  return [...inDays, ...searchOpened(corePath, keys.storeKey, secrets, 'core.db')].map(({ where, secret }) => `${where}: ${secret}`);
}

t.test('revoke: everything under the card is gone from every file of the core, and nothing of anybody else', async (t) => {
  const f = await fixture(t);
  const core = await f.open();
  const kiosk = new KioskStub(f.keys);
  const [anna, ben] = [newVisitor(), newVisitor()];
  const others = Array.from({ length: 300 }, newCard);
  // Enough that the card's rows lie among others', in pages that are split and moved.
  for (const daysAgo of [2, 1, 0]) {
    const at = NOW - daysAgo * DAY - 2 * HOUR;
    for (let from = 0; from < others.length; from += 50) {
      const told = others.slice(from, from + 50).map((card) => ({ happening: checkIn(card), atMs: at }));
      const own = [anna, ben].map(({ card }) => ({ happening: checkIn(card), atMs: at + from * MINUTE }));
      await core.accept([await kiosk.batch([...told, ...own, { happening: checkOut(anna.card), atMs: at + HOUR }], NOW)]);
    }
  }
  const first = kiosk.nextSeq;
  await core.accept([
    await kiosk.batch(
      [
        { happening: checkIn(anna.card), atMs: NOW },
        { happening: reading(anna.card, kiosk.keyId, first), atMs: NOW },
        { happening: undo(kiosk.keyId, first), atMs: NOW },
      ],
      NOW,
    ),
    kiosk.flag((first + 1) as never, 'confirmed', NOW),
    kiosk.doubt(first, 'two-places', NOW),
  ]);
  const secrets = secretsOf(f, anna);
  t.strictSame(
    found(f, secrets),
    ['2026-11-19.db', '2026-11-20.db', '2026-11-21.db', 'core.db'].map((file) => `${file}: the core's name`),
    'in three days, and in core.db for her flag',
  );
  t.equal(core.flagsOf(anna.card).length, 1);
  const before = core.counts();

  t.strictSame(await ask(core, anna, 'receipt'), { receipt: null }, 'there is no receipt before');
  const { receipt } = await ask(core, anna, 'revoke');
  t.match(receipt, { version: 1, revokedAtMs: NOW, asOfMs: NOW, core: Buffer.from(f.keys.recipient.id).toString('hex') });
  t.match(receipt?.tiers, [
    { tier: 'core', state: 'done', atMs: NOW },
    { tier: 'gateway', state: 'pending' },
    { tier: 'kiosks', state: 'pending' },
    { tier: 'sinks', state: 'pending' },
    { tier: 'backups', state: 'pending', untilMs: NOW + 21 * DAY },
  ]);
  t.strictSame(found(f, secrets), ['core.db: public key'], 'the proof alone, until a gateway has heard of it');
  await said(core, { tiers: [{ tier: 'gateway', done: 1, of: 1 }] });
  t.strictSame(found(f, secrets), [], 'nothing at all');
  t.ok(found(f, secretsOf(f, ben)).length >= 3, 'the other is found as before');
  t.strictSame(await told(core), [], 'nobody has to be told any more');

  const { checkIns, checkOuts, readings, doubted, undos } = core.counts();
  t.strictSame([before.checkIns - checkIns, before.checkOuts - checkOuts, before.readings - readings], [19, 18, 1]);
  t.strictSame([doubted, undos, core.counts().flags.confirmed], [0, 0, 0]);
  t.strictSame(await core.overlapsWith(anna.card), []);
  t.ok((await core.overlapsWith(ben.card)).length > 0);
});

t.test('revoke: what comes of the card later is refused and counted, also after a restart; the receipt stays the same one', async (t) => {
  const f = await fixture(t);
  let core = await f.open();
  const kiosk = new KioskStub(f.keys);
  const anna = newVisitor();
  const entry = await kiosk.batch([{ happening: checkIn(anna.card), atMs: NOW }], NOW);
  await core.accept([entry]);
  const { receipt } = await ask(core, anna, 'revoke');
  await core.accept([
    entry,
    await kiosk.batch(
      [
        { happening: checkIn(anna.card), atMs: NOW },
        { happening: checkIn(newCard()), atMs: NOW },
      ],
      NOW,
    ),
  ]);
  t.match(core.counts(), { checkIns: 1, revokedRefused: 2 });
  core.close();
  core = await f.open();
  await core.accept([await kiosk.batch([{ happening: checkIn(anna.card), atMs: NOW }], NOW)]);
  t.match(core.counts(), { checkIns: 1, revokedRefused: 3 });
  await f.clock.advance(HOUR);
  t.match(await ask(core, anna, 'receipt'), { receipt: { receipt: receipt?.receipt, revokedAtMs: NOW, asOfMs: NOW + HOUR } });
  t.match(await ask(core, anna, 'revoke'), { receipt: { receipt: receipt?.receipt, revokedAtMs: NOW } }, 'twice changes nothing');
  t.match(await ask(core, anna, 'read'), { notices: [], revokedAtMs: NOW });
});

t.test('revoke: a day that can not be read keeps the core pending, until it is dropped', async (t) => {
  const f = await fixture(t);
  let core = await f.open();
  const anna = newVisitor();
  const kiosk = new KioskStub(f.keys);
  await core.accept([await kiosk.batch([{ happening: checkIn(anna.card), atMs: NOW - DAY }], NOW)]);
  core.close();
  writeFileSync(join(f.dir, 'core/days/2026-11-20.db'), Buffer.alloc(8_192, 0x55));
  core = await f.open();
  t.match((await ask(core, anna, 'revoke')).receipt?.tiers[0], { tier: 'core', state: 'pending' });
  core.dropDay('2026-11-20' as Day);
  await f.clock.advance(61_000);
  await core.holder.settled();
  t.match((await ask(core, anna, 'receipt')).receipt?.tiers[0], { tier: 'core', state: 'done', atMs: NOW + 60_000 });
});

t.test('revoke: a core that was brought back from a backup erases again what a gateway knows the tombstone of', async (t) => {
  const f = await fixture(t);
  let core = await f.open();
  const [anna, ben] = [newVisitor(), newVisitor()];
  const kiosk = new KioskStub(f.keys);
  const visits = [anna, ben].flatMap(({ card }) => [0, 1].map((days) => ({ happening: checkIn(card), atMs: NOW - days * DAY })));
  await core.accept([await kiosk.batch(visits, NOW)]);
  core.close();
  copyTree(join(f.dir, 'core'), join(f.dir, 'backup'));
  core = await f.open();
  await ask(core, anna, 'revoke');
  const known = (await told(core)).map(({ digest }) => digest);
  core.close();
  rmSync(join(f.dir, 'core'), { recursive: true });
  copyTree(join(f.dir, 'backup'), join(f.dir, 'core'));
  t.ok(found(f, secretsOf(f, anna)).length > 0, 'the backup has her');
  core = await f.open();
  await core.revocationsFor().report({ known, progress: [] });
  await core.holder.settled();
  t.strictSame(found(f, secretsOf(f, anna)), []);
  t.equal(found(f, secretsOf(f, ben)).length, 2);
  t.match((await ask(core, anna, 'receipt')).receipt?.tiers[0], { tier: 'core', state: 'done' });
});

t.test('revoke: each gateway is told, and a tier is done when all of them have said so of themselves', async (t) => {
  const f = await fixture(t);
  let core = await f.open();
  for (const name of ['north', 'south'])
    core.gateways.add({ name, role: 'gateway', deployment: newPlaceId<DeploymentId>(), regions: 'all' }, NOW);
  core.gateways.add({ name: 'lab', role: 'partner', regions: 'all' }, NOW);
  const anna = newVisitor();
  await ask(core, anna, 'revoke');
  const tiers = async () => Object.fromEntries((await ask(core, anna, 'receipt')).receipt?.tiers.map((one) => [one.tier, one]) ?? []);
  t.match((await tiers()).gateway, { state: 'pending', done: 0, of: 3 });
  const [first, north, south] = core.gateways.list() as [Machine, Machine, Machine];
  const all = (kiosks: number): TierProgress[] => [
    { tier: 'gateway', done: 1, of: 1 },
    { tier: 'kiosks', done: kiosks, of: kiosks },
    { tier: 'sinks', done: 0, of: 0 },
  ];
  await said(core, { gateway: first, tiers: all(2) });
  await said(core, { gateway: north, tiers: all(3) });
  // It says so again and again, and so of nobody but itself.
  for (let n = 0; n < 3; n++) await said(core, { gateway: north, tiers: all(3) });
  t.match(await tiers(), { gateway: { state: 'pending', done: 2, of: 3 }, kiosks: { state: 'pending', done: 5, of: 5 } });
  t.equal((await told(core, south)).length, 1, 'the one that was away is told when it comes');
  core.close();
  core = await f.open();
  t.equal((await told(core, south)).length, 1, 'after a restart, too');
  const [before] = await told(core, south);
  await said(core, {
    gateway: south,
    tiers: [
      { tier: 'gateway', done: 1, of: 1 },
      { tier: 'kiosks', done: 0, of: 1 },
      { tier: 'sinks', done: 0, of: 0 },
    ],
  });
  t.match(await tiers(), {
    gateway: { state: 'done', done: 3, of: 3 },
    kiosks: { state: 'pending', done: 5, of: 6 },
    sinks: { state: 'done' },
  });
  t.strictSame(await told(core, south), [], 'what the proof was for is done');
  await core.revocationsFor(south).report({ known: [], progress: [{ tombstone: before!.digest, tiers: all(1) }] });
  t.match(await tiers(), { kiosks: { state: 'done', done: 6, of: 6 } });
  t.notMatch(JSON.stringify(await tiers()), Buffer.from(anna.card).toString('hex'));
});

t.test('revoke: who is kept waiting hears of a card at once, and of nothing when nothing is', async (t) => {
  const f = await fixture(t);
  const core = await f.open();
  const source = core.revocationsFor();
  const { version, isAnew } = await source.revocations(undefined, 0, NEVER);
  t.equal(isAnew, true);
  const waiting = source.revocations(version, HOUR, NEVER);
  const anna = newVisitor();
  await ask(core, anna, 'revoke');
  const news = await waiting;
  t.match(news, { isAnew: false, hasMore: false, noticed: [{ proof: String }] });
  t.strictSame(cardOfProof(decodeProof(news.noticed[0]!.proof)), anna.card);
  const quiet = source.revocations(news.version, MINUTE, NEVER);
  await f.clock.advance(MINUTE);
  t.match(await quiet, { version: news.version, isAnew: false, noticed: [] });
  core.close();
  const again = (await f.open()).revocationsFor();
  t.match(
    await again.revocations(news.version, HOUR, NEVER),
    { isAnew: true, noticed: [{ digest: news.noticed[0]!.digest }] },
    'of another start',
  );
});

t.test('revoke: a proof that a gateway never came for is forgotten with the days', async (t) => {
  const f = await fixture(t);
  const core = await f.open();
  const anna = newVisitor();
  await ask(core, anna, 'revoke');
  t.strictSame(found(f, secretsOf(f, anna)), ['core.db: public key']);
  core.close();
  const clock = new ManualClock(NOW + 23 * DAY, 23 * DAY);
  const later = await openCore({ dir: join(f.dir, 'core'), deployment: DEPLOYMENT, keys: f.keys, clock, log: silentLog });
  t.teardown(() => later.close());
  t.strictSame(found(f, secretsOf(f, anna)), []);
  t.match((await ask(later, anna, 'receipt')).receipt?.tiers[1], { tier: 'gateway', state: 'pending' });
});

t.test('revoke: a gateway that knows tombstones of nobody makes the core look for so many of them at a time and no more', async (t) => {
  const log = new LogRecorder();
  const f = await fixture(t, log);
  const core = await f.open();
  const strange = () => Array.from({ length: 4_000 }, () => new Uint8Array(randomBytes(16)));
  for (let n = 0; n < 4; n++) await core.revocationsFor().report({ known: strange(), progress: [] });
  t.strictSame(
    log.lines.filter(({ event }) => event === 'holder.tombstones_restored').map(({ fields }) => fields.added),
    [4_000, 4_000, 2_000],
  );
  await core.holder.settled();
});

t.test('forget: after a day is dropped nothing of its cards is found in any file', async (t) => {
  const f = await fixture(t);
  const core = await f.open();
  const anna = newVisitor();
  const kiosk = new KioskStub(f.keys);
  await core.accept([
    await kiosk.batch([{ happening: checkIn(anna.card), atMs: NOW - 2 * DAY }], NOW),
    await kiosk.batch([{ happening: checkIn(newCard()), atMs: NOW }], NOW),
  ]);
  const secrets = secretsOf(f, anna);
  t.equal(found(f, secrets).length, 1);
  core.close();
  const clock = new ManualClock(NOW + 20 * DAY, 20 * DAY);
  const later = await openCore({ dir: join(f.dir, 'core'), deployment: DEPLOYMENT, keys: f.keys, clock, log: silentLog });
  t.teardown(() => later.close());
  t.strictSame(found(f, secrets), []);
  t.match(later.counts(), { days: 1, daysDropped: 1 });
});

t.test('holder: a proof counts once, for two minutes, for this core, and strangers are slowed down', async (t) => {
  const f = await fixture(t);
  const core = await f.open();
  const anna = newVisitor();
  const proof = proofOf(core, anna, 'read');
  t.same(JSON.parse(await core.holder.ask(proof, 'a')), { notices: [], revokedAtMs: null });
  await t.rejects(core.holder.ask(proof, 'a'), { code: 'holder.challenge' }, 'a second time');
  const late = proofOf(core, anna, 'read');
  await f.clock.advance(120_000);
  await t.rejects(core.holder.ask(late, 'a'), { code: 'holder.challenge' }, 'after two minutes');
  const { challenge, ...rest } = decodeProof(proofOf(core, anna, 'read'));
  await t.rejects(core.holder.ask(encodeProof({ ...rest, challenge: new Uint8Array(32).fill(1) }), 'a'), { code: 'holder.challenge' });
  await t.rejects(core.holder.ask(encodeProof({ ...rest, challenge, core: new Uint8Array(8) }), 'a'), { code: 'holder.challenge' });
  await t.rejects(core.holder.ask(encodeProof({ ...rest, challenge, action: 'revoke' }), 'a'), { code: 'holder.not_proven' });
  await t.rejects(core.holder.ask(encodeProof({ ...rest, challenge }), 'a'), { code: 'holder.challenge' }, 'it was used for the wrong one');
  await t.rejects(core.holder.ask('{}', 'a'), { code: 'decode.malformed' });
  await f.clock.advance(60_000);
  for (let n = 0; n < 20; n++) await core.holder.ask(proofOf(core, anna, 'read'), 'a');
  await t.rejects(core.holder.ask(proofOf(core, anna, 'read'), 'a'), { code: 'holder.too_often' });
  await core.holder.ask(proofOf(core, anna, 'read'), 'b');
  await f.clock.advance(60_000);
  await core.holder.ask(proofOf(core, anna, 'read'), 'a');
});

function copyTree(from: string, to: string): void {
  mkdirSync(join(to, 'days'), { recursive: true });
  for (const name of ['core.db', ...readdirSync(join(from, 'days')).map((day) => join('days', day))])
    copyFileSync(join(from, name), join(to, name));
}
