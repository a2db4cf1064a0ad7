import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createCanvas, loadImage } from '@napi-rs/canvas';
import t from 'tap';
import { openIssuer } from '../../cards/issuer.ts';
import { captionsOf } from '../../cards/picture.ts';
import { hasGlyphs } from '../../cards/pixel-letters.ts';
import { printOne } from '../../cards/print-one.ts';
import { issuerOf, readCard } from '../../protocol/card.ts';
import { decodeCode, encodeCode } from '../../protocol/code.ts';
import { parseTypedKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { readImage } from '../support/read-sheet.ts';

const dir = t.testdir();
const issuer = openIssuer(join(dir, 'issuer'));
const trust = { deployment: issuer.deployment, issuers: [issuerOf(issuer.publicKey)], mayTakeUnsigned: false };

async function codesOf(path: string) {
  const image = await loadImage(readFileSync(path));
  const canvas = createCanvas(image.width, image.height);
  canvas.getContext('2d').drawImage(image, 0, 0);
  const { data } = canvas.getContext('2d').getImageData(0, 0, image.width, image.height);
  return readImage({ data: Uint8ClampedArray.from(data), width: image.width, height: image.height });
}

for (const format of ['png', 'svg'] as const) {
  t.test(`one card: the ${format} holds the card alone, and the key told belongs to it`, async (t) => {
    const path = join(dir, `card.${format}`);
    const { typedKeyCode, warning } = printOne({ issuer, format, people: 1, path });
    const codes = await codesOf(path);
    t.equal(codes.length, 1);
    const read = readCard(decodeCode(codes[0]!.text), trust);
    const keyCode = parseTypedKeyCode(typedKeyCode!);
    t.strictSame(read, { card: deriveVisitor(keyCode).card, groupSize: 1, isSigned: true });
    t.match(warning, /Write the key down/);
    const file = readFileSync(path, 'latin1');
    for (const secret of [typedKeyCode!, ...typedKeyCode!.split('-'), encodeCode({ kind: 'key', keyCode })]) t.notOk(file.includes(secret));
    t.equal(statSync(path).mode & 0o777, 0o600);
  });
}

t.test('one card: a group card tells its size, and its key goes into a file when asked to', async (t) => {
  const [path, keyPath] = [join(dir, 'group.svg'), join(dir, 'key.txt')];
  const { typedKeyCode } = printOne({ issuer, format: 'svg', people: 12, path, keyPath });
  t.equal(typedKeyCode, undefined);
  t.match(readFileSync(path, 'utf8'), /For 12 people/);
  const note = readFileSync(keyPath, 'utf8');
  const typed = /^ {4}(\S+)$/m.exec(note)?.[1];
  const [code] = await codesOf(path);
  t.strictSame(readCard(decodeCode(code!.text), trust), {
    card: deriveVisitor(parseTypedKeyCode(typed!)).card,
    groupSize: 12,
    isSigned: true,
  });
  t.match(note, /Keep it at home/);
  t.equal(statSync(keyPath).mode & 0o777, 0o600);
});

t.test('one card: wrong numbers and taken names are refused before anything is made', (t) => {
  const before = readdirSync(dir);
  for (const people of [0, 100, 1.5]) {
    t.throws(() => printOne({ issuer, format: 'png', people, path: join(dir, 'x.png') }), { code: 'config.invalid' });
  }
  t.throws(() => printOne({ issuer, format: 'png', people: 1, path: join(dir, 'x.png'), keyPath: join(dir, 'x.png') }), {
    message: /a file each/,
  });
  t.throws(() => printOne({ issuer, format: 'png', people: 1, path: join(dir, 'card.png') }), { message: /is there already/ });
  t.throws(() => printOne({ issuer, format: 'png', people: 1, path: join(dir, 'y.png'), keyPath: join(dir, 'key.txt') }), {
    message: /is there already/,
  });
  t.strictSame(readdirSync(dir), before);
  t.end();
});

t.test('one card: every word on a picture can be drawn with the pixel letters', (t) => {
  for (let people = 1; people <= 99; people++) {
    for (const { text } of captionsOf(people)) if (!hasGlyphs(text)) t.fail(`${text} has a character without a glyph`);
  }
  t.notOk(hasGlyphs('?'));
  t.end();
});
