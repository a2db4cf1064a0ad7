/** What a kiosk may say of itself, over the real API. */
import t from 'tap';
import { codeOf } from '../../protocol/errors.ts';
import { formatPlaceRequest, LEAVE_PATH, PLACE_PATH, parsePlaceAnswer } from '../../protocol/kiosk-place.ts';
import { Candidate, enrolmentCodeOf, giveCode } from '../support/enrolling.ts';
import { startTestGateway } from '../support/test-gateway.ts';

const refusedWith = async (asking: Promise<unknown>) => asking.then(() => 'taken', codeOf);

t.test('kiosk desk: an entrance without a name takes the first that its kiosk gives it, and keeps it', async (t) => {
  const { directory, venue, clock } = await startTestGateway(t);
  const code = enrolmentCodeOf(await giveCode(directory, { venue, direction: 'in' }, clock.wall()));
  const kiosk = new Candidate();
  const ask = async (name?: string) => parsePlaceAnswer(await kiosk.ask(PLACE_PATH, formatPlaceRequest(name), code));
  t.equal(await refusedWith(ask()), 'admission.unknown_kiosk');
  kiosk.certificatePem = (await kiosk.enrol(code)).certificatePem;
  t.match(await ask(), { venue: String, entrance: '' });
  t.match(await ask(' Garden gate '), { entrance: 'Garden gate' });
  t.match(await ask('Elsewhere'), { entrance: 'Garden gate' }, 'what it is called is not a kiosk’s to change');
  t.equal(await refusedWith(ask('x'.repeat(65))), 'link.unauthorised', 'decode.malformed: no kiosk sends such a one');

  const secondCode = enrolmentCodeOf(await giveCode(directory, { venue, direction: 'in' }, clock.wall()));
  const second = new Candidate();
  second.certificatePem = (await second.enrol(secondCode)).certificatePem;
  t.equal(
    await refusedWith(second.ask(PLACE_PATH, formatPlaceRequest('Garden gate'), secondCode)),
    'config.invalid',
    'another has the name',
  );
});

t.test('kiosk desk: a kiosk that leaves is shut out from then on', async (t) => {
  const { directory, venue, clock } = await startTestGateway(t);
  const code = enrolmentCodeOf(await giveCode(directory, { venue, direction: 'in' }, clock.wall()));
  const kiosk = new Candidate();
  kiosk.certificatePem = (await kiosk.enrol(code)).certificatePem;
  t.equal(await kiosk.ask(LEAVE_PATH, '{}', code), '{}');
  t.equal(await refusedWith(kiosk.renew(code)), 'admission.revoked');
  t.equal(await refusedWith(kiosk.ask(LEAVE_PATH, '{}', code)), 'admission.revoked');
});
