import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import t from 'tap';
import {
  datesOfCertificate,
  issueCertificate,
  keyHashOfCertificate,
  makeCertificate,
  rawKeyOfCertificate,
  readIssued,
} from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { EpochMillis } from '../../protocol/units.ts';

const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;

t.test('makeCertificate: carries the key, signed by it, valid from 1970 to the end of 9999', async (t) => {
  const key = generateSigningKey();
  const pem = await makeCertificate(key, 'vestibule-gateway');
  const certificate = new X509Certificate(pem);
  t.strictSame(rawKeyOfCertificate(pem), rawPublicKey(key));
  t.strictSame(rawKeyOfCertificate(certificate.raw), rawPublicKey(key));
  t.ok(certificate.verify(certificate.publicKey));
  t.equal(certificate.validFromDate.getTime(), 0);
  t.equal(certificate.validToDate.toISOString(), '9999-12-31T23:59:59.000Z');
});

t.test('rawKeyOfCertificate: refuses what is no certificate, with a code', (t) => {
  t.throws(() => rawKeyOfCertificate(new Uint8Array(40)), { code: 'decode.malformed' });
  t.throws(() => rawKeyOfCertificate('not PEM'), { code: 'decode.malformed' });
  t.end();
});

for (const who of ['the pinned gateway', 'another gateway'] as const) {
  t.test(`a pinned handshake: ${who} is ${who === 'the pinned gateway' ? 'taken' : 'refused'}`, async (t) => {
    const gatewayKey = generateSigningKey();
    const kioskKey = generateSigningKey();
    const pem = await makeCertificate(gatewayKey, 'gateway');
    const pinned = who === 'the pinned gateway' ? pem : await makeCertificate(generateSigningKey(), 'gateway');
    const server = createServer({
      key: gatewayKey.export(pkcs8),
      cert: pem,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    });
    const seen = new Promise<Uint8Array | undefined>((resolve) => {
      server.on('secureConnection', (socket) => {
        const peer = socket.getPeerX509Certificate();
        resolve(peer && rawKeyOfCertificate(peer.raw));
        socket.end();
      });
      server.on('tlsClientError', () => resolve(undefined));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const cert = await makeCertificate(kioskKey, 'kiosk');
    const fault = await new Promise<unknown>((resolve) => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        ca: [pinned],
        key: kioskKey.export(pkcs8),
        cert,
        checkServerIdentity: () => undefined,
      });
      socket
        .on('error', resolve)
        .on('end', () => resolve(undefined))
        .resume();
    });
    const peerKey = await seen;
    server.close();
    if (who === 'the pinned gateway') {
      t.equal(fault, undefined);
      t.strictSame(peerKey, rawPublicKey(kioskKey));
    } else {
      t.match(fault, { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    }
  });
}

t.test('makeCertificate: a key that is not Ed25519 is not one of ours', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await t.rejects(makeCertificate(privateKey, 'x'));
});

t.test('issueCertificate: says for whom, by whom and until when; whoever did not sign it is not believed to have', async (t) => {
  const [authority, stranger, kiosk] = [generateSigningKey(), generateSigningKey(), generateSigningKey()];
  const signer = { privateKey: authority, certificatePem: await makeCertificate(authority, 'vestibule-ca') };
  const subject = { commonName: 'k10sk00000000001', unit: 'kiosk', organisation: 'd3p10ym3nt000001' };
  const [notBeforeMs, notAfterMs] = [Date.UTC(2026, 0, 1) as EpochMillis, Date.UTC(2026, 3, 1) as EpochMillis];
  const pem = await issueCertificate({ publicKey: rawPublicKey(kiosk), subject, notBeforeMs, notAfterMs, use: { kind: 'client' } }, signer);
  t.strictSame(readIssued(pem, rawPublicKey(authority)), { publicKey: rawPublicKey(kiosk), subject, notBeforeMs, notAfterMs });
  t.equal(readIssued(pem, rawPublicKey(stranger)), undefined);
  t.strictSame(datesOfCertificate(pem), { notBeforeMs, notAfterMs });
  const x509 = new X509Certificate(pem);
  t.equal(x509.ca, false);
  t.ok(x509.checkIssued(new X509Certificate(signer.certificatePem)));
  t.strictSame(
    keyHashOfCertificate(pem),
    new Uint8Array(
      createHash('sha256')
        .update(x509.publicKey.export({ type: 'spki', format: 'der' }))
        .digest()
        .subarray(0, 16),
    ),
  );
});

t.test('issueCertificate: a server’s is good for each name and address it is reached by, and for no other', async (t) => {
  const authority = generateSigningKey();
  const signer = { privateKey: authority, certificatePem: await makeCertificate(authority, 'vestibule-ca') };
  const subject = { commonName: 'gateway.example', unit: 'gateway', organisation: 'd3p10ym3nt000001' };
  const dates = { notBeforeMs: 0 as EpochMillis, notAfterMs: Date.UTC(2030, 0, 1) as EpochMillis };
  const use = { kind: 'server', names: ['gateway.example', '127.0.0.1', '::1'] } as const;
  const x509 = new X509Certificate(
    await issueCertificate({ publicKey: rawPublicKey(generateSigningKey()), subject, ...dates, use }, signer),
  );
  t.ok(x509.checkHost('gateway.example') !== undefined && x509.checkIP('127.0.0.1') !== undefined && x509.checkIP('::1') !== undefined);
  t.equal(x509.checkHost('elsewhere.example'), undefined);
});

t.test('readIssued: names that come twice, or line feeds in one, are no names', async (t) => {
  const authority = generateSigningKey();
  const signer = { privateKey: authority, certificatePem: await makeCertificate(authority, 'vestibule-ca') };
  const subject = { commonName: 'x\nOU=clinic', unit: 'kiosk', organisation: 'd' };
  const dates = { notBeforeMs: 0 as EpochMillis, notAfterMs: Date.UTC(2030, 0, 1) as EpochMillis };
  const pem = await issueCertificate({ publicKey: rawPublicKey(generateSigningKey()), subject, ...dates, use: { kind: 'client' } }, signer);
  t.not(readIssued(pem, rawPublicKey(authority))?.subject.unit, 'clinic');
});
