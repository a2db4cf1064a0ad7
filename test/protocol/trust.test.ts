import { randomBytes } from 'node:crypto';
import t from 'tap';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { formatTrust, parseTrust, type TrustDocument } from '../../protocol/trust.ts';

const raw = (length: number) => new Uint8Array(randomBytes(length));

const trust: TrustDocument = {
  deployment: newPlaceId<DeploymentId>(),
  gateway: { host: 'gateway.example', port: 8883, certificatePem: '-----BEGIN CERTIFICATE-----\n' },
  receiptKey: raw(32),
  recipients: [{ id: raw(8), publicKey: raw(32) }],
  issuers: [raw(32), raw(32)],
  mayTakeUnsigned: false,
};

t.test('trust: what is formatted is parsed back to the same values', (t) => {
  t.strictSame(parseTrust(formatTrust(trust)), trust);
  t.end();
});

t.test('trust: every fault is listed, unknown keys among them', (t) => {
  const json = JSON.parse(formatTrust(trust));
  json.deployment = 'UPPER';
  json.receiptKey = 'AAAA';
  json.gateway.port = 0;
  json.password = 'x';
  t.throws(() => parseTrust(JSON.stringify(json)), {
    code: 'decode.malformed',
    message: /(?=.*deployment)(?=.*receiptKey)(?=.*gateway\.port)(?=.*password)/,
  });
  t.throws(() => parseTrust('{'), { code: 'decode.malformed' });
  t.end();
});

t.test('trust: recipients to whom no content key can be sealed are refused, before a kiosk keeps them', (t) => {
  const [recipient] = trust.recipients;
  if (recipient === undefined) throw new Error('no recipient');
  const refused = (recipients: TrustDocument['recipients'], message: RegExp) =>
    t.throws(() => parseTrust(formatTrust({ ...trust, recipients })), { code: 'decode.malformed', message });
  refused([recipient, { ...recipient, publicKey: raw(32) }], /recipients: one is named twice/);
  refused([recipient, { id: raw(8), publicKey: new Uint8Array(32) }], /recipients\.1\.publicKey: expected an X25519 public key/);
  t.end();
});
