import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { makeCertificate, rawKeyOfCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import { GREATEST_GENERATION, generationOf, makeGatewayCertificate } from '../../protocol/gateway-key.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import fc from '../support/properties.ts';
import { bytesOf, readWireVectors } from '../support/wire.ts';

const deployment = newPlaceId<DeploymentId>();
const signing = generateSigningKey();
const receiptKey = rawPublicKey(signing);
const signer = { deployment, receiptKey };
const tlsKey = generateSigningKey();

t.test('gateway key: a certificate tells the generation that it was made with, as PEM and as DER', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: GREATEST_GENERATION }), async (generation) => {
      const pem = await makeGatewayCertificate(tlsKey, { deployment, generation, receiptKey: signing });
      t.equal(generationOf(pem, signer), generation);
      t.equal(generationOf(new Uint8Array(new X509Certificate(pem).raw), signer), generation);
      t.strictSame(rawKeyOfCertificate(pem), rawPublicKey(tlsKey));
    }),
    { numRuns: 20 },
  );
});

t.test('gateway key: nobody else vouches for one', async (t) => {
  const generation = 7;
  const pem = await makeGatewayCertificate(tlsKey, { deployment, generation, receiptKey: signing });
  t.equal(generationOf(pem, { deployment: newPlaceId<DeploymentId>(), receiptKey }), undefined, 'of another deployment');
  t.equal(generationOf(pem, { deployment, receiptKey: rawPublicKey(generateSigningKey()) }), undefined, 'signed by another');
  t.equal(generationOf(await makeCertificate(tlsKey, 'vestibule-gateway'), signer), undefined, 'without a word');
  // A stranger who saw the word puts it into a certificate of their own key.
  const { raw } = new X509Certificate(pem);
  const theirs = Buffer.from(raw);
  const key = Buffer.from(rawPublicKey(generateSigningKey()));
  key.copy(theirs, theirs.indexOf(Buffer.from(rawPublicKey(tlsKey))));
  t.strictSame(rawKeyOfCertificate(theirs), new Uint8Array(key));
  t.equal(generationOf(theirs, signer), undefined, 'of another key');
});

t.test('gateway key: altered, cut or made up bytes are no certificate of ours, and no fault of ours', async (t) => {
  const der = new Uint8Array(
    new X509Certificate(await makeGatewayCertificate(tlsKey, { deployment, generation: 7, receiptKey: signing })).raw,
  );
  // What is signed lies in one place: the key, and the word in its extension. The certificate's own signature is not looked at.
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const altered = Uint8Array.from(der, (byte, index) => (index === at ? byte ^ by : byte));
      const generation = generationOf(altered, signer);
      return generation === undefined || generation === 7;
    }),
  );
  fc.assert(fc.property(fc.nat(der.length - 1), (length) => generationOf(der.subarray(0, length), signer) === undefined));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => generationOf(bytes, signer) === undefined));
  t.pass();
});

t.test('gateway key: the vectors are read as they say', (t) => {
  const { receiptPublicKey, certificates, refused, ...of } = readWireVectors('gateway-key.json');
  const by = { deployment: of.deployment, receiptKey: bytesOf(receiptPublicKey) };
  for (const { name, pem, generation, publicKey } of certificates) {
    t.equal(generationOf(pem, by), generation, name);
    t.strictSame(rawKeyOfCertificate(pem), bytesOf(publicKey));
  }
  for (const { name, pem } of refused) t.equal(generationOf(pem, by), undefined, name);
  t.end();
});
