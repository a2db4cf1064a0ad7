import t from 'tap';
import { decodeCode } from '../../protocol/code.ts';
import { CodeError } from '../../protocol/errors.ts';
import { formatKeyCode, newKeyCode, parseTypedKeyCode } from '../../protocol/key-code.ts';
import { damaged, fromHex, PRINTABLE, readVectors } from '../support/codes.ts';
import fc from '../support/properties.ts';

const vectors = readVectors('key-code.json');
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The error's code, or `same` or `other` where `text` is taken for `keyCode` or something else. */
function outcomeOf(text: string, keyCode: Uint8Array): string {
  try {
    return Buffer.compare(parseTypedKeyCode(text), keyCode) === 0 ? 'same' : 'other';
  } catch (error) {
    if (!(error instanceof CodeError)) return `threw ${error}`;
    // A short text may be part of a word that the message has anyway.
    return text.length > 15 && error.message.includes(text) ? 'told the text' : error.code;
  }
}

for (const { name, keyCode, typed, scanned } of vectors.keyCodes) {
  t.test(`key code: ${name} is written and read as the vector says`, (t) => {
    t.equal(formatKeyCode(fromHex(keyCode)), typed);
    t.same(parseTypedKeyCode(typed), fromHex(keyCode));
    t.strictSame(decodeCode(scanned), { kind: 'key', keyCode: fromHex(keyCode) });
    t.end();
  });
}

for (const { name, text, keyCode } of vectors.readAs) {
  t.test(`key code: ${name} is read`, (t) => {
    t.same(parseTypedKeyCode(text), fromHex(keyCode));
    t.end();
  });
}

for (const { name, text, error } of vectors.refused) {
  t.test(`key code: ${name} is refused as ${error}`, (t) => {
    t.equal(outcomeOf(text, new Uint8Array(16)), error);
    t.end();
  });
}

t.test('key code: every one-symbol damage is refused', (t) => {
  for (const keyCode of [newKeyCode(), ...vectors.keyCodes.map((vector: { keyCode: string }) => fromHex(vector.keyCode))]) {
    const bare = formatKeyCode(keyCode).replaceAll('-', '');
    const texts = [...damaged(bare, SYMBOLS)];
    t.ok(texts.length >= 30 * 31 + 31 * 32 + 30, `${texts.length} texts`);
    t.strictSame(
      texts.filter(({ text }) => !outcomeOf(text, keyCode).startsWith('code.')).map(({ how }) => how),
      [],
    );
  }
  t.end();
});

t.test('key code: any printable character typed wrong is refused, or is another way to write the same', (t) => {
  const keyCode = newKeyCode();
  const bare = formatKeyCode(keyCode).replaceAll('-', '');
  const aliasOf = (character: string) => character.toUpperCase().replace('O', '0').replace(/[IL]/, '1');
  for (const { how, text } of damaged(bare, PRINTABLE)) {
    const canonical = aliasOf(text.replace(/[ -]/g, ''));
    const isSame = Array.from(canonical, aliasOf).join('') === bare;
    const outcome = outcomeOf(text, keyCode);
    if (isSame ? outcome !== 'same' : !outcome.startsWith('code.')) t.fail(`${how}: ${outcome}`);
  }
  t.end();
});

t.test('key code: cut anywhere, doubled or joined it is refused', (t) => {
  const [first, second] = [newKeyCode(), newKeyCode()].map((keyCode) => formatKeyCode(keyCode).replaceAll('-', ''));
  for (let length = 0; length < 30; length++) t.equal(outcomeOf(first!.slice(0, length), new Uint8Array(16)), 'code.length');
  t.equal(outcomeOf(first! + first!, new Uint8Array(16)), 'code.length');
  t.equal(outcomeOf(first! + second!, new Uint8Array(16)), 'code.length');
  t.end();
});

t.test('key code: any comes back, and arbitrary text is refused with a CodeError that does not tell it', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (keyCode) => {
      const text = formatKeyCode(keyCode);
      t.match(text, /^1[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{5}){5}$/);
      t.same(parseTypedKeyCode(text), keyCode);
    }),
  );
  const typed = fc.array(fc.constantFrom(...SYMBOLS), { minLength: 30, maxLength: 30 }).map((all) => all.join(''));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 }), typed), (text) =>
      /^code\.|^other$/.test(outcomeOf(text, new Uint8Array(16))),
    ),
    { numRuns: 2_000 },
  );
  t.throws(() => formatKeyCode(new Uint8Array(15)), { code: 'code.malformed' });
  t.end();
});

t.test('key code: a new one is 16 bytes, and another each time', (t) => {
  const seen = new Set(Array.from({ length: 100 }, () => Buffer.from(newKeyCode()).toString('hex')));
  t.equal(seen.size, 100);
  t.equal(newKeyCode().length, 16);
  t.end();
});
