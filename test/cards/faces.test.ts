import t from 'tap';
import { CARD_MM, CARD_MODULE_MM, drawCard, drawSticker, drawStub, STICKER_MM, STICKER_MODULE_MM } from '../../cards/faces.ts';
import { issueCard, issueSticker } from '../../cards/issue.ts';
import { openIssuer } from '../../cards/issuer.ts';
import { openPdf } from '../../cards/pdf.ts';
import type { Pen } from '../../cards/pen.ts';
import { QUIET_MODULES } from '../../cards/qr.ts';
import { A4_MM, CARDS_LEFT_MM, drawCardSheet, drawStickerSheet } from '../../cards/sheets.ts';

interface Box {
  readonly what: string;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const MM_PER_POINT = 25.4 / 72;

/** A pen that keeps what was drawn, with the widths of the real fonts. */
function recorder() {
  const pdf = openPdf('test');
  pdf.addPage();
  const words: Box[] = [];
  const symbols: Box[] = [];
  const shapes: Box[] = [];
  const lines: Box[] = [];
  const pen: Pen = {
    widthMm: pdf.pen.widthMm,
    text(x, baseline, text, lettering) {
      const left = lettering.align === 'right' ? x - pdf.pen.widthMm(text, lettering) : x;
      const size = lettering.sizePt * MM_PER_POINT;
      words.push({
        what: text,
        left,
        top: baseline - 0.74 * size,
        right: left + pdf.pen.widthMm(text, lettering),
        bottom: baseline + 0.21 * size,
      });
    },
    rectangles(all) {
      symbols.push({
        what: 'symbol',
        left: Math.min(...all.map((one) => one.xMm)),
        top: Math.min(...all.map((one) => one.yMm)),
        right: Math.max(...all.map((one) => one.xMm + one.widthMm)),
        bottom: Math.max(...all.map((one) => one.yMm + one.heightMm)),
      });
    },
    shape: (x, y, unit) => shapes.push({ what: 'arch', left: x, top: y, right: x + 10 * unit, bottom: y + 12 * unit }),
    line: (x1, y1, x2, y2) =>
      lines.push({ what: 'line', left: Math.min(x1, x2), top: Math.min(y1, y2), right: Math.max(x1, x2), bottom: Math.max(y1, y2) }),
  };
  return { pen, words, symbols, shapes, lines };
}

const meet = (a: Box, b: Box, apart = 0) =>
  a.left < b.right + apart && b.left < a.right + apart && a.top < b.bottom + apart && b.top < a.bottom + apart;

const issuer = openIssuer(`${t.testdir()}/issuer`);
const faces = [
  {
    name: 'visitor card',
    size: CARD_MM,
    module: CARD_MODULE_MM,
    draw: (pen: Pen) => issueCard(issuer, 1, ({ card }) => drawCard(pen, card, 1)),
  },
  {
    name: 'group card',
    size: CARD_MM,
    module: CARD_MODULE_MM,
    draw: (pen: Pen) => issueCard(issuer, 99, ({ card }) => drawCard(pen, card, 99)),
  },
  {
    name: 'stub',
    size: CARD_MM,
    module: CARD_MODULE_MM,
    draw: (pen: Pen) => issueCard(issuer, 1, ({ key, typed }) => drawStub(pen, key, typed, 1)),
  },
  {
    name: 'group stub',
    size: CARD_MM,
    module: CARD_MODULE_MM,
    draw: (pen: Pen) => issueCard(issuer, 9, ({ key, typed }) => drawStub(pen, key, typed, 9)),
  },
  { name: 'sticker', size: STICKER_MM, module: STICKER_MODULE_MM, draw: (pen: Pen) => drawSticker(pen, issueSticker(issuer)) },
];

for (const { name, size, module, draw } of faces) {
  t.test(`face: on a ${name} nothing overlaps, leaves the face, or lies in a quiet zone`, (t) => {
    const { pen, words, symbols, shapes } = recorder();
    draw(pen);
    t.equal(symbols.length, 1);
    t.ok(words.length >= 4);
    const all = [...words, ...symbols, ...shapes];
    const margin = 2.5;
    for (const box of all) {
      t.ok(
        box.left >= margin && box.top >= margin && box.right <= size.width - margin && box.bottom <= size.height - margin,
        `${box.what} lies within the face`,
      );
    }
    for (const [at, box] of all.entries()) {
      for (const other of all.slice(at + 1)) {
        const isSymbol = box.what === 'symbol' || other.what === 'symbol';
        t.notOk(meet(box, other, isSymbol ? QUIET_MODULES * module : 0), `${box.what} and ${other.what}`);
      }
    }
    const [symbol] = symbols;
    const quiet = QUIET_MODULES * module;
    t.ok(
      symbol && symbol.left >= quiet && symbol.top >= quiet && size.width - symbol.right >= quiet && size.height - symbol.bottom >= quiet,
      'quiet to the cut',
    );
    t.end();
  });
}

t.test('face: the card tells nothing of the key, and shares no text with its stub that could pair them', (t) => {
  for (const people of [1, 12]) {
    const [card, stub] = [recorder(), recorder()];
    issueCard(issuer, people, (issued) => {
      drawCard(card.pen, issued.card, people);
      drawStub(stub.pen, issued.key, issued.typed, people);
      const shown = card.words.map(({ what }) => what);
      for (const group of issued.typed.split('-')) t.notOk(shown.some((text) => text.includes(group)));
    });
    t.notOk(
      card.words.some(({ what }) => /\d/.test(what) && what !== `For ${people} people`),
      'no number on a card but its people',
    );
    t.ok(stub.words.some(({ what }) => /^([0-9A-Z]{5} ){2}[0-9A-Z]{5}$/.test(what)));
  }
  t.end();
});

for (const [name, draw, columns, rows] of [
  ['cards', (pen: Pen) => drawCardSheet(pen, 5, 1, 1), [CARDS_LEFT_MM, CARDS_LEFT_MM + 171.2], 6],
  ['stickers', (pen: Pen) => drawStickerSheet(pen, 24, 1, 1), [7.2, 70.7, 73.25, 136.75, 139.3, 202.8], 9],
] as const) {
  t.test(`sheet of ${name}: there is a mark at both ends of every cut, off the faces, on the paper, and clear of words`, (t) => {
    const { pen, words, lines } = recorder();
    draw(pen);
    const upright = lines.filter((line) => line.left === line.right && line.bottom - line.top < 3.01 && line.bottom - line.top > 2.9);
    const level = lines.filter(
      (line) => line.top === line.bottom && line.right - line.left < 3.01 && line.right - line.left > 2.9 && line.right < 210,
    );
    for (const x of columns) t.equal(upright.filter((line) => Math.abs(line.left - x) < 0.01).length, 2, `column at ${x} mm`);
    t.ok(new Set(level.map((line) => line.top.toFixed(2))).size >= rows, `${rows} rows`);
    for (const box of [...words, ...lines])
      t.ok(box.left >= 3 && box.top >= 3 && box.right <= A4_MM.width - 3 && box.bottom <= A4_MM.height - 3, `${box.what} is on the paper`);
    for (const mark of [...upright, ...level]) {
      for (const word of words) t.notOk(meet(mark, word), `a mark runs through "${word.what}"`);
    }
    t.end();
  });
}
