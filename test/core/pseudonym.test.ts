import { randomBytes } from 'node:crypto';
import t from 'tap';
import { CardNames, type CardPseudonym } from '../../core/pseudonym.ts';
import type { VisitorUuid } from '../../protocol/ids.ts';
import fc from '../support/properties.ts';

t.test('card names: the AES-256 example of FIPS 197, appendix C.3', async (t) => {
  const names = new CardNames(Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex'));
  const card = new Uint8Array(Buffer.from('00112233445566778899aabbccddeeff', 'hex')) as VisitorUuid;
  t.equal(Buffer.from(names.of(card)).toString('hex'), '8ea2b7ca516745bfeafc49904b496089');
});

t.test('card names: many at a time are each as alone, and each turns back into its card', async (t) => {
  const names = new CardNames(randomBytes(32));
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { minLength: 1, maxLength: 40 }), (cards) => {
      const many = names.ofMany(Buffer.concat(cards));
      for (const [i, card] of cards.entries()) {
        const name = many.slice(i * 16, i * 16 + 16) as CardPseudonym;
        t.strictSame(name, names.of(card as VisitorUuid));
        t.strictSame(names.cardOf(name), card);
      }
    }),
    { numRuns: 50 },
  );
});
