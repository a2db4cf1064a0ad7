import t from 'tap';
import { codeOf } from '../../protocol/errors.ts';
import {
  cardOfProof,
  decodeChallenge,
  decodeProof,
  encodeChallenge,
  encodeProof,
  type HolderProof,
  signProof,
} from '../../protocol/holder.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { TombstoneNames, tombstoneKeyOf, tombstoneText } from '../../protocol/tombstone.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { fromHex, readVectors } from '../support/codes.ts';
import fc from '../support/properties.ts';

const vectors = readVectors('holder.json');
const visitor = deriveVisitor(fromHex(vectors.keyCode));
const asked = { core: fromHex(vectors.core), challenge: fromHex(vectors.challenge) };

for (const { action, text } of vectors.proofs) {
  t.test(`holder: a proof to ${action} is signed, written and read as the vector says`, async (t) => {
    t.equal(encodeProof(signProof(action, asked, visitor)), text);
    t.same(cardOfProof(decodeProof(text)), fromHex(vectors.card));
  });
}

for (const { name, text, error } of vectors.refused) {
  t.test(`holder: ${name} is refused as ${error}`, async (t) => {
    t.throws(() => cardOfProof(decodeProof(text)), { code: error });
  });
}

t.test('holder: a challenge is written and read as the vector says', async (t) => {
  t.equal(encodeChallenge(asked), vectors.challengeText);
  t.same(decodeChallenge(vectors.challengeText), asked);
});

t.test('holder: any proof comes back as it was, and any other text is refused by code', async () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  const proofs = fc.record({
    action: fc.constantFrom('read' as const, 'revoke' as const, 'receipt' as const),
    core: bytes(8),
    challenge: bytes(32),
    publicKey: bytes(32),
    signature: bytes(64),
  });
  fc.assert(
    fc.property(proofs, (proof: HolderProof) => {
      const read = decodeProof(encodeProof(proof));
      for (const name of ['core', 'challenge', 'publicKey', 'signature'] as const)
        if (Buffer.compare(read[name], proof[name]) !== 0) throw new Error(name);
      return read.action === proof.action;
    }),
  );
  fc.assert(
    fc.property(proofs, fc.nat(400), fc.nat(255), (proof, at, byte) => {
      const text = encodeProof(proof);
      const altered = text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1);
      try {
        cardOfProof(decodeProof(altered));
        return false;
      } catch (error) {
        return ['decode.malformed', 'decode.overlong', 'holder.not_proven'].includes(codeOf(error) ?? '');
      }
    }),
  );
});

t.test('tombstone: the same for a card under one key, another under another, and no part of the card', async (t) => {
  const card = visitor.card;
  const names = new TombstoneNames(tombstoneKeyOf(new Uint8Array(32).fill(1)));
  const others = new TombstoneNames(tombstoneKeyOf(new Uint8Array(32).fill(2)));
  t.same(names.of(card), names.of(card));
  t.equal(names.textOf(card), tombstoneText(names.of(card)));
  t.not(names.textOf(card), others.textOf(card));
  t.equal(Buffer.from(names.of(card)).toString('hex'), '8b0b230789d3ddf43e8a9df43e39fc71', 'as FIPS 180-4 gives it');
  const far = new Uint8Array(card) as VisitorUuid;
  far[15] = (far[15] ?? 0) ^ 1;
  t.not(names.textOf(card), names.textOf(far));
});
