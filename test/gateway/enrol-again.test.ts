/** Kiosks that enrol again for something else, who wins when one is revoked at that very moment, and codes of before the clock was set back. */
import { join } from 'node:path';
import t from 'tap';
import { openAuthority } from '../../gateway/authority.ts';
import { CodeBook } from '../../gateway/enrol/code-book.ts';
import { Enroller } from '../../gateway/enrol/enroller.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { Registry } from '../../gateway/registry.ts';
import type { EnrolmentCode } from '../../protocol/code.ts';
import type { Role } from '../../protocol/enrol.ts';
import type { Clock } from '../../protocol/time.ts';
import { Candidate, enrolmentCodeOf, giveCode, giveCodeInPlaceOf } from '../support/enrolling.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

const MINUTE_MS = 60_000;

const codeFor = async ({ directory, venue, clock }: TestGateway, role: Role): Promise<EnrolmentCode> =>
  enrolmentCodeOf(await giveCode(directory, { venue, role }, clock.wall()));

t.test('roles: a clinic that enrols again as a kiosk is none any more, whatever code it shows again, and after a restart', async (t) => {
  const first = await startTestGateway(t);
  const desk = new Candidate();
  const [clinic, kiosk] = [await codeFor(first, 'clinic'), await codeFor(first, 'kiosk')];
  t.equal((await desk.enrol(clinic)).role, 'clinic');
  const papers = await desk.enrol(kiosk);
  t.equal(papers.role, 'kiosk');
  const authority = await openAuthority(join(first.directory, 'keys'), first.running.trust.deployment);
  t.equal(authority.recognise(papers.certificatePem)?.role, 'kiosk', 'its certificate says so');
  t.equal((await desk.enrol(clinic)).role, 'kiosk', 'the code of then gives the papers of now');
  t.equal((await desk.renew(clinic)).role, 'kiosk');
  const inPlace = enrolmentCodeOf(await giveCodeInPlaceOf(first.directory, desk.kiosk, first.clock.wall()));
  await first.stop();
  const again = await startTestGateway(t, { after: first });
  t.equal(again.registry.kiosk(desk.kiosk)?.role, 'kiosk', 'after a restart');
  const heir = await new Candidate().enrol({ ...inPlace, port: again.running.tlsPort });
  t.equal(heir.role, 'kiosk', 'nor is the one that takes its place');
});

t.test('roles: a kiosk that becomes a clinic stays one after a restart', async (t) => {
  const first = await startTestGateway(t);
  const desk = new Candidate();
  await desk.enrol(await codeFor(first, 'kiosk'));
  const papers = await desk.enrol(await codeFor(first, 'clinic'));
  const authority = await openAuthority(join(first.directory, 'keys'), first.running.trust.deployment);
  t.equal(authority.recognise(papers.certificatePem)?.role, 'clinic');
  await first.stop();
  const again = await startTestGateway(t, { after: first });
  t.equal(again.registry.kiosk(desk.kiosk)?.role, 'clinic');
});

t.test('revocation: a person who revokes a kiosk while it enrols for another door has the last word, at whatever moment', async (t) => {
  const gateway = await startTestGateway(t);
  const { storeKey } = await openIdentity(gateway.directory);
  const paths = gatewayPaths(gateway.directory);
  const [registry, book] = [new Registry(paths.registry, storeKey), new CodeBook(paths.enrolment, storeKey)];
  t.teardown(() => {
    registry.close();
    book.close();
  });
  const { trust } = gateway.running;
  const authority = await openAuthority(join(gateway.directory, 'keys'), trust.deployment);
  let looks = 0;
  for (let moment = 1; moment <= 4; moment++) {
    const { kiosk, publicKey } = gateway.admit();
    const { secret } = await codeFor(gateway, 'kiosk');
    looks = 0;
    const clock: Clock = Object.assign(Object.create(gateway.clock), {
      wall: () => {
        looks += 1;
        // The command, from its own connection to the file.
        if (looks === moment) gateway.registry.revoke(kiosk, gateway.clock.wall());
        return gateway.clock.wall();
      },
    });
    const seen = () => [];
    const leastNowMs = () => gateway.clock.wall();
    const enroller = new Enroller({ book, registry, authority, trust: () => trust, seen, leastNowMs, clock, log: gateway.log });
    await enroller.enrol({ secret, kiosk }, publicKey).catch(() => {});
    t.ok(looks >= moment, `moment ${moment} came`);
    t.not(gateway.registry.kiosk(kiosk)?.revokedAtMs, undefined, `revoked at moment ${moment}`);
    await t.rejects(enroller.renew(publicKey), { code: 'admission.revoked' });
  }
});

t.test(
  'codes: one that has expired does not come back with a clock that is set back to 1970, and one that is given then is good',
  async (t) => {
    const first = await startTestGateway(t);
    const code = enrolmentCodeOf(await giveCode(first.directory, { venue: first.venue }, first.clock.wall(), MINUTE_MS));
    await first.clock.advance(MINUTE_MS);
    await t.rejects(new Candidate().enrol(code), { code: 'enrol.expired' });
    await first.stop();
    first.clock.stepWall(-first.clock.wall());
    const again = await startTestGateway(t, { after: first });
    const { tlsPort: port } = again.running;
    await t.rejects(new Candidate().enrol({ ...code, port }), { code: 'enrol.expired' });
    t.equal((await new Candidate().enrol(await codeFor(again, 'kiosk'))).role, 'kiosk');
  },
);
