import { randomBytes } from 'node:crypto';
import t from 'tap';
import { privateKeyFromSeed, publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { generateRecipient } from '../../protocol/hpke.ts';
import { LONGEST_KEY_RECORD_BYTES, openContentKey, sealKeyRecord, verifyKeyRecord } from '../../protocol/key-record.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, outcomeOfPromise, prefixesOf, readWireVectors } from '../support/wire.ts';

const vectors = readWireVectors('key-record.json');
const { place, contentKey, recipients, ephemeralIkms, records, refused, unopenable } = vectors;
const signingKey = privateKeyFromSeed(vectors.kioskSeed);
const signer = { ...place, publicKey: publicKeyFromRaw(bytesOf(vectors.kioskPublicKey)) };
const [gateway, core] = recipients;

for (const { name, recipientCount, hex } of records) {
  t.test(`key record: ${name} is sealed, verified and opened as the vector says, and refused when cut`, async (t) => {
    const named = recipients.slice(0, recipientCount);
    const sealed = await sealKeyRecord({ ...place, contentKey, recipients: named, signingKey, testOnlyIkms: ephemeralIkms });
    t.equal(hexOf(sealed), hex);
    const record = verifyKeyRecord(bytesOf(hex), signer);
    t.strictSame([record.epoch, record.keyId, record.wrapped.length], [place.epoch, place.keyId, recipientCount]);
    for (const holder of named) t.strictSame(await openContentKey(record, place, [holder]), contentKey);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => verifyKeyRecord(prefix, signer)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
  });
}

for (const { name, hex, error } of refused) {
  t.test(`key record: ${name} is refused as ${error}`, async (t) => {
    t.equal(
      outcomeOf(() => verifyKeyRecord(bytesOf(hex), signer)),
      error,
    );
  });
}

for (const { name, hex, error } of unopenable) {
  t.test(`key record: ${name} verifies, but does not open: ${error}`, async (t) => {
    const record = verifyKeyRecord(bytesOf(hex), signer);
    t.equal(await outcomeOfPromise(() => openContentKey(record, place, [gateway])), error);
  });
}

t.test('key record: it belongs to its deployment and kiosk', async (t) => {
  const record = bytesOf(records[0].hex);
  for (const moved of [{ deployment: place.kiosk }, { kiosk: place.deployment }])
    t.equal(
      outcomeOf(() => verifyKeyRecord(record, { ...signer, ...moved })),
      'seal.signature',
    );
  t.equal(
    outcomeOf(() => verifyKeyRecord(new Uint8Array(LONGEST_KEY_RECORD_BYTES + 1), signer)),
    'decode.overlong',
  );
});

t.test('key record: any flipped bit is refused by code', async (t) => {
  const taken: number[] = [];
  for (const { bit, flipped } of bitFlipsOf(bytesOf(records[1].hex)))
    if (!/^(seal|decode)\./.test(outcomeOf(() => verifyKeyRecord(flipped, signer)))) taken.push(bit);
  t.strictSame(taken, []);
});

t.test('key record: eight recipients fit, none and nine and one named twice are not sealed', async (t) => {
  const nine = await Promise.all(Array.from({ length: 9 }, async () => (await generateRecipient()).recipient));
  const seal = (recipients: typeof nine, key = contentKey) => sealKeyRecord({ ...place, contentKey: key, recipients, signingKey });
  const record = await seal(nine.slice(0, 8));
  t.equal(verifyKeyRecord(record, signer).wrapped.length, 8);
  t.ok(record.length <= LONGEST_KEY_RECORD_BYTES);
  t.equal(await outcomeOfPromise(() => seal([])), 'seal.unknown_recipient');
  t.equal(await outcomeOfPromise(() => seal(nine)), 'seal.unknown_recipient');
  t.equal(await outcomeOfPromise(() => seal([gateway, core, gateway])), 'seal.unknown_recipient');
  t.equal(await outcomeOfPromise(() => seal([gateway], new Uint8Array(31))), 'seal.open');
});

t.test('key record: each recipient opens every key sealed to it, whatever the ids', async (t) => {
  const ids = fc.uint8Array({ minLength: 8, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(ids, ids, async (epoch, keyId) => {
      const key = new Uint8Array(randomBytes(32));
      const here = { ...place, epoch, keyId };
      const record = verifyKeyRecord(await sealKeyRecord({ ...here, contentKey: key, recipients, signingKey }), signer);
      const opened = await Promise.all(recipients.map((holder: typeof gateway) => openContentKey(record, place, [holder])));
      return opened.every((raw) => Buffer.compare(raw, key) === 0);
    }),
    { numRuns: 20 },
  );
  t.pass();
});

t.test('key record: arbitrary bytes are refused by code', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => /^(seal|decode)\./.test(outcomeOf(() => verifyKeyRecord(bytes, signer)))),
    { numRuns: 2_000 },
  );
  t.pass();
});
