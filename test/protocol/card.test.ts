import t from 'tap';
import {
  type CardTrust,
  checkStaffCard,
  issuerOf,
  readCard,
  readSticker,
  signCard,
  signGroupCard,
  signStaffCard,
  signSticker,
} from '../../protocol/card.ts';
import { decodeCode, encodeCode } from '../../protocol/code.ts';
import { generateSigningKey, privateKeyFromSeed, rawPublicKey } from '../../protocol/ed25519.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { fromHex, readVectors } from '../support/codes.ts';

const vectors = readVectors('card.json');
const issuer = issuerOf(fromHex(vectors.issuers[0].publicKey));
const privateKey = privateKeyFromSeed(fromHex(vectors.issuers[0].seed));
const trust: CardTrust = { deployment: vectors.deployment as DeploymentId, issuers: [issuer], mayTakeUnsigned: false };

t.test('card: the issuer has the id and key of the vector', (t) => {
  t.same(issuer.id, fromHex(vectors.issuers[0].id));
  t.same(rawPublicKey(privateKey), fromHex(vectors.issuers[0].publicKey));
  t.end();
});

for (const { name, text, card, groupSize, isSigned, mayTakeUnsigned } of vectors.cards) {
  t.test(`card: ${name} is believed as the vector says`, (t) => {
    t.strictSame(readCard(decodeCode(text), { ...trust, mayTakeUnsigned }), { card: fromHex(card), groupSize, isSigned });
    t.end();
  });
}

for (const { name, text, error } of vectors.refused) {
  t.test(`card: ${name} is refused as ${error}`, (t) => {
    t.throws(() => readCard(decodeCode(text), trust), { name: 'CodeError', code: error });
    t.end();
  });
}

t.test('card: what is signed is the bytes of the vectors', (t) => {
  const card = decodeCode(vectors.cards[0].text);
  const sticker = decodeCode(vectors.stickers[0].text);
  if (card.kind !== 'visitor' || sticker.kind !== 'sticker') return t.fail('kinds');
  t.equal(encodeCode(signCard(card.card, trust.deployment, privateKey)), vectors.cards[0].text);
  t.equal(encodeCode(signGroupCard(card.card, 5, trust.deployment, privateKey)), vectors.cards[1].text);
  t.equal(encodeCode(signSticker(sticker.sticker, trust.deployment, privateKey)), vectors.stickers[0].text);
  t.same(readSticker(sticker, trust), fromHex(vectors.stickers[0].sticker));
  t.throws(() => readSticker(card, trust), { code: 'code.kind' });
  t.throws(() => readSticker({ ...sticker, sticker: new Uint8Array(16) }, trust), { code: 'code.forged' });
  t.end();
});

t.test('card: a staff card is believed as the vector says, and no visitor can make one', (t) => {
  for (const { text, card, command } of vectors.staffCards) {
    const code = decodeCode(text);
    if (code.kind !== 'staff-card') return t.fail('kind');
    checkStaffCard(code, trust);
    t.strictSame([code.card, code.command], [fromHex(card), command]);
    t.equal(encodeCode(signStaffCard(code.card, code.command, trust.deployment, privateKey)), text);
  }
  for (const { name, text, error } of vectors.staffRefused) {
    const code = decodeCode(text);
    if (code.kind !== 'staff-card') return t.fail('kind');
    t.throws(() => checkStaffCard(code, trust), { code: error }, name);
  }
  t.end();
});

t.test('card: two issuers with the same short id are told apart by the signature', (t) => {
  const key = generateSigningKey();
  const deployment = newPlaceId<DeploymentId>();
  const mine = issuerOf(rawPublicKey(key));
  const twin = { ...issuerOf(rawPublicKey(generateSigningKey())), id: mine.id };
  const code = signCard(deriveVisitor(newKeyCode()).card, deployment, key);
  t.ok(readCard(code, { deployment, issuers: [twin, mine], mayTakeUnsigned: false }).isSigned);
  t.throws(() => readCard(code, { deployment, issuers: [twin], mayTakeUnsigned: false }), { code: 'code.forged' });
  t.throws(() => readCard(code, { deployment, issuers: [], mayTakeUnsigned: false }), { code: 'code.unknown_issuer' });
  t.end();
});

t.test('card: every flipped bit of what is signed makes it forged', (t) => {
  const code = decodeCode(vectors.cards[1].text);
  if (code.kind !== 'group') return t.fail('kind');
  // The version and variant bits of the UUID are fixed: without them it is no code at all.
  const isFixed = (bit: number) => (bit >> 3 === 6 && bit % 8 < 4) || (bit >> 3 === 8 && bit % 8 < 2);
  const flip = (bytes: Uint8Array, bit: number) =>
    Uint8Array.from(bytes, (byte, at) => (at === bit >> 3 ? byte ^ (0x80 >> (bit & 7)) : byte));
  for (let bit = 0; bit < 128; bit++) {
    if (!isFixed(bit))
      t.throws(() => readCard({ ...code, card: flip(code.card, bit) as typeof code.card }, trust), { code: 'code.forged' });
  }
  for (let bit = 0; bit < 512; bit++)
    t.throws(() => readCard({ ...code, signature: flip(code.signature, bit) }, trust), { code: 'code.forged' });
  for (let size = 2; size <= 99; size++) {
    if (size !== code.size) t.throws(() => readCard({ ...code, size }, trust), { code: 'code.forged' });
  }
  t.end();
});
