import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { VisitorUuid } from '../../protocol/ids.ts';
import { checkRevoked, makeRevokedCards, revokedTest } from '../../protocol/revoked-cards.ts';
import { TombstoneNames } from '../../protocol/tombstone.ts';
import fc from '../support/properties.ts';
import { bytesOf, readWireVectors } from '../support/wire.ts';

const anyCard = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytes as VisitorUuid);

t.test('revoked cards: every one on the list is known, and no other', async () => {
  const [tombstoneKey, key] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))];
  const names = new TombstoneNames(tombstoneKey);
  fc.assert(
    fc.property(fc.uniqueArray(anyCard, { minLength: 2, maxLength: 30, selector: String }), ([other, ...cards]) => {
      const { revokedCards } = makeRevokedCards(
        cards.map((card) => names.of(card)),
        tombstoneKey,
        key,
      );
      if (revokedCards === undefined || other === undefined) return false;
      const isRevoked = revokedTest(revokedCards, key);
      return cards.every(isRevoked) && !isRevoked(other) && checkRevoked(revokedCards.marks) === revokedCards.marks;
    }),
  );
});

t.test('revoked cards: the cards of the vector are known by its document, and no other', async (t) => {
  const { lost, notLost, policies } = readWireVectors('policy.json');
  const { policy } = policies.find(({ name }: { name: string }) => name === 'cards that were taken back');
  const isRevoked = revokedTest(policy.revokedCards, policy.lostCards.key);
  for (const { card } of lost) t.ok(isRevoked(bytesOf(card) as VisitorUuid));
  for (const card of notLost) t.notOk(isRevoked(bytesOf(card) as VisitorUuid));
});

t.test('revoked cards: nothing is told of none, and two kiosks are told nothing in common', async (t) => {
  const key = () => new Uint8Array(randomBytes(32));
  const tombstoneKey = key();
  t.strictSame(makeRevokedCards([], tombstoneKey, key()), {});
  const tombstones = [new TombstoneNames(tombstoneKey).of(new Uint8Array(randomBytes(16)) as VisitorUuid)];
  const [one, other] = [key(), key()].map((own) => makeRevokedCards(tombstones, tombstoneKey, own).revokedCards?.marks);
  t.notSame(one, other);
  t.throws(() => checkRevoked(new Uint8Array(4)), { code: 'decode.malformed' });
  t.throws(() => checkRevoked(new Uint8Array(10)), { code: 'decode.malformed' }, 'they ascend');
});
