/** Many gateways into one core: each has its own ledger and venues, and one that lies or repeats harms its own alone. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { corePieces } from '../../core/backup.ts';
import { type Core, openCore } from '../../core/core.ts';
import { openCoreDb } from '../../core/core-db.ts';
import { Gateways, type Machine } from '../../core/gateways.ts';
import { addedPeers } from '../../core/http-intake.ts';
import { type DeploymentId, newPlaceId, newVenueId, type VenueId } from '../../protocol/ids.ts';
import type { BatchEntry } from '../../protocol/ledger-entry.ts';
import { silentLog } from '../../protocol/log.ts';
import { fixture, NOW } from './core-fixture.ts';
import { checkIn, DEPLOYMENT, HOUR, KioskStub, MINUTE, newCard, reading, undo } from './kiosk-stub.ts';

const OTHER = 'fedcba9876543210'.replaceAll(/[ilou]/g, '0') as DeploymentId;

async function two(t: Test) {
  const made = await fixture(t);
  const core = await made.open();
  const token = core.gateways.add({ name: 'other', role: 'gateway', deployment: OTHER, regions: ['south'] }, NOW) ?? '';
  const other = core.gateways.list().find(({ name }) => name === 'other') as Machine;
  const honest = new KioskStub(made.keys, { venue: newVenueId(DEPLOYMENT) });
  const hostile = new KioskStub(made.keys, { venue: newVenueId(OTHER) }, undefined, OTHER);
  return { ...made, core, token, other, intake: core.intakeOf(other), honest, hostile };
}

const visit = (kiosk: KioskStub, card = newCard(), atMs = NOW - HOUR): Promise<BatchEntry> =>
  kiosk.batch([{ happening: checkIn(card), atMs }], NOW);
const reasons = (core: Core): string[] => core.setAside(99).map(({ reason }) => reason);

t.test('gateways: each has its own ledger, and the core finds who met across their venues', async (t) => {
  const { core, intake, honest, hostile, open } = await two(t);
  const [anna, ben] = [newCard(), newCard()];
  const first = await visit(honest, anna);
  await core.accept([{ ...first, position: 7 }]);
  await intake.accept([{ ...(await visit(hostile, anna, NOW - 30 * MINUTE)), position: 3 }]);
  await intake.accept([{ ...(await visit(hostile, ben, NOW - 30 * MINUTE)), position: 4 }]);
  t.equal(await core.taken(), 7);
  t.equal(await intake.taken(), 4);
  t.equal(core.counts().checkIns, 3);
  t.match(
    await core.overlapsWith(anna, { minimumOverlapMs: 10 * MINUTE }),
    [{ venue: hostile.placement.venue }],
    'one card, seen by two gateways',
  );
  t.strictSame(reasons(core), []);
  core.close();
  const again = await open();
  const machine = again.gateways.list().find(({ name }) => name === 'other') as Machine;
  t.equal(await again.intakeOf(machine).taken(), 3, 'the one before the last: that one is offered again');
  t.equal(await again.taken(), 0);
});

t.test(
  'gateways: what one says of a venue of another is set aside by name, of its kiosks reaches nobody, and the other goes on',
  async (t) => {
    const { core, intake, honest, hostile, keys } = await two(t);
    await core.accept([await honest.batch([{ happening: checkIn(newCard()), atMs: NOW - HOUR }], NOW)]);
    await intake.accept([await visit(hostile)]);
    // Its own key under another's kiosk; another's venue; another's rows.
    const asHonest = new KioskStub(keys, { venue: hostile.placement.venue }, honest, OTHER);
    const inHonestVenue = new KioskStub(keys, { venue: honest.placement.venue }, undefined, OTHER);
    await intake.accept([await visit(asHonest)]);
    await intake.accept([await visit(inHonestVenue)]);
    await intake.accept([honest.flag(1 as never, 'confirmed', NOW), honest.doubt(1 as never, 'door-rate', NOW)]);
    t.strictSame(reasons(core), ['ingest.other_gateway']);
    t.equal(core.counts().checkIns, 3, 'a kiosk of its own that it calls so');
    await core.accept([await visit(honest)]);
    t.equal(core.counts().checkIns, 4);
    t.equal(core.setAside(99).length, 1);
  },
);

t.test('gateways: one that names rows of another takes none back, doubts none and flags none', async (t) => {
  const { core, intake, honest, hostile, keys } = await two(t);
  const [anna, ben] = [newCard(), newCard()];
  await core.accept([await visit(honest, anna), await visit(honest, ben)]);
  const liar = new KioskStub(keys, { venue: hostile.placement.venue }, honest, OTHER);
  await intake.accept([
    await liar.batch([{ happening: undo(honest.keyId, 1 as never), atMs: NOW }], NOW),
    honest.doubt(1 as never, 'door-rate', NOW),
    honest.flag(1 as never, 'confirmed', NOW),
  ]);
  t.match(await core.overlapsWith(anna), [{ isDoubtful: false }], 'she was there, and nobody doubts it');
  t.strictSame(core.flagsOf(anna), []);
});

t.test('gateways: a check-in that one makes up shortens no visit at the venues of another', async (t) => {
  const { core, intake, honest, hostile } = await two(t);
  const [anna, ben] = [newCard(), newCard()];
  await core.accept([await visit(honest, anna), await visit(honest, ben)]);
  // A minute after she came, and each ten minutes from then on; and a check-out.
  for (let minute = 1; minute < 60; minute += 10) await intake.accept([await visit(hostile, anna, NOW - HOUR + minute * MINUTE)]);
  const out = { happening: { type: 'check-out', card: anna }, atMs: NOW - HOUR + 2 * MINUTE } as const;
  await intake.accept([await hostile.batch([out], NOW)]);
  t.match(await core.overlapsWith(anna, { minimumOverlapMs: 55 * MINUTE }), [{ venue: honest.placement.venue }]);
});

t.test('gateways: a venue is whose deployment it begins as, whoever names it first', async (t) => {
  const { core, intake, keys, honest } = await two(t);
  const squatter = new KioskStub(keys, { venue: honest.placement.venue }, undefined, OTHER);
  await intake.accept([await visit(squatter)]);
  await core.accept([await visit(honest)]);
  t.strictSame(reasons(core), ['ingest.other_gateway']);
  t.equal(core.counts().checkIns, 1);
});

t.test(
  'gateways: where there are several, a venue that begins as nobody does is whose the operator says, and then asked for again',
  async (t) => {
    const { core, intake, keys, dir, other } = await two(t);
    const [first, second] = [newPlaceId<VenueId>(), newPlaceId<VenueId>()];
    const at = (venue: VenueId) => new KioskStub(keys, { venue }, undefined, OTHER);
    const entry = { ...(await visit(at(first))), position: 5 };
    await intake.accept([entry]);
    await core.accept([await visit(new KioskStub(keys, { venue: second }))]);
    t.strictSame(reasons(core), Array(2).fill('ingest.unlisted_venue'));
    // As `vestibule core gateway venue` does, in a process of its own.
    const db = openCoreDb(join(dir, 'core', 'core.db'), keys.storeKey, 'write');
    const desk = new Gateways(db);
    desk.listVenue(first, 'other');
    t.throws(() => desk.listVenue(first, 'nobody'), { code: 'config.invalid' });
    t.throws(() => desk.listVenue('no id', 'other'), { code: 'config.invalid' });
    t.equal(await intake.taken(), 0, 'all of it is offered again');
    await intake.accept([entry]);
    t.equal(core.counts().checkIns, 1);
    t.match(core.gateways.venues(), [{ venue: first, gateway: 'other' }]);
    desk.listVenue(first, 'first');
    await intake.accept([await visit(at(first))]);
    t.strictSame(reasons(core)[0], 'ingest.other_gateway', 'it went to another');
    t.equal(desk.unlistVenue(first), true);
    t.equal(desk.unlistVenue(first), false);
    t.equal(core.gateways.holdings(other).kiosks, 1);
    db.close();
  },
);

t.test('gateways: rows of another deployment, and rows that were changed, are set aside and claim nothing', async (t) => {
  const { core, intake, honest, keys } = await two(t);
  await intake.accept([await visit(honest)]);
  t.strictSame(reasons(core), ['seal.signature']);
  const entry = await visit(new KioskStub(keys, { venue: newVenueId(OTHER) }, undefined, OTHER));
  const foreign = { ...entry, kiosk: honest.kiosk };
  await intake.accept([foreign]);
  t.equal(core.setAside(9).length, 2);
  await core.accept([await visit(honest)]);
  t.equal(core.counts().checkIns, 1, 'nobody had taken the kiosk away');
});

t.test('gateways: one that repeats is counted once, and one that throws positions about moves its own place alone', async (t) => {
  const { core, intake, honest, hostile } = await two(t);
  await core.accept([{ ...(await visit(honest)), position: 5 }]);
  const entry = await visit(hostile);
  for (const position of [900, 2, 9_007_199_254_740_991]) await intake.accept([{ ...entry, position }]);
  t.equal(core.counts().checkIns, 2);
  t.equal(await core.taken(), 5);
  t.equal(await intake.taken(), 9_007_199_254_740_991);
});

t.test('gateways: a flag goes by the reading of its own kiosk', async (t) => {
  const { core, intake, hostile } = await two(t);
  const card = newCard();
  await intake.accept([
    await hostile.batch(
      [
        { happening: checkIn(card), atMs: NOW - HOUR },
        { happening: reading(card, hostile.keyId, 1 as never), atMs: NOW - HOUR },
      ],
      NOW,
    ),
    hostile.flag(2 as never, 'confirmed', NOW),
  ]);
  t.match(core.flagsOf(card), [{ state: 'confirmed' }]);
});

t.test('gateways: a venue is of the region that its gateway says, where it may say so', async (t) => {
  const { core, intake, keys, honest } = await two(t);
  const south = new KioskStub(keys, { venue: newVenueId(OTHER), region: 'south' }, undefined, OTHER);
  const north = new KioskStub(keys, { venue: newVenueId(OTHER), region: 'north' }, undefined, OTHER);
  await intake.accept([await visit(south)]);
  await intake.accept([await visit(north)]);
  t.equal(core.gateways.regionOf(south.placement.venue), 'south');
  t.equal(core.gateways.regionOf(north.placement.venue), undefined, 'it is let in for the south alone');
  await core.accept([await visit(honest)]);
  t.equal(core.gateways.regionOf(honest.placement.venue), undefined, 'nothing was said');
  const moved = new KioskStub(keys, { ...honest.placement, region: 'north' }, honest);
  await core.accept([await visit(moved)]);
  t.equal(core.gateways.regionOf(honest.placement.venue), 'north');
  await core.accept([await visit(new KioskStub(keys, { ...honest.placement, region: 'old' }, honest))], { isReplay: true });
  t.equal(core.gateways.regionOf(honest.placement.venue), 'north', 'what was set aside before says what was then');
});

t.test('gateways: who was taken out is known no longer, and leaves its venues to others', async (t) => {
  const { core, token, hostile, intake, keys } = await two(t);
  await intake.accept([await visit(hostile)]);
  const peerOf = addedPeers(core);
  t.equal(peerOf({ token, keyPin: undefined })?.deployment, OTHER);
  t.equal(peerOf({ token: `${token}x`, keyPin: undefined }), undefined);
  t.match(core.gateways.holdings(core.gateways.list()[1]!), { kiosks: 1, venues: 1 });
  t.equal(core.gateways.remove('other'), true);
  t.equal(core.gateways.remove('other'), false);
  t.equal(peerOf({ token, keyPin: undefined }), undefined);
  core.dropExpired();
  await core.accept([await visit(new KioskStub(keys, { venue: hostile.placement.venue }))]);
  t.strictSame(reasons(core), []);
  t.equal(core.counts().checkIns, 2, 'what it sent stays until retention');
});

t.test('gateways: a name, a deployment or a key that is there already is refused', async (t) => {
  const { core } = await two(t);
  const keyPin = new Uint8Array(32).fill(1);
  const gateway = { role: 'gateway', regions: 'all' } as const;
  const add = (more: object) => () =>
    core.gateways.add({ ...gateway, name: 'third', deployment: newPlaceId<DeploymentId>(), ...more }, NOW);
  t.throws(add({ name: 'other' }), { code: 'config.invalid' });
  t.throws(add({ deployment: OTHER }), { code: 'config.invalid' });
  t.throws(add({ name: 'Not A Name' }), { code: 'config.invalid' });
  t.throws(add({ role: 'partner' }), { code: 'config.invalid' });
  t.equal(add({ keyPin })(), undefined, 'by its key: there is no token');
  t.throws(add({ name: 'fourth', keyPin }), { code: 'config.invalid' });
  t.match(core.gateways.known(undefined, keyPin), { name: 'third' });
  t.equal(core.gateways.known('x', new Uint8Array(32)), undefined);
  t.notMatch(JSON.stringify(core.gateways.list()), /token|hash/);
});

t.test("gateways: a core that was of one gateway goes on as it was, and all that it holds is that one's", async (t) => {
  const { open, keys, dir, clock } = await fixture(t);
  const [kiosk, foreign] = [new KioskStub(keys), new KioskStub(keys, {}, undefined, OTHER)];
  const core = await open();
  await core.accept([{ ...(await visit(kiosk)), position: 8 }]);
  core.close();
  const db = openCoreDb(join(dir, 'core', 'core.db'), keys.storeKey, 'write');
  db.exec(
    `DELETE FROM machine; DELETE FROM venue_owner; UPDATE stream SET deployment = ''; INSERT INTO counter VALUES ('taken-position', 8)`,
  );
  db.close();
  const again = await open();
  t.match(again.gateways.list(), [{ name: 'first', deployment: DEPLOYMENT }]);
  t.equal(await again.taken(), 8);
  again.gateways.add({ name: 'other', role: 'gateway', deployment: OTHER, regions: 'all' }, NOW);
  const inItsVenue = new KioskStub(keys, { venue: kiosk.placement.venue }, foreign, OTHER);
  await again.intakeOf(again.gateways.list()[1]!).accept([await visit(inItsVenue)]);
  t.strictSame(reasons(again), ['ingest.other_gateway']);
  again.close();
  await t.rejects(openCore({ dir: join(dir, 'core'), deployment: newPlaceId(), keys, clock, log: silentLog }), { code: 'config.invalid' });
  (await open()).close();
});

t.test('gateways: a backup takes each place in each ledger along as it was before its first day was copied', async (t) => {
  const { core, intake, dir, keys, clock, honest, hostile } = await two(t);
  for (const position of [1, 2]) await core.accept([{ ...(await visit(honest)), position }]);
  for (const position of [11, 12, 13]) await intake.accept([{ ...(await visit(hostile)), position }]);
  const staging = join(dir, 'staging');
  const copy = join(dir, 'copy');
  for (const path of [staging, copy, join(copy, 'days')]) mkdirSync(path);
  for (const { name, path } of corePieces({ dir: join(dir, 'core'), keysDir: join(dir, 'keys'), keys, staging })) {
    if (name.startsWith('core/days/') || name === 'core/core.db') copyFileSync(path, join(copy, name.slice('core/'.length)));
    // Meanwhile the ledgers go on.
    if (name.startsWith('core/days/')) await intake.accept([{ ...(await visit(hostile)), position: 14 }]);
  }
  core.close();
  const restored = await openCore({ dir: copy, deployment: DEPLOYMENT, keys, clock, log: silentLog });
  t.teardown(() => restored.close());
  const other = restored.gateways.list().find(({ name }) => name === 'other') as Machine;
  t.equal(await restored.intakeOf(other).taken(), 12);
  t.equal(await restored.taken(), 1);
});
