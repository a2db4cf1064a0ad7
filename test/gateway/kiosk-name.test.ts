/** What operators call a kiosk: at its code, afterwards, and when another takes its place. */
import { join } from 'node:path';
import t from 'tap';
import { LONGEST_KIOSK_NAME, parseKioskName } from '../../gateway/kiosk-name.ts';
import { Registry } from '../../gateway/registry.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import type { EpochMillis } from '../../protocol/units.ts';
import { Candidate, enrolmentCodeOf, giveCode, giveCodeInPlaceOf } from '../support/enrolling.ts';
import fc from '../support/properties.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

const now = 1_000 as EpochMillis;

t.test('name of a kiosk: bounded, and nothing in it turns a line round, breaks it, or is an id', async (t) => {
  t.equal(parseKioskName('  Till 3 '), 'Till 3');
  t.equal(parseKioskName('Bücherei, Kasse „2“ 📚'), 'Bücherei, Kasse „2“ 📚');
  t.equal(parseKioskName(''), '');
  const refused = ['x'.repeat(LONGEST_KIOSK_NAME + 1), 'a\nb', 'a\u001b[2J', 'a\u202eb', 'a\u2028b', newPlaceId(), 7, undefined];
  for (const [at, name] of refused.entries()) t.throws(() => parseKioskName(name), { code: 'config.invalid' }, `refused ${at}`);
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      try {
        const name = parseKioskName(text);
        return [...name].length <= LONGEST_KIOSK_NAME && name === parseKioskName(name) && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name);
      } catch (error) {
        return (error as { code?: string }).code === 'config.invalid';
      }
    }),
  );
});

t.test('name of a kiosk: one alone has it at a venue, and one that comes back to find it taken has none', async (t) => {
  const registry = new Registry(join(t.testdir(), 'registry.db'), new Uint8Array(32).fill(7));
  t.teardown(() => registry.close());
  const [venue, elsewhere] = [newPlaceId<VenueId>(), newPlaceId<VenueId>()];
  registry.putVenue({ id: venue, name: 'Shop', timezone: 'UTC' });
  registry.putVenue({ id: elsewhere, name: 'Library', timezone: 'UTC' });
  const admit = (where: VenueId) => {
    const publicKey = rawPublicKey(generateSigningKey());
    const one = { kiosk: newPlaceId<KioskId>(), publicKey, venue: where, entrance: newPlaceId<EntranceId>() };
    registry.admit(one, now);
    return one;
  };
  const [one, two, far] = [admit(venue), admit(venue), admit(elsewhere)];
  const nameOf = ({ kiosk }: { kiosk: KioskId }) => registry.kiosk(kiosk)?.name;
  t.equal(nameOf(one), undefined);
  registry.rename(one.kiosk, 'Till 3');
  registry.rename(one.kiosk, 'Till 3');
  registry.rename(far.kiosk, 'Till 3');
  t.strictSame([nameOf(one), nameOf(two), nameOf(far)], ['Till 3', undefined, 'Till 3']);
  t.throws(() => registry.rename(two.kiosk, ' Till 3'), { code: 'config.invalid', message: new RegExp(one.kiosk) });
  t.throws(() => registry.rename(newPlaceId<KioskId>(), 'x'), { code: 'config.invalid', message: /not registered/ });
  registry.renameWhereFree(two.kiosk, 'Till 3');
  t.equal(nameOf(two), undefined);
  registry.revoke(one.kiosk, now);
  registry.rename(two.kiosk, 'Till 3');
  registry.admit(one, now);
  t.strictSame([nameOf(one), nameOf(two)], [undefined, 'Till 3']);
  registry.rename(two.kiosk, '');
  t.equal(nameOf(two), undefined);
});

const enrol = async (code: Awaited<ReturnType<typeof giveCode>>): Promise<KioskId> => {
  const candidate = new Candidate();
  await candidate.enrol(enrolmentCodeOf(code));
  return candidate.kiosk;
};
const namesIn = ({ registry }: TestGateway) =>
  [...registry.kiosks()].filter(({ revokedAtMs }) => revokedAtMs === undefined).map(({ name }) => name);

t.test("name of a kiosk: a code gives it, and whoever takes a kiosk's place is called as that one was", async (t) => {
  const gateway = await startTestGateway(t);
  const { directory, venue, clock, registry } = gateway;
  const first = await enrol(await giveCode(directory, { venue, name: 'Till 3' }, clock.wall()));
  t.equal(registry.kiosk(first)?.name, 'Till 3');
  await t.rejects(giveCode(directory, { venue, name: 'Till 3' }, clock.wall()), { code: 'config.invalid', message: new RegExp(first) });
  await t.rejects(giveCode(directory, { venue, name: 'a\u0007' }, clock.wall()), { code: 'config.invalid' });
  const second = await enrol(await giveCodeInPlaceOf(directory, first, clock.wall()));
  t.strictSame(namesIn(gateway), ['Till 3']);
  t.equal(registry.kiosk(second)?.name, 'Till 3');
  const waiting = await giveCode(directory, { venue, name: 'Till 4' }, clock.wall());
  registry.rename(second, 'Till 4');
  t.equal(registry.kiosk(await enrol(waiting))?.name, undefined, 'taken meanwhile: it is admitted all the same');
});
