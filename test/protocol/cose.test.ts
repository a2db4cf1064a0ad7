import { createSecretKey } from 'node:crypto';
import t from 'tap';
import { type CborValue, decodeCbor, encodeCbor } from '../../protocol/cbor.ts';
import {
  encryptStructure,
  openAesGcm,
  openEncrypt0,
  sealAesGcm,
  sealEncrypt0,
  signatureStructure,
  signSign1,
  verifySign1,
} from '../../protocol/cose.ts';
import { generateSigningKey, isSignedBy, publicKeyFromRaw, rawPublicKey } from '../../protocol/ed25519.ts';
import { bytesOf, hexOf, outcomeOf, readWireVectors } from '../support/wire.ts';

const examples = readWireVectors('cose-wg/examples.json');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Takes an example's message apart: the tag of its kind, then the parts; theirs have unprotected headers. */
function partsOf(hex: string, tag: number): readonly CborValue[] {
  const message = bytesOf(hex);
  t.equal(message[0], tag, 'the tag of its kind');
  return decodeCbor(message.subarray(1), 'example', 1_000) as readonly CborValue[];
}

for (const { file, publicKey, external, plaintext, cbor } of examples.sign1) {
  t.test(`cose: ${file}: the signature structure is what was signed`, (t) => {
    const [protectedHeader, , payload, signature] = partsOf(cbor, 0xd2) as Uint8Array[];
    t.equal(Buffer.from(payload!).toString(), plaintext);
    const signed = signatureStructure(protectedHeader!, bytesOf(external), payload!);
    const key = publicKeyFromRaw(bytesOf(publicKey));
    t.ok(isSignedBy(signed, signature!, key));
    signature![0]! ^= 1;
    t.notOk(isSignedBy(signed, signature!, key));
    t.end();
  });

  t.test(`cose: ${file}: the strict profile refuses its headers`, (t) => {
    const key = publicKeyFromRaw(bytesOf(publicKey));
    const expected = { externalAad: bytesOf(external), publicKey: key, subject: 'example', longestBytes: 1_000 };
    t.equal(
      outcomeOf(() => verifySign1(bytesOf(cbor), expected)),
      'decode.unsupported',
      'tagged',
    );
    t.equal(
      outcomeOf(() => verifySign1(bytesOf(cbor).subarray(1), expected)),
      'decode.unsupported',
      'untagged',
    );
    t.end();
  });
}

for (const { file, protected: header, external, plaintext, hex } of examples.toBeSigned) {
  t.test(`cose: ${file}: the signature structure binds external data`, (t) => {
    t.equal(hexOf(signatureStructure(bytesOf(header), bytesOf(external), utf8(plaintext))), hex.toLowerCase());
    t.end();
  });
}

for (const { file, key, external, plaintext, aad, cbor } of examples.encrypt0) {
  t.test(`cose: ${file}: the encryption structure and the ciphertext are those of the example`, (t) => {
    const [protectedHeader, unprotected, ciphertext] = partsOf(cbor, 0xd0) as [Uint8Array, Map<number, Uint8Array>, Uint8Array];
    const additional = encryptStructure(protectedHeader, bytesOf(external));
    t.equal(hexOf(additional), aad.toLowerCase());
    const secret = createSecretKey(bytesOf(key));
    const iv = unprotected.get(5)!;
    t.equal(hexOf(sealAesGcm(secret, iv, additional, utf8(plaintext))), hexOf(ciphertext));
    t.equal(Buffer.from(openAesGcm(secret, iv, additional, ciphertext)).toString(), plaintext);
    ciphertext[ciphertext.length - 1]! ^= 1;
    t.equal(
      outcomeOf(() => openAesGcm(secret, iv, additional, ciphertext)),
      'seal.open',
      'as in the working group’s failure tests',
    );
    t.end();
  });
}

const signingKey = generateSigningKey();
const aad = utf8('place');
const signer = { externalAad: aad, publicKey: publicKeyFromRaw(rawPublicKey(signingKey)), subject: 'example', longestBytes: 500 };
const secret = createSecretKey(new Uint8Array(32).fill(7));
const opener = { externalAad: aad, key: secret, subject: 'example', longestBytes: 500 };

t.test('cose: a signed payload comes back, for its signer and place alone', (t) => {
  const message = signSign1(utf8('payload'), aad, signingKey);
  t.equal(Buffer.from(verifySign1(message, signer)).toString(), 'payload');
  t.equal(
    outcomeOf(() => verifySign1(message, { ...signer, externalAad: utf8('elsewhere') })),
    'seal.signature',
  );
  t.equal(
    outcomeOf(() => verifySign1(message, { ...signer, publicKey: generateSigningKey() })),
    'seal.signature',
  );
  t.equal(
    outcomeOf(() => verifySign1(message, { ...signer, longestBytes: message.length - 1 })),
    'decode.overlong',
  );
  t.end();
});

t.test('cose: of all algorithms for signatures, -19 alone is taken', (t) => {
  for (const algorithm of [-8, -7, -9, -19, -53, -257, 0, 1, 'Ed25519']) {
    const header = encodeCbor(new Map<number, CborValue>([[1, algorithm]]));
    const signature = signSign1(utf8('payload'), aad, signingKey);
    const [, , payload] = decodeCbor(signature, 'example', 500) as readonly CborValue[];
    const message = encodeCbor([header, new Map(), payload!, new Uint8Array(64)]);
    t.equal(
      outcomeOf(() => verifySign1(message, signer)),
      algorithm === -19 ? 'seal.signature' : 'decode.unsupported',
      `${algorithm}`,
    );
  }
  t.end();
});

t.test('cose: a sealed plaintext comes back, for its key and place alone', (t) => {
  const message = sealEncrypt0(utf8('plaintext'), aad, secret, 2 ** 40);
  t.equal(Buffer.from(openEncrypt0(message, opener)).toString(), 'plaintext');
  t.equal(
    outcomeOf(() => openEncrypt0(message, { ...opener, externalAad: utf8('elsewhere') })),
    'seal.open',
  );
  t.equal(
    outcomeOf(() => openEncrypt0(message, { ...opener, key: createSecretKey(new Uint8Array(32)) })),
    'seal.open',
  );
  t.equal(
    outcomeOf(() => openEncrypt0(message, { ...opener, longestBytes: message.length - 1 })),
    'decode.overlong',
  );
  t.end();
});

t.test('cose: any other header, though it were rightly sealed or signed, is refused', (t) => {
  const sealed = decodeCbor(sealEncrypt0(utf8('plaintext'), aad, secret, 1), 'example', 500) as Uint8Array[];
  const signed = decodeCbor(signSign1(utf8('payload'), aad, signingKey), 'example', 500) as Uint8Array[];
  const kid = new Map([[4, utf8('1')]]);
  const longer = (header: Uint8Array) => new Uint8Array([...header, 0]);
  for (const [header, unprotected] of [
    [sealed[0]!, kid],
    [longer(sealed[0]!), new Map()],
    [sealed[0]!.subarray(0, -1), new Map()],
    [new Uint8Array(), new Map()],
  ] as const)
    t.equal(
      outcomeOf(() => openEncrypt0(encodeCbor([header, unprotected, sealed[2]!]), opener)),
      'decode.unsupported',
    );
  for (const [header, unprotected] of [
    [signed[0]!, kid],
    [longer(signed[0]!), new Map()],
    [signed[0]!.subarray(0, -1), new Map()],
    [new Uint8Array(), new Map()],
  ] as const)
    t.equal(
      outcomeOf(() => verifySign1(encodeCbor([header, unprotected, signed[2]!, signed[3]!]), signer)),
      'decode.unsupported',
    );
  t.end();
});

t.test('cose: an IV is 4 zero bytes and the counter, big-endian', (t) => {
  for (const [counter, iv] of [
    [0, '000000000000000000000000'],
    [1, '000000000000000000000001'],
    [2 ** 40, '000000000000010000000000'],
    [Number.MAX_SAFE_INTEGER, '00000000001fffffffffffff'],
  ] as const) {
    const [protectedHeader] = decodeCbor(sealEncrypt0(utf8(''), aad, secret, counter), 'example', 500) as Uint8Array[];
    t.equal(hexOf(protectedHeader!), `a20103054c${iv}`);
  }
  t.end();
});

t.test('cose: a ciphertext shorter than its tag, and a key of a strange length, are refused', (t) => {
  t.equal(
    outcomeOf(() => openAesGcm(secret, new Uint8Array(12), aad, new Uint8Array(15))),
    'seal.open',
  );
  t.equal(
    outcomeOf(() => openAesGcm(createSecretKey(new Uint8Array(20)), new Uint8Array(12), aad, new Uint8Array(16))),
    'seal.open',
  );
  t.end();
});
