import t from 'tap';
import { isSignedBy, publicKeyFromRaw, rawSeed, signBytes } from '../../protocol/ed25519.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { fromHex, readVectors } from '../support/codes.ts';

for (const { name, keyCode, seed, publicKey, uuid } of readVectors('visitor.json').visitors) {
  t.test(`visitor: the key code "${name}" gives the keys and UUID of the vector`, (t) => {
    const visitor = deriveVisitor(fromHex(keyCode));
    t.same(rawSeed(visitor.privateKey), fromHex(seed));
    t.same(visitor.publicKey, fromHex(publicKey));
    t.same(visitor.card, fromHex(uuid));
    t.end();
  });
}

t.test('visitor: every UUID is version 8, and the private key signs for the public one', (t) => {
  for (let round = 0; round < 50; round++) {
    const { card, publicKey, privateKey } = deriveVisitor(newKeyCode());
    t.equal(card.length, 16);
    t.equal(card[6]! >> 4, 8);
    t.equal(card[8]! >> 6, 0b10);
    const message = Buffer.from('mine');
    t.ok(isSignedBy(message, signBytes(message, privateKey), publicKeyFromRaw(publicKey)));
  }
  t.end();
});

t.test('visitor: the key code is left as it was, and a wrong length is refused', (t) => {
  const keyCode = newKeyCode();
  const before = Uint8Array.from(keyCode);
  deriveVisitor(keyCode);
  t.same(keyCode, before);
  t.throws(() => deriveVisitor(new Uint8Array(15)), { code: 'code.malformed' });
  t.end();
});
