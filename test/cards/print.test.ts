import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openIssuer } from '../../cards/issuer.ts';
import { MOST_AT_ONCE, printSheet } from '../../cards/print.ts';
import { issuerOf, readCard, readSticker } from '../../protocol/card.ts';
import { decodeCode } from '../../protocol/code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { pairStubs, readSheet } from '../support/read-sheet.ts';

const dir = t.testdir();
const issuer = openIssuer(join(dir, 'issuer'));
const trust = { deployment: issuer.deployment, issuers: [issuerOf(issuer.publicKey)], mayTakeUnsigned: false };
const path = join(dir, 'cards.pdf');

const printed = await printSheet(
  {
    issuer,
    visitors: 6,
    groups: [
      { size: 4, count: 2 },
      { size: 99, count: 1 },
    ],
    stickers: 26,
  },
  path,
);
const codes = await readSheet(readFileSync(path));

t.test('sheet: every card, stub and sticker is read back, by a reader that had no part in drawing it', (t) => {
  t.match(printed, { sheets: 4, visitors: 6, groupCards: 3, stickers: 26, warning: /secret.*delete/ });
  t.strictSame(
    [1, 2, 3, 4].map((page) => codes.filter((code) => code.page === page).length),
    [10, 8, 24, 2],
  );
  t.equal(new Set(codes.map((code) => code.text)).size, codes.length, 'no code twice');
  t.ok(codes.every((code) => code.correction === 'M'));

  const pairs = pairStubs(codes);
  const sizes = pairs.map(({ card, stub }) => {
    const read = readCard(decodeCode(card.text), trust);
    const key = decodeCode(stub.text);
    t.ok(
      key.kind === 'key' && Buffer.compare(deriveVisitor(key.keyCode).card, read.card) === 0,
      'the stub is the key of the card beside it',
    );
    return read.groupSize;
  });
  t.strictSame(sizes, [1, 1, 1, 1, 1, 1, 4, 4, 99]);
  const stickers = codes
    .filter((code) => code.page > 2)
    .map((code) => Buffer.from(readSticker(decodeCode(code.text), trust)).toString('hex'));
  t.equal(new Set(stickers).size, 26);
  t.end();
});

t.test('sheet: symbols have the size on paper that the faces say, and lie where the cuts expect them', (t) => {
  const near = (got: number, wanted: number, what: string) =>
    t.ok(Math.abs(got - wanted) < 0.25, `${what}: ${got.toFixed(2)} of ${wanted} mm`);
  for (const [row, { card, stub }] of pairStubs(codes).entries()) {
    const top = (297 - 5 * 53.98) / 2 + (row % 5) * 53.98;
    near(card.sizeMm, 45 * 0.9, 'card');
    near(stub.sizeMm, 25 * 0.9, 'stub');
    near(card.yMm, top + (53.98 - 40.5) / 2, 'card from the top');
    near(card.xMm, (210 - 2 * 85.6) / 2 + (53.98 - 40.5) / 2, 'card from the left');
    near(stub.xMm + stub.sizeMm, 105 + 85.6 - 5.5, 'stub from the right');
  }
  for (const [at, sticker] of codes.filter((code) => code.page === 3).entries()) {
    near(sticker.sizeMm, 45 * 0.6, 'sticker');
    near(sticker.xMm, 7.2 + (at % 3) * 66.05 + 3.45, 'sticker from the left');
    near(sticker.yMm, 12.9 + Math.floor(at / 3) * 33.9 + 3.45, 'sticker from the top');
  }
  t.end();
});

t.test('sheet: a poor scanner reads it all: coarse, or blurred with noise', async (t) => {
  const pdf = readFileSync(path);
  for (const reading of [{ dpi: 100 }, { dpi: 200, blurPx: 1, noise: 25, seed: 7 }]) {
    t.equal((await readSheet(pdf, { ...reading, pages: [1, 3] })).length, 34, JSON.stringify(reading));
  }
});

t.test('sheet: the file is private, whole, alone, and not written over unasked', async (t) => {
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.strictSame(readdirSync(dir).sort(), ['cards.pdf', 'issuer'], 'nothing beside it');
  t.strictSame(readdirSync(join(dir, 'issuer')).sort(), ['issuer.json', 'issuer.key'], 'no list');
  const before = readFileSync(path);
  await t.rejects(printSheet({ issuer, visitors: 1, groups: [], stickers: 0 }, path), {
    code: 'config.invalid',
    message: /is there already/,
  });
  t.ok(before.equals(readFileSync(path)));
  writeFileSync(join(dir, 'open.pdf'), 'x', { mode: 0o644 });
  await printSheet({ issuer, visitors: 1, groups: [], stickers: 0 }, join(dir, 'open.pdf'), { mayReplace: true });
  t.equal(statSync(join(dir, 'open.pdf')).mode & 0o777, 0o600, 'a file that others could read is replaced by one they can not');
});

t.test('sheet: nothing in the PDF tells when, where or by whom it was made', async (t) => {
  const parts = await Promise.all(
    ['a.pdf', 'b.pdf'].map(async (name) => {
      await printSheet({ issuer, visitors: 1, groups: [], stickers: 0 }, join(dir, name));
      const text = readFileSync(join(dir, name), 'latin1');
      return { id: /\/ID \[.*?\]/.exec(text)?.[0], info: [...text.matchAll(/\((.*?)\)\s*endobj/g)].map((match) => match[1]), text };
    }),
  );
  t.ok(parts[0]?.id);
  t.equal(parts[0]?.id, parts[1]?.id, 'the same id for all');
  t.strictSame(parts[0]?.info, parts[1]?.info);
  for (const { text } of parts) {
    t.notMatch(text, /ModDate/);
    t.match(text, /D:19700101000000Z/);
    t.notMatch(text, new RegExp(`${new Date().getFullYear()}`), 'no date of today');
    t.notMatch(text, new RegExp(issuer.deployment));
  }
});

t.test('sheet: every fault of an order is told at once, and nothing is made', async (t) => {
  const target = join(dir, 'none.pdf');
  const order = {
    issuer,
    visitors: -1,
    groups: [
      { size: 1, count: 0 },
      { size: 100, count: 1.5 },
    ],
    stickers: MOST_AT_ONCE + 1,
  };
  await t.rejects(printSheet(order, target), {
    code: 'config.invalid',
    message: /visitors: -1.*groups: 0 cards.*groups: 1 people.*groups: 1.5 cards.*groups: 100 people.*stickers: 2001/,
  });
  await t.rejects(printSheet({ issuer, visitors: 0, groups: [], stickers: 0 }, target), { message: /nothing to print/ });
  await t.rejects(printSheet({ issuer, visitors: MOST_AT_ONCE, groups: [{ size: 2, count: 1 }], stickers: 0 }, target), {
    message: /at most 2000/,
  });
  await t.rejects(printSheet({ issuer, visitors: 1, groups: [], stickers: 0 }, join(dir, 'absent', 'x.pdf')), {
    code: 'config.invalid',
    message: /directory is not there/,
  });
  t.notOk(readdirSync(dir).includes('none.pdf'));
});
