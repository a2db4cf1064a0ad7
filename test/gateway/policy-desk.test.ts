import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isConfirmed } from '../../gateway/policy/policy-book.ts';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { type EntranceId, newPlaceId, type VenueId, type VisitorUuid } from '../../protocol/ids.ts';
import { encodeKioskState, type KioskStateReport } from '../../protocol/kiosk-state.ts';
import { isLost } from '../../protocol/lost-card.ts';
import { openPolicy, type Policy } from '../../protocol/policy.ts';
import { topicOf } from '../../protocol/topics.ts';
import { parseTrust } from '../../protocol/trust.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { publishOrClose, TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const DAY_MS = 86_400_000;
const newCard = () => new Uint8Array(randomBytes(16)) as VisitorUuid;

/** A kiosk that opens what it is sent and says what it is told to say. */
async function connect(gateway: TestGateway, kiosk: TestKiosk) {
  const { trust } = gateway.running;
  const client = await kiosk.connect(gateway.running.tlsPort);
  const policies: Policy[] = [];
  const bytes: Uint8Array[] = [];
  const signer = { deployment: trust.deployment, kiosk: kiosk.kiosk, publicKey: publicKeyFromRaw(trust.receiptKey) };
  client.on('message', (_topic, payload) => {
    bytes.push(payload);
    policies.push(openPolicy(payload, signer));
  });
  await client.subscribeAsync(topicOf(kiosk.kiosk, 'policy'), { qos: 1 });
  const say = (policy: KioskStateReport['policy']) => {
    const state: KioskStateReport = {
      isUp: true,
      state: 'up',
      queued: 0,
      clock: 'synced',
      devices: [],
      version: 'test',
      ...(policy && { policy }),
    };
    return publishOrClose(client, topicOf(kiosk.kiosk, 'state'), encodeKioskState(state), true);
  };
  return { client, policies, bytes, say, end: () => client.endAsync(true) };
}

const issuedOf = ({ registry }: TestGateway, { kiosk }: TestKiosk) => registry.policyBook.all().find((issued) => issued.kiosk === kiosk);

/** Lets the gateway look, as it does every second. */
async function look({ clock }: TestGateway): Promise<void> {
  await clock.advance(1_000);
}

async function open(t: Test, config = {}) {
  const gateway = await startTestGateway(t, { config });
  const kiosk = gateway.admit();
  await look(gateway);
  return { gateway, kiosk, at: await connect(gateway, kiosk) };
}

t.test('policy desk: a kiosk is told what its venue goes by, again when that changes, and not when it does not', async (t) => {
  const issuer = randomBytes(32);
  const { gateway, at } = await open(t, { issuers: [issuer.toString('base64url')], mayTakeUnsigned: true });
  const { registry, venue, clock } = gateway;
  await until(() => at.policies.length === 1);
  const first = at.policies[0]!;
  t.match(first, { venue, mayTakeUnsigned: true, dwellMs: 3_600_000, threshold: undefined, direction: undefined });
  t.strictSame(first.issuers, [new Uint8Array(issuer)]);
  t.equal(first.version, Math.floor(first.issuedAtMs / 1_000));
  t.equal(first.expiresAtMs - first.issuedAtMs, 30 * DAY_MS);

  registry.venueBook.edit(venue, { name: 'Shop at the corner', region: 'North' });
  await look(gateway);
  registry.venueBook.edit(venue, { threshold: 3_770, unsignedCards: 'refused', dwellMs: 1_800_000 });
  await look(gateway);
  await until(() => at.policies.length === 2);
  t.match(at.policies[1], { mayTakeUnsigned: false, threshold: 3_770, dwellMs: 1_800_000 });
  t.ok((at.policies[1]?.version ?? 0) > first.version);
  t.equal(at.policies[1]?.issuedAtMs, clock.wall() as number);
  t.equal(gateway.log.of('policy.signed').length, 2, 'a name is no kiosk’s business');
});

t.test('policy desk: an issuer that is made while the gateway runs is told to its kiosks, and stands in the trust document', async (t) => {
  const made: Uint8Array[] = [];
  const gateway = await startTestGateway(t, { moreIssuers: () => made });
  const kiosk = gateway.admit();
  await look(gateway);
  const at = await connect(gateway, kiosk);
  await until(() => at.policies.length === 1);
  t.strictSame(at.policies[0]?.issuers, []);
  made.push(new Uint8Array(randomBytes(32)));
  await look(gateway);
  await until(() => at.policies.length === 2);
  t.strictSame(at.policies[1]?.issuers, made);
  const kept = parseTrust(readFileSync(join(gateway.directory, 'trust.json'), 'utf8'));
  t.strictSame(kept.issuers, made);
  await at.end();
});

t.test('policy desk: a lost card reaches every kiosk, under another key each, and comes off again', async (t) => {
  const { gateway, at } = await open(t);
  const other = gateway.admit();
  const card = newCard();
  t.equal(gateway.registry.lostList.add([card, card], gateway.clock.wall()), 1);
  t.equal(gateway.registry.lostList.add([card], gateway.clock.wall()), 0);
  await look(gateway);
  const beside = await connect(gateway, other);
  await until(() => at.policies.length === 2 && beside.policies.length === 1);
  const filters = [at.policies[1]!.lostCards, beside.policies[0]!.lostCards];
  t.ok(filters.every((filter) => isLost(card, filter) && !isLost(newCard(), filter)));
  t.notSame(filters[0]?.marks, filters[1]?.marks);
  t.notSame(filters[0]?.key, filters[1]?.key);
  t.equal(gateway.registry.lostList.remove(card, gateway.clock.wall()), true);
  t.equal(gateway.registry.lostList.remove(card, gateway.clock.wall()), false);
  await look(gateway);
  await until(() => at.policies.length === 3);
  t.notOk(isLost(card, at.policies[2]!.lostCards));
  t.strictSame(at.policies[2]?.lostCards.key, at.policies[1]?.lostCards.key, 'a kiosk keeps its key');
});

t.test('policy desk: the direction of an entrance is told once a person has set it', async (t) => {
  const { gateway, kiosk, at } = await open(t);
  const { registry, venue } = gateway;
  await until(() => at.policies.length === 1);
  t.equal(at.policies[0]?.direction, undefined);
  const entrance = registry.kiosk(kiosk.kiosk)!.placement.entrance;
  registry.venueBook.putEntrance(venue, { name: entrance, direction: 'out' });
  await look(gateway);
  await until(() => at.policies.length === 2);
  t.match(at.policies[1], { entrance, direction: 'out' });
  t.match(registry.kiosk(kiosk.kiosk), { placement: { direction: 'out' } });
});

t.test('policy desk: what a kiosk says it holds is its confirmation; what it refuses is shown by the code', async (t) => {
  const { gateway, kiosk, at } = await open(t);
  await until(() => at.policies.length === 1);
  const version = at.policies[0]!.version;
  t.notOk(isConfirmed(issuedOf(gateway, kiosk)!));
  const state = async () => {
    await look(gateway);
    await look(gateway);
    return JSON.parse(readFileSync(`${gateway.directory}/state.json`, 'utf8'));
  };
  t.match((await state()).policies, { kiosks: 1, confirmed: 0, refused: {} });
  await at.say({ version, why: 'policy.older' });
  t.match((await state()).policies, { kiosks: 1, confirmed: 1, refused: { 'policy.older': 1 } });
  t.match(issuedOf(gateway, kiosk), { heldVersion: version, refusedCode: 'policy.older' });
  await at.say(undefined);
  await at.say({ version });
  t.match((await state()).policies, { kiosks: 1, confirmed: 1, refused: {} });
  t.ok(isConfirmed(issuedOf(gateway, kiosk)!));
  t.match(gateway.log.of('policy.refused'), [{ fields: { kiosk: kiosk.kiosk, code: 'policy.older' } }]);
});

t.test(
  'policy desk: a kiosk that was away gets on its return what changed meanwhile, also from a gateway that was started anew',
  async (t) => {
    const { gateway, kiosk, at } = await open(t);
    await until(() => at.policies.length === 1);
    await at.end();
    gateway.registry.venueBook.edit(gateway.venue, { dwellMs: 60_000 });
    await look(gateway);
    const back = await connect(gateway, kiosk);
    await until(() => back.policies.length === 1);
    t.match(back.policies[0], { dwellMs: 60_000 });
    await gateway.stop();
    const again = await startTestGateway(t, { after: gateway });
    await look(again);
    const later = await connect(again, kiosk);
    await until(() => later.policies.length === 1);
    t.strictSame(later.bytes[0], back.bytes[0], 'byte for byte the same: nothing to write for the kiosk');
  },
);

t.test('policy desk: a document is signed anew while 20 of its 30 days are left', async (t) => {
  const { gateway, at } = await open(t);
  await until(() => at.policies.length === 1);
  await gateway.clock.leap(9 * DAY_MS);
  await look(gateway);
  t.equal(gateway.log.of('policy.signed').length, 1);
  await gateway.clock.leap(DAY_MS);
  await look(gateway);
  t.equal(gateway.log.of('policy.signed').length, 2);
});

t.test('policy desk: a registry brought back from a backup goes on above what its kiosks hold', async (t) => {
  const { gateway, kiosk, at } = await open(t);
  await until(() => at.policies.length === 1);
  const ahead = at.policies[0]!.version + 5_000;
  await at.say({ version: ahead, why: 'policy.older' });
  await look(gateway);
  await until(() => at.policies.length === 2);
  t.equal(at.policies[1]?.version, ahead + 1);
  await at.say({ version: ahead + 1 });
  await look(gateway);
  t.ok(isConfirmed(issuedOf(gateway, kiosk)!));
  await at.say({ version: 2 ** 32 - 1 });
  await look(gateway);
  t.equal(issuedOf(gateway, kiosk)?.version, ahead + 1, 'the last version of all is believed to nobody');
});

t.test('policy desk: a revoked kiosk’s document goes off the broker; admitted again it is told anew', async (t) => {
  const { gateway, kiosk, at } = await open(t);
  await until(() => at.policies.length === 1);
  gateway.registry.revoke(kiosk.kiosk, gateway.clock.wall());
  await look(gateway);
  gateway.registry.admit(
    { kiosk: kiosk.kiosk, publicKey: kiosk.publicKey, venue: gateway.venue, entrance: newPlaceId<EntranceId>() },
    gateway.clock.wall(),
  );
  const back = await connect(gateway, kiosk);
  await look(gateway);
  await until(() => back.policies.length === 1);
  t.match(
    back.policies[0],
    { direction: undefined, dwellMs: 3_600_000 },
    'a new entrance of the venue, and the stay that was its own before',
  );
});

t.test('policy desk: a kiosk can not be told by another kiosk, nor read another’s policy', async (t) => {
  const { gateway, kiosk } = await open(t);
  const stranger = new TestKiosk(gateway.running.trust, gateway.clock);
  gateway.admit(stranger);
  const client = await stranger.connect(gateway.running.tlsPort);
  const granted = await client.subscribeAsync(topicOf(kiosk.kiosk, 'policy'), { qos: 1 }).catch((error: Error) => error);
  t.match(granted instanceof Error ? granted.message : granted, /./);
  t.notOk(Array.isArray(granted) && granted.some(({ qos }) => qos < 128));
  const other = await stranger.connect(gateway.running.tlsPort);
  await t.rejects(publishOrClose(other, topicOf(kiosk.kiosk, 'policy'), randomBytes(10), true));
});

t.test('venues: a venue and its entrances are added, changed and read back; faults are all told', async (t) => {
  const { gateway } = await open(t);
  const { venueBook } = gateway.registry;
  const rules = {
    name: ' Town library ',
    organisation: 'Town',
    site: 'Market square',
    region: 'North',
    kind: 'culture',
    timezone: 'Europe/Berlin',
    dwellMs: 5_400_000,
    lingeringMs: 1_800_000,
    threshold: 3_780,
    unsignedCards: 'taken',
  };
  const venue = venueBook.add(rules, newPlaceId<VenueId>());
  t.match(venue, { name: 'Town library', kind: 'culture', lingeringMs: 1_800_000, threshold: 3_780, entrances: [] });
  const door = venueBook.putEntrance(venue.id, { name: 'Main door', direction: 'both' });
  t.strictSame(venueBook.putEntrance(venue.id, { name: 'Main door', direction: 'in' }), { ...door, direction: 'in' });
  venueBook.putEntrance(venue.id, { name: 'Exit', direction: 'out' });
  t.strictSame(
    venueBook.venue(venue.id).entrances.map(({ name, direction, isTold }) => [name, direction, isTold]),
    [
      ['Exit', 'out', true],
      ['Main door', 'in', true],
    ],
  );
  venueBook.removeEntrance(venue.id, 'Exit');
  t.throws(() => venueBook.removeEntrance(venue.id, 'Exit'), { code: 'config.invalid' });
  t.strictSame(venueBook.edit(venue.id, { threshold: null }), {
    ...venue,
    threshold: undefined,
    entrances: [{ ...door, direction: 'in' }],
  });
  t.throws(() => venueBook.edit(venue.id, { dwellMs: 1, kind: 'castle', floor: 3 }), {
    code: 'config.invalid',
    message: /dwellMs: .*kind: .*floor|floor.*/s,
  });
  t.throws(() => venueBook.edit(newPlaceId<VenueId>(), { name: 'x' }), { code: 'config.invalid' });
  t.throws(() => venueBook.add({ name: 'x' }, newPlaceId<VenueId>()), { code: 'config.invalid' });
  t.throws(() => venueBook.add({ name: 'x', timezone: 'Mars/Olympus' }, newPlaceId<VenueId>()), { code: 'config.invalid' });
});

t.test('lost cards: past 10,000 the list takes none, and keeps what it has', async (t) => {
  const { gateway } = await open(t);
  const { lostList } = gateway.registry;
  t.equal(lostList.add(Array.from({ length: 10_000 }, newCard), gateway.clock.wall()), 10_000);
  t.throws(() => lostList.add([newCard()], gateway.clock.wall()), { code: 'config.invalid' });
  t.equal(lostList.count(), 10_000);
});
