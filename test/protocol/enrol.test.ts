import t from 'tap';
import { makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey } from '../../protocol/ed25519.ts';
import {
  formatEnrolRequest,
  formatPapers,
  formatRefusal,
  formatTimeAnswer,
  formatTimeRequest,
  LONGEST_ANSWER_BYTES,
  LONGEST_REQUEST_BYTES,
  type Papers,
  parseEnrolRequest,
  parsePapers,
  parseRefusal,
  parseTimeAnswer,
  parseTimeRequest,
} from '../../protocol/enrol.ts';
import { type DeploymentId, type EntranceId, type KioskId, newPlaceId, type VenueId } from '../../protocol/ids.ts';
import fc from '../support/properties.ts';
import { outcomeOf } from '../support/wire.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const certificatePem = await makeCertificate(generateSigningKey(), 'kiosk');
const papers: Papers = {
  kiosk: newPlaceId<KioskId>(),
  role: 'clinic',
  certificatePem,
  trust: {
    deployment: newPlaceId<DeploymentId>(),
    gateway: { host: 'gateway.example', port: 8_883, certificatePem },
    receiptKey: new Uint8Array(32).fill(1),
    recipients: Array.from({ length: 8 }, (_, at) => ({ id: new Uint8Array(8).fill(at), publicKey: new Uint8Array(32).fill(at + 2) })),
    issuers: Array.from({ length: 64 }, (_, at) => new Uint8Array(32).fill(at)),
    mayTakeUnsigned: false,
  },
  posting: { venue: newPlaceId<VenueId>(), entrance: newPlaceId<EntranceId>(), direction: 'both' },
  seen: Array.from({ length: 16 }, (_, at) => ({ epoch: new Uint8Array(8).fill(at), seq: at + 1 })),
};

t.test('enrolment messages: what is written is read back, within its bound', (t) => {
  fc.assert(
    fc.property(bytes(16), (secret) => {
      const request = { secret, kiosk: papers.kiosk };
      t.strictSame(parseEnrolRequest(formatEnrolRequest(request)), request);
      t.strictSame(parseTimeRequest(formatTimeRequest(secret)), secret);
      t.ok(formatEnrolRequest(request).length <= LONGEST_REQUEST_BYTES);
    }),
    { numRuns: 20 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 256 }), (time) =>
      Buffer.from(parseTimeAnswer(formatTimeAnswer(time))).equals(Buffer.from(time)),
    ),
  );
  t.equal(parseRefusal(formatRefusal('enrol.used')), 'enrol.used');
  t.equal(parseRefusal('{"code":"enrol.of_tomorrow"}'), 'enrol.of_tomorrow');
  t.end();
});

t.test('papers: what is written is read back, also at their largest', (t) => {
  t.strictSame(parsePapers(formatPapers(papers)), papers);
  t.ok(formatPapers(papers).length < LONGEST_ANSWER_BYTES);
  t.strictSame(
    parsePapers(JSON.stringify({ ...JSON.parse(formatPapers(papers)), later: 1 })),
    papers,
    'a key of a later version is left out',
  );
  t.end();
});

t.test('papers: each part that is missing or wrong is refused', (t) => {
  const json = JSON.parse(formatPapers(papers));
  for (const key of Object.keys(json)) {
    if (key === 'seen') continue;
    t.equal(
      outcomeOf(() => parsePapers(JSON.stringify({ ...json, [key]: undefined }))),
      'decode.malformed',
      `without ${key}`,
    );
    t.equal(
      outcomeOf(() => parsePapers(JSON.stringify({ ...json, [key]: 'x' }))),
      'decode.malformed',
      `${key} of x`,
    );
  }
  t.end();
});

t.test('enrolment messages: whatever the text, it is read or refused with a code, and no secret is told', (t) => {
  const all = [parseEnrolRequest, parseTimeRequest, parseTimeAnswer, parseRefusal, parsePapers];
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((text) => `{"secret":${text},"kiosk":"${papers.kiosk}"}`),
  );
  fc.assert(
    fc.property(texts, (text) => all.every((parse) => ['nothing thrown', 'decode.malformed'].includes(outcomeOf(() => parse(text))))),
  );
  const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQ';
  try {
    parseEnrolRequest(`{"secret":"${secret}"`);
    t.fail('taken');
  } catch (error) {
    t.notMatch(`${(error as Error).message}${(error as Error).cause}`, secret.slice(0, 8));
  }
  t.end();
});
