import t from 'tap';
import { privateKeyFromSeed, publicKeyFromRaw } from '../../protocol/ed25519.ts';
import { openTime, signTime } from '../../protocol/signed-time.ts';
import fc from '../support/properties.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, prefixesOf, readWireVectors } from '../support/wire.ts';

const { deployment, receiptSeed, receiptPublicKey, times, refused } = readWireVectors('signed-time.json');
const signingKey = privateKeyFromSeed(receiptSeed);
const publicKey = publicKeyFromRaw(bytesOf(receiptPublicKey));

for (const { name, nonce, atMs, hex } of times) {
  t.test(`signed time: ${name} is written and read as the vector says, and refused when cut or altered`, (t) => {
    const expected = { nonce: bytesOf(nonce), deployment, publicKey };
    t.equal(hexOf(signTime(atMs, bytesOf(nonce), deployment, signingKey)), hex);
    t.equal(openTime(bytesOf(hex), expected), atMs);
    for (const prefix of prefixesOf(bytesOf(hex)))
      if (outcomeOf(() => openTime(prefix, expected)) !== 'decode.truncated') t.fail(`${prefix.length} bytes`);
    for (const { bit, flipped } of bitFlipsOf(bytesOf(hex)))
      if (!/^(decode|seal)\./.test(outcomeOf(() => openTime(flipped, expected)))) t.fail(`bit ${bit}`);
    t.end();
  });
}

for (const { name, hex, error } of refused) {
  t.test(`signed time: ${name} is refused as ${error}`, (t) => {
    t.equal(
      outcomeOf(() => openTime(bytesOf(hex), { nonce: bytesOf(times[0].nonce), deployment, publicKey })),
      error,
    );
    t.end();
  });
}

t.test('signed time: whatever the bytes, it is a time or a code', (t) => {
  const expected = { nonce: bytesOf(times[0].nonce), deployment, publicKey };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => /^(decode|seal)\./.test(outcomeOf(() => openTime(bytes, expected)))));
  t.end();
});
