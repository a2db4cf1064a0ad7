/** What a gateway lets clinics say, and tells their kiosks. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { readControl } from '../../gateway/control-file.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { clinicianDigestOf, STICKER_LIFE_MS } from '../../protocol/clinic.ts';
import { publicKeyFromRaw } from '../../protocol/ed25519.ts';
import type { Happening } from '../../protocol/event.ts';
import { newPlaceId, type VenueId } from '../../protocol/ids.ts';
import { openPolicy, type Policy } from '../../protocol/policy.ts';
import { topicOf } from '../../protocol/topics.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { WEB } from '../support/busy-gateway.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, newCard, publishOrClose, type TestKiosk } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';

const newSticker = (): Uint8Array => new Uint8Array(randomBytes(16));
const link = (): Happening => ({ type: 'sticker-link', sticker: newSticker(), card: newCard() });
const result = (clinician: Uint8Array): Happening => ({ type: 'sticker-result', sticker: newSticker(), clinician, result: 'negative' });

/** Why rows of a kiosk are in quarantine, in their order. */
const reasonsOf = ({ ledger }: TestGateway, { kiosk }: TestKiosk): unknown[] =>
  ledger.prepare('SELECT reason FROM quarantine WHERE kiosk = ? ORDER BY no').pluck().all(kiosk);

async function sends(gateway: TestGateway, kiosk: TestKiosk, happenings: readonly Happening[]): Promise<void> {
  const client = await kiosk.connect(gateway.running.tlsPort);
  const start = await kiosk.start();
  await publishOrClose(client, kiosk.batchTopic, start.batch(happenings.map((happening) => start.seal(happening))));
  client.end(true);
}

t.test('clinic: what a kiosk without the role says of stickers is set aside by name, and the rest is taken', async (t) => {
  const gateway = await startTestGateway(t);
  const kiosk = gateway.admit();
  const { secret } = gateway.registry.clinicians.add(gateway.venue, 'Desk', gateway.clock.wall());
  await sends(gateway, kiosk, [link(), checkIn(), result(clinicianDigestOf(secret))]);
  t.strictSame(reasonsOf(gateway, kiosk), ['ingest.not_clinic', 'ingest.not_clinic']);
  await until(() => gateway.intake.entries.length === 1);
  t.match(gateway.intake.entries, [{ kind: 'batch', rows: { length: 1 } }]);
});

t.test('clinic: a result counts only by a clinician of the venue whose code was good at that time', async (t) => {
  const gateway = await startTestGateway(t);
  const { registry, clock, venue } = gateway;
  const elsewhere = newPlaceId<VenueId>();
  registry.putVenue({ id: elsewhere, name: 'Other', timezone: 'UTC' });
  const add = (at: VenueId) => registry.clinicians.add(at, 'Desk', clock.wall());
  const [good, foreign, revoked] = [add(venue), add(elsewhere), add(venue)];
  const kiosk = gateway.admit();
  registry.keepRole(kiosk.kiosk, 'clinic');
  await clock.advance(10_000);
  t.ok(registry.clinicians.revoke(revoked.number, clock.wall()));
  t.notOk(registry.clinicians.revoke(revoked.number, clock.wall()), 'once');
  await clock.advance(10_000);
  const by = ({ secret }: { secret: Uint8Array }) => result(clinicianDigestOf(secret));
  await sends(gateway, kiosk, [link(), by(good), by(foreign), by(revoked), result(newSticker())]);
  t.strictSame(reasonsOf(gateway, kiosk), ['ingest.unknown_clinician', 'ingest.revoked_clinician', 'ingest.unknown_clinician']);
  await until(() => gateway.intake.entries.length === 1);
  t.match(gateway.intake.entries, [{ kind: 'batch', rows: { length: 2 } }]);
});

t.test('clinic: a row that was set aside for the role is taken once the kiosk has it', async (t) => {
  const gateway = await startTestGateway(t, { config: WEB });
  const kiosk = gateway.admit();
  await sends(gateway, kiosk, [link()]);
  gateway.registry.keepRole(kiosk.kiosk, 'clinic');
  const control = readControl(gatewayPaths(gateway.directory).control);
  const no = gateway.ledger.prepare('SELECT no FROM quarantine').pluck().get();
  const reply = await fetch(`${control?.url}/api/1/quarantine/${no}/replay`, {
    method: 'POST',
    headers: { authorization: `Bearer ${control?.token}` },
  });
  t.match(await reply.json(), { outcome: 'taken', acceptedRows: 1 });
  t.strictSame(reasonsOf(gateway, kiosk), []);
});

t.test('clinic: a clinic’s kiosk is told whose codes are good at its venue, within a second of a change; no other is', async (t) => {
  const gateway = await startTestGateway(t);
  const { registry, clock, venue, running } = gateway;
  const [desk, door] = [gateway.admit(), gateway.admit()];
  registry.keepRole(desk.kiosk, 'clinic');
  const { number, secret } = registry.clinicians.add(venue, 'Desk', clock.wall());
  await clock.advance(1_000);
  const told = async (kiosk: TestKiosk) => {
    const policies: Policy[] = [];
    const signer = { deployment: running.trust.deployment, kiosk: kiosk.kiosk, publicKey: publicKeyFromRaw(running.trust.receiptKey) };
    const client = await kiosk.connect(running.tlsPort);
    client.on('message', (_topic, payload) => policies.push(openPolicy(payload, signer)));
    await client.subscribeAsync(topicOf(kiosk.kiosk, 'policy'), { qos: 1 });
    await until(() => policies.length > 0);
    return { policies, client };
  };
  const [atDesk, atDoor] = [await told(desk), await told(door)];
  t.strictSame(atDesk.policies[0]?.clinic, { stickerLifeMs: STICKER_LIFE_MS.usual, clinicians: [clinicianDigestOf(secret)] });
  t.equal(atDoor.policies[0]?.clinic, undefined);
  registry.clinicians.revoke(number, clock.wall());
  await clock.advance(1_000);
  await until(() => atDesk.policies.length > 1);
  t.strictSame(atDesk.policies[1]?.clinic?.clinicians, []);
  t.equal(atDoor.policies.length, 1, 'and is not bothered');
  for (const { client } of [atDesk, atDoor]) client.end(true);
});

t.test('clinic: no venue, a label of another form and a list that is full are refused by name', async (t) => {
  const { registry, venue, clock } = await startTestGateway(t);
  const add = (at: VenueId, label: string) => () => registry.clinicians.add(at, label, clock.wall());
  for (const refused of [add(newPlaceId<VenueId>(), 'Desk'), add(venue, ' '), add(venue, 'x'.repeat(41)), add(venue, 'a\nb')])
    t.throws(refused, { code: 'config.invalid' });
  for (let at = 0; at < 256; at++) add(venue, 'Desk')();
  t.throws(add(venue, 'Desk'), { code: 'config.invalid' });
  t.equal(registry.clinicians.all().length, 256);
});

t.test('clinic: a clinician that was revoked after the backup is revoked after the restore', async (t) => {
  const { registry, venue, clock } = await startTestGateway(t);
  const { secret } = registry.clinicians.add(venue, 'Desk', clock.wall());
  const digest = clinicianDigestOf(secret);
  registry.replay({ kind: 'clinician-revoked', atMs: 1 as EpochMillis, digest });
  t.equal(registry.clinicians.find(digest)?.revokedAtMs, 1);
  t.strictSame(registry.clinicians.digestsAt(venue), []);
});
