import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Aes128Gcm, Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import t from 'tap';
import { generateRecipient, isSealable, openFrom, recipientFromPublicKey, recipientOf, sealTo } from '../../protocol/hpke.ts';
import { bitFlipsOf, bytesOf, hexOf, outcomeOf, outcomeOfPromise, readWireVectors } from '../support/wire.ts';

const { appendixA1, aes256 } = readWireVectors('hpke/rfc9180.json');
/** Made anew for each suite: the library writes the suite's name into the parts it is given. */
const suiteWith = (aead: Aes128Gcm | Aes256Gcm) => new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead });
const ours = suiteWith(new Aes256Gcm());

/** The sender and recipient that a vector describes, by the library that hpke.ts stands on. */
async function contextsOf(suite: CipherSuite, vector: typeof aes256) {
  const info = bytesOf(vector.info);
  const recipientPublicKey = await suite.kem.deserializePublicKey(bytesOf(vector.pkRm));
  const sender = await suite.createSenderContext({ recipientPublicKey, info, ekm: bytesOf(vector.ikmE) });
  const recipientKey = await suite.kem.deserializePrivateKey(bytesOf(vector.skRm));
  const recipient = await suite.createRecipientContext({ recipientKey, info, enc: sender.enc });
  return { sender, recipient };
}

t.test('hpke: RFC 9180, appendix A.1.1: the KEM, the key schedule and the nonces are the RFC’s', async (t) => {
  const { sender, recipient } = await contextsOf(suiteWith(new Aes128Gcm()), appendixA1);
  t.equal(hexOf(new Uint8Array(sender.enc)), appendixA1.enc);
  for (const { pt, aad, ct } of appendixA1.encryptions) {
    const sealed = await sender.seal(bytesOf(pt), bytesOf(aad));
    t.equal(hexOf(new Uint8Array(sealed)), ct);
    t.equal(hexOf(new Uint8Array(await recipient.open(sealed, bytesOf(aad)))), pt);
  }
});

/** Texts of SHAKE128 of nothing: a length byte, then that many bytes, as the vector's source draws them. */
function* drawn(): Generator<Uint8Array> {
  const stream = createHash('shake128', { outputLength: 2 * 1_000 * 256 }).digest();
  for (let at = 0; ; at += 1 + stream[at]!) yield stream.subarray(at + 1, at + 1 + stream[at]!);
}

t.test('hpke: with AES-256-GCM, a thousand seals are those of the official vector', async (t) => {
  const { sender, recipient } = await contextsOf(ours, aes256);
  t.equal(hexOf(new Uint8Array(sender.enc)), aes256.enc);
  const texts = drawn();
  const next = (): Uint8Array => texts.next().value!;
  const folded = createHash('shake128', { outputLength: 16 });
  for (let i = 0; i < 1_000; i++) {
    const aad = next();
    const plaintext = next();
    const sealed = await sender.seal(plaintext, aad);
    folded.update(new Uint8Array(sealed));
    if (Buffer.compare(new Uint8Array(await recipient.open(sealed, aad)), plaintext) !== 0) t.fail(`seal ${i} does not open`);
  }
  t.equal(folded.digest('hex'), aes256.encryptionsAccumulated);
});

t.test('hpke: sealTo makes the vector’s encapsulated key from its seed, and openFrom opens with the vector’s private key', async (t) => {
  const info = bytesOf(aes256.info);
  const key = new Uint8Array(32).fill(9);
  const sealed = await sealTo(bytesOf(aes256.pkRm), info, key, bytesOf(aes256.ikmE));
  t.equal(hexOf(sealed.enc), aes256.enc);
  t.equal(sealed.ciphertext.length, 48);
  t.strictSame(await openFrom(bytesOf(aes256.skRm), info, sealed.enc, sealed.ciphertext), key);
  const { sender } = await contextsOf(ours, aes256);
  t.equal(hexOf(sealed.ciphertext), hexOf(new Uint8Array(await sender.seal(key))), 'the first seal of the vector’s own context');
});

t.test('hpke: a recipient is named by its public key, which its private key gives', async (t) => {
  const { recipient, privateKey } = await generateRecipient();
  t.strictSame(await recipientOf(privateKey), recipient);
  t.equal(privateKey.length, 32);
  t.equal(hexOf(recipient.id), createHash('sha256').update(recipient.publicKey).digest('hex').slice(0, 16));
  t.equal(hexOf((await recipientOf(bytesOf(aes256.skRm))).publicKey), aes256.pkRm);
});

t.test('hpke: two seals of one thing share nothing', async (t) => {
  const { recipient } = await generateRecipient();
  const [one, two] = [
    await sealTo(recipient.publicKey, new Uint8Array(), new Uint8Array(32)),
    await sealTo(recipient.publicKey, new Uint8Array(), new Uint8Array(32)),
  ];
  t.not(hexOf(one.enc), hexOf(two.enc));
  t.not(hexOf(one.ciphertext), hexOf(two.ciphertext));
});

t.test('hpke: another key, another info and any flipped bit of ciphertext or encapsulated key are refused as seal.open', async (t) => {
  const { recipient, privateKey } = await generateRecipient();
  const other = await generateRecipient();
  const info = bytesOf('0102');
  const { enc, ciphertext } = await sealTo(recipient.publicKey, info, new Uint8Array(32));
  t.equal(await outcomeOfPromise(() => openFrom(other.privateKey, info, enc, ciphertext)), 'seal.open');
  t.equal(await outcomeOfPromise(() => openFrom(privateKey, bytesOf('0103'), enc, ciphertext)), 'seal.open');
  const missed: string[] = [];
  for (const { bit, flipped } of bitFlipsOf(ciphertext))
    if ((await outcomeOfPromise(() => openFrom(privateKey, info, enc, flipped))) !== 'seal.open') missed.push(`ciphertext bit ${bit}`);
  for (const { bit, flipped } of bitFlipsOf(enc))
    if ((await outcomeOfPromise(() => openFrom(privateKey, info, flipped, ciphertext))) !== 'seal.open') missed.push(`enc bit ${bit}`);
  t.strictSame(missed, [], 'also the top bit of enc, which X25519 itself does not read');
});

t.test('hpke: encapsulated keys and public keys of small order or of another length are refused', async (t) => {
  const { privateKey } = await generateRecipient();
  const one = new Uint8Array(32);
  one[0] = 1;
  for (const enc of [new Uint8Array(32), one, new Uint8Array(31), new Uint8Array()])
    t.equal(await outcomeOfPromise(() => openFrom(privateKey, new Uint8Array(), enc, new Uint8Array(48))), 'seal.open');
  for (const key of [new Uint8Array(32), new Uint8Array(31)])
    t.equal(await outcomeOfPromise(() => sealTo(key, new Uint8Array(), new Uint8Array(32))), 'seal.unknown_recipient');
  t.equal(
    outcomeOf(() => recipientFromPublicKey(new Uint8Array(31))),
    'decode.malformed',
  );
  t.equal(await outcomeOfPromise(() => recipientOf(new Uint8Array(31))), 'decode.malformed');
  t.equal(
    await outcomeOfPromise(() => openFrom(new Uint8Array(33), new Uint8Array(), new Uint8Array(32), new Uint8Array(48))),
    'decode.malformed',
  );
});

/** RFC 7748's curve: u of the points of order 1, 2, 4 and 8, and those of them that are not below the prime. Source: https://cr.yp.to/ecdh.html. */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

t.test('hpke: what nothing can be sealed to is told beforehand', async (t) => {
  const { recipient } = await generateRecipient();
  t.ok(isSealable(recipient.publicKey));
  t.notOk(isSealable(recipient.publicKey.subarray(1)));
  for (const hex of SMALL_ORDER) {
    const key = new Uint8Array(Buffer.from(hex, 'hex'));
    t.notOk(isSealable(key), hex);
    t.equal(await outcomeOfPromise(() => sealTo(key, new Uint8Array(), new Uint8Array(32))), 'seal.unknown_recipient', hex);
  }
});

t.test('hpke: X25519 is the runtime’s own', async (t) => {
  const pair = await ours.kem.generateKeyPair();
  t.match(String(pair.privateKey), 'CryptoKey');
  t.equal(pair.privateKey.algorithm.name, 'X25519');
});

t.test('hpke: nobody but a test hands in what an ephemeral key is made of', async (t) => {
  const root = join(import.meta.dirname, '../..');
  const named = ['protocol', 'disk', 'hardware', 'kiosk', 'gateway', 'core', 'cards', 'cli'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && readFileSync(join(root, room, file), 'utf8').includes('testOnly'))
      .map((file) => `${room}/${file}`),
  );
  t.strictSame(named.sort(), ['protocol/hpke.ts', 'protocol/key-record.ts']);
});
