/**
 * Labels for kiosks: an enrolment code each, as a symbol that the kiosk's own scanner reads, and whose it is in words. On sheets of 24, or in
 * the terminal. A code makes a kiosk of whoever scans it first, so that the file is a secret until its codes are used or have expired.
 */
import { ConfigError } from '../protocol/errors.ts';
import { STICKER_MM, STICKER_MODULE_MM } from './faces.ts';
import { openPdf } from './pdf.ts';
import { ACCENT, BLACK, GREY, type Lettering, type Pen } from './pen.ts';
import { refuseTaken, writePrivateFile } from './private-file.ts';
import { makeQr, type QrSymbol, QUIET_MODULES, versionFor } from './qr.ts';
import { drawStickerSheet, type SheetWords, STICKERS_A_SHEET, stickerPlace } from './sheets.ts';

export interface Label {
  /** The code, upper case. */
  readonly text: string;
  /** What kind of label it is, in capitals. */
  readonly head: string;
  readonly title: string;
  /** In bold, on two lines at most; characters that the paper's letters do not have are left out. */
  readonly venue: string;
  /** Further lines. */
  readonly lines: readonly string[];
}

export interface KioskLabel {
  /** The enrolment code, upper case. */
  readonly text: string;
  /** By which operators name it. */
  readonly number: number;
  /** Where the kiosk is to hang; characters that the paper's letters do not have are left out. */
  readonly venue: string;
  /** Further lines, such as the door and until when the code is good. */
  readonly lines: readonly string[];
}

/** The tallest symbol that leaves a quiet zone on a label. */
const TALLEST_MM = STICKER_MM.height - 4;
const LEAST_MODULE_MM = 0.33;
const HEAD: Lettering = { font: 'bold', sizePt: 6.5, colour: ACCENT, spacingPt: 0.8 };
const NUMBER: Lettering = { font: 'bold', sizePt: 12, colour: BLACK };
const VENUE: Lettering = { font: 'bold', sizePt: 7.5, colour: BLACK };
const BODY: Lettering = { font: 'plain', sizePt: 6.5, colour: GREY };
const LINE_MM = 3.2;
const WORDS: SheetWords = {
  title: 'Vestibule kiosk labels',
  footer:
    'Secret until used: each code makes one kiosk of whoever scans it first. 24 labels of 63.5 x 33.9 mm a sheet (Avery L7159 and its like).',
};

/**
 * @returns the number of sheets. The file is whole and durable then, and readable by its owner alone.
 * @throws ConfigError `config.invalid` when the file is there, can not be made, or a code is too long for a label; StoreError `store.*`.
 */
export const printLabels = (labels: readonly KioskLabel[], path: string, mayReplace: boolean): Promise<number> =>
  printSheets(
    labels.map(({ number, ...label }) => ({ ...label, head: 'KIOSK LABEL', title: `No. ${number}` })),
    path,
    mayReplace,
    WORDS,
  );

/** As printLabels, for labels of any kind. */
export async function printSheets(labels: readonly Label[], path: string, mayReplace: boolean, words: SheetWords): Promise<number> {
  refuseTaken(path, mayReplace);
  const sheets = Math.ceil(labels.length / STICKERS_A_SHEET);
  const pdf = openPdf(words.title);
  for (const [at, label] of labels.entries()) {
    const place = at % STICKERS_A_SHEET;
    if (place === 0) {
      pdf.addPage();
      drawStickerSheet(pdf.pen, Math.min(STICKERS_A_SHEET, labels.length - at), at / STICKERS_A_SHEET + 1, sheets, words);
    }
    drawLabel(stickerPlace(pdf.pen, place), label);
  }
  const file = await pdf.finish();
  try {
    writePrivateFile(path, file, mayReplace);
  } finally {
    file.fill(0);
  }
  return sheets;
}

function drawLabel(pen: Pen, { text, head, title, venue, lines }: Label): void {
  const symbol = symbolOf(text);
  const moduleMm = Math.min(STICKER_MODULE_MM, TALLEST_MM / symbol.modules);
  if (moduleMm < LEAST_MODULE_MM) throw new ConfigError('config.invalid', 'labels: the gateway’s name is too long for a label');
  const side = symbol.modules * moduleMm;
  const top = (STICKER_MM.height - side) / 2;
  pen.rectangles(
    symbol.runs.map(({ row, column, length }) => ({
      ...{ xMm: top + column * moduleMm, yMm: top + row * moduleMm, widthMm: length * moduleMm, heightMm: moduleMm },
    })),
    BLACK,
  );
  const left = top + side + 3.5;
  const widthMm = STICKER_MM.width - left - 1.5;
  pen.text(left, 6, head, HEAD);
  pen.text(left, 11.4, title, NUMBER);
  let y = 16.2;
  for (const line of wrapped(pen, onPaper(venue), VENUE, widthMm).slice(0, 2)) {
    pen.text(left, y, line, VENUE);
    y += LINE_MM;
  }
  for (const line of lines.flatMap((one) => wrapped(pen, onPaper(one), BODY, widthMm)).slice(0, 4)) {
    pen.text(left, y, line, BODY);
    y += LINE_MM;
  }
}

/** @returns the code's symbol for a terminal that draws with these letters: black on white, two modules high a line. */
export function terminalSymbol(text: string): string[] {
  const { modules, runs } = symbolOf(text);
  const side = modules + 2 * QUIET_MODULES;
  const isDark = new Set(
    runs.flatMap(({ row, column, length }) =>
      Array.from({ length }, (_, step) => (row + QUIET_MODULES) * side + column + step + QUIET_MODULES),
    ),
  );
  return Array.from({ length: Math.ceil(side / 2) }, (_, line) => {
    const cells = Array.from({ length: side }, (_, column) => {
      const [upper, lower] = [isDark.has(2 * line * side + column), isDark.has((2 * line + 1) * side + column)];
      if (upper) return lower ? '█' : '▀';
      return lower ? '▄' : ' ';
    });
    // ECMA-48, SGR 30 and 107: black letters on bright white, whatever the terminal's own colours are.
    return `\u001b[30;107m${cells.join('')}\u001b[0m`;
  });
}

function symbolOf(text: string): QrSymbol {
  const version = versionFor(text.length);
  if (version === undefined) throw new ConfigError('config.invalid', `kiosk labels: a code of ${text.length} letters fits no label`);
  return makeQr(text, version);
}

/** Letters of the PDF's own fonts: Windows-1252, of which Latin-1 without its controls is the plain part. */
const onPaper = (text: string): string => text.replaceAll(/[^\u0020-\u007e\u00a0-\u00ff–—‘’“”•…€]/gu, '');

function wrapped(pen: Pen, text: string, lettering: Lettering, widthMm: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && pen.widthMm(longer, lettering) <= widthMm) lines[lines.length - 1] = longer;
    else lines.push(cut(pen, word, lettering, widthMm));
  }
  return lines;
}

function cut(pen: Pen, word: string, lettering: Lettering, widthMm: number): string {
  let kept = word;
  while (kept.length > 1 && pen.widthMm(kept, lettering) > widthMm) kept = kept.slice(0, -1);
  return kept;
}
