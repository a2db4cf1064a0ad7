import t from 'tap';
import {
  generateSigningKey,
  isSignedBy,
  isSignedByRaw,
  privateKeyFromSeed,
  publicKeyFromRaw,
  rawPublicKey,
  signBytes,
} from '../../protocol/ed25519.ts';
import fc from '../support/properties.ts';

const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** RFC 8032, section 7.1, "TEST 2" and "TEST 3". */
const VECTORS = [
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
];

t.test('ed25519: both libraries say what RFC 8032 says', (t) => {
  for (const { seed, publicKey, message, signature } of VECTORS) {
    t.same(rawPublicKey(privateKeyFromSeed(fromHex(seed))), fromHex(publicKey));
    t.same(signBytes(fromHex(message), privateKeyFromSeed(fromHex(seed))), fromHex(signature));
    t.ok(isSignedBy(fromHex(message), fromHex(signature), publicKeyFromRaw(fromHex(publicKey))));
    t.ok(isSignedByRaw(fromHex(message), fromHex(signature), fromHex(publicKey)));
  }
  t.end();
});

t.test('ed25519: both libraries agree, whatever bit is another one', (t) => {
  const privateKey = generateSigningKey();
  const publicKey = rawPublicKey(privateKey);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(), fc.constantFrom(0, 1, 2), (message, at, which) => {
      const signature = signBytes(message, privateKey);
      const parts = [message.slice(), signature.slice(), publicKey.slice()] as const;
      const [text, mark, key] = parts;
      const changed = parts[which] ?? text;
      changed[(at >> 3) % changed.length] = (changed[(at >> 3) % changed.length] ?? 0) ^ (1 << (at & 7));
      return (
        isSignedByRaw(message, signature, publicKey) &&
        isSignedBy(message, signature, publicKeyFromRaw(publicKey)) &&
        !isSignedByRaw(text, mark, key) &&
        !isSignedBy(text, mark, publicKeyFromRaw(key))
      );
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('ed25519: a key of small order, under which one signature fits every message, is refused', (t) => {
  const identity = Uint8Array.from([1, ...new Uint8Array(31)]);
  const fitsAll = Uint8Array.from([...identity, ...new Uint8Array(32)]);
  t.notOk(isSignedByRaw(Buffer.from('anything'), fitsAll, identity));
  t.end();
});

t.test('ed25519: another length is no signature and no key', (t) => {
  const privateKey = generateSigningKey();
  const publicKey = rawPublicKey(privateKey);
  const message = Buffer.from('message');
  const signature = signBytes(message, privateKey);
  t.notOk(isSignedByRaw(message, signature.subarray(1), publicKey));
  t.notOk(isSignedByRaw(message, Buffer.concat([signature, Buffer.of(0)]), publicKey));
  t.notOk(isSignedByRaw(message, signature, publicKey.subarray(1)));
  t.end();
});
