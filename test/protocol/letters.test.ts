import t from 'tap';
import { decodeLetters, encodeLetters, isLetters, LETTERS } from '../../protocol/letters.ts';
import fc from '../support/properties.ts';

t.test('letters: any bytes come back, in upper and in lower case', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = encodeLetters(bytes);
      t.same(decodeLetters(text), bytes);
      t.same(decodeLetters(text.toLowerCase()), bytes);
    }),
  );
  t.end();
});

t.test('letters: one nibble each, the high one first', (t) => {
  t.equal(encodeLetters(Uint8Array.of(0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef)), 'BCDEFGHJKNPRSTVX');
  t.end();
});

t.test('letters: keep their key on QWERTY, QWERTZ and AZERTY', (t) => {
  // The three letter rows, left to right; a place is the same physical key on all three.
  const rows = {
    qwerty: 'QWERTYUIOP ASDFGHJKL; ZXCVBNM,',
    qwertz: 'QWERTZUIOP ASDFGHJKLÖ YXCVBNM,',
    azerty: 'AZERTYUIOP QSDFGHJKLM WXCVBN,;',
  };
  for (const letter of LETTERS) {
    t.equal(rows.qwertz.indexOf(letter), rows.qwerty.indexOf(letter), `${letter} on QWERTZ`);
    t.equal(rows.azerty.indexOf(letter), rows.qwerty.indexOf(letter), `${letter} on AZERTY`);
  }
  t.end();
});

t.test('letters: what is not wholly of them is refused', (t) => {
  for (const text of ['B', 'BCD', 'Bc', 'BA', 'B0', ' B', 'B\n', 'bK', '\u212a\u212a', 'ſſ'])
    t.equal(decodeLetters(text), undefined, `${text.length} characters`);
  t.equal(isLetters('\u212a'), false, 'the Kelvin sign lower-cases to k and is not one');
  t.end();
});
