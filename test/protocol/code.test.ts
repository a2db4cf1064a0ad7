import t from 'tap';
import { claimsKind, decodeCode, encodeCode, encodePosterUrl, LONGEST_CODE_LETTERS } from '../../protocol/code.ts';
import { CodeError, codeOf } from '../../protocol/errors.ts';
import { LETTERS } from '../../protocol/letters.ts';
import { anyCode, codeOfJson, damaged, PRINTABLE, readVectors, venues } from '../support/codes.ts';
import fc from '../support/properties.ts';

const vectors = readVectors('code.json');
const card: string = vectors.codes[0].text;

/** The error's code where `text` is refused as it should be; else what happened instead. */
function refusal(text: string): string {
  try {
    return `taken as ${decodeCode(text).kind}`;
  } catch (error) {
    if (!(error instanceof CodeError)) return `threw ${error}`;
    // A short text may be part of a word that the message has anyway.
    return text.length > 15 && error.message.includes(text) ? 'told the text' : error.code;
  }
}

const taken = (texts: Iterable<{ how: string; text: string }>) => {
  let tried = 0;
  const missed: string[] = [];
  for (const { how, text } of texts) {
    tried++;
    const outcome = refusal(text);
    if (!outcome.startsWith('code.')) missed.push(`${how}: ${outcome}`);
  }
  return { tried, missed };
};

for (const { name, text, code } of vectors.codes) {
  t.test(`code: ${name} is written and read as the vector says`, (t) => {
    t.equal(encodeCode(codeOfJson(code)), text);
    t.strictSame(decodeCode(text), codeOfJson(code));
    t.strictSame(decodeCode(text.toLowerCase()), codeOfJson(code), 'as a wedge types it with Caps Lock on');
    t.end();
  });
}

for (const { name, text, canonical } of vectors.readAs) {
  t.test(`code: ${name} is read`, (t) => {
    t.strictSame(decodeCode(text), decodeCode(canonical));
    t.end();
  });
}

for (const { name, text, error } of vectors.refused) {
  t.test(`code: ${name} is refused as ${error}`, (t) => {
    t.equal(refusal(text), error);
    t.end();
  });
}

t.test('code: what a text claims to be is what it is read as, where it is read at all', (t) => {
  fc.assert(
    fc.property(anyCode, anyCode, fc.boolean(), (code, other, isLower) => {
      const text = isLower ? encodeCode(code).toLowerCase() : encodeCode(code);
      return claimsKind(text, code.kind) && claimsKind(text, other.kind) === (other.kind === code.kind);
    }),
  );
  for (const text of ['', 'V', 'https://example.org/P/', '4006381333931']) t.notOk(claimsKind(text, 'staff-card'), text);
  t.end();
});

t.test('code: a signed visitor card holds 174 letters and a group card 176, which QR version 7-M holds', (t) => {
  t.equal(card.length, 174);
  t.equal(vectors.codes[1].text.length, 176);
  t.end();
});

t.test('code: every one-letter damage of a signed visitor card is refused', (t) => {
  const { tried, missed } = taken(damaged(card, LETTERS));
  // 174 x 15 substitutions, 175 x 16 insertions, 174 deletions, and the swaps of different neighbours.
  t.ok(tried > 174 * 15 + 175 * 16 + 174 + 150, `${tried} texts`);
  t.strictSame(missed, []);
  t.end();
});

t.test('code: every printable character in the place of a letter, or put in, is refused', (t) => {
  const { tried, missed } = taken(damaged(card, PRINTABLE));
  t.ok(tried > 174 * 94 + 175 * 95, `${tried} texts`);
  t.strictSame(missed, []);
  t.end();
});

t.test('code: every one-letter damage of every other kind is refused', (t) => {
  for (const { name, text } of vectors.codes.slice(1)) {
    t.strictSame(taken(damaged(text, LETTERS)).missed, [], name);
  }
  t.end();
});

t.test('code: cut anywhere from either end, doubled, or joined to any other code, it is refused', (t) => {
  const texts: string[] = vectors.codes.map((vector: { text: string }) => vector.text);
  for (const text of texts) {
    const cuts = Array.from({ length: text.length }, (_, length) => [
      { how: `first ${length}`, text: text.slice(0, length) },
      { how: `last ${length}`, text: text.slice(text.length - length) },
    ]);
    const joined = texts.map((other) => ({ how: 'joined', text: text + other }));
    t.strictSame(taken([...cuts.flat(), ...joined]).missed, []);
  }
  t.end();
});

t.test('code: any value of any kind comes back', (t) => {
  fc.assert(
    fc.property(anyCode, (code) => {
      const text = encodeCode(code);
      t.ok(text.length <= LONGEST_CODE_LETTERS && /^[B-X]+$/.test(text));
      t.strictSame(decodeCode(text), code);
    }),
  );
  fc.assert(fc.property(venues, (venue) => decodeCode(encodePosterUrl('venue.example', venue)).kind === 'poster'));
  t.end();
});

t.test('code: a poster is within the characters of QR alphanumeric mode', (t) => {
  t.match(encodePosterUrl('venue.example', '0123456789abcdef' as never), /^[0-9A-Z $%*+\-./:]+$/);
  t.throws(() => encodePosterUrl('Venue Example', '0123456789abcdef' as never), { code: 'code.malformed' });
  t.end();
});

t.test('code: arbitrary text is refused with a CodeError that does not tell it', (t) => {
  const letters = fc.array(fc.constantFrom(...LETTERS), { maxLength: 200 }).map((all) => `V${all.join('')}`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ maxLength: 2_000 }), letters), (text) =>
      refusal(text).startsWith('code.'),
    ),
    { numRuns: 2_000 },
  );
  t.end();
});

t.test('code: a part of the wrong length or range is not written', (t) => {
  const malformed: unknown[] = [
    { kind: 'unsigned', card: new Uint8Array(15) },
    { kind: 'unsigned', card: new Uint8Array(16) },
    { kind: 'key', keyCode: new Uint8Array(17) },
    { ...codeOfJson(vectors.codes[1].code), size: 1 },
    { ...codeOfJson(vectors.codes[1].code), size: 2.5 },
    { ...codeOfJson(vectors.codes[0].code), issuer: new Uint8Array(5) },
    { ...codeOfJson(vectors.codes[5].code), port: 65_536 },
    { ...codeOfJson(vectors.codes[5].code), host: 'x'.repeat(254) },
    { kind: 'poster', venue: 'not a venue' },
    { kind: 'staff', secret: new Uint8Array(16), command: 'dance' },
  ];
  for (const code of malformed) {
    let outcome: unknown = 'written';
    try {
      encodeCode(code as never);
    } catch (error) {
      outcome = codeOf(error);
    }
    t.equal(outcome, 'code.malformed');
  }
  t.end();
});
