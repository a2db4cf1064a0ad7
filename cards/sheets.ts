/**
 * Where things lie on A4: five cards with their stubs to a sheet, 24 stickers to a sheet, cut marks, and a rule to check the scale.
 * Card and stub are one strip until the visitor tears them apart, so that nobody can mix up whose key is whose.
 */
import { CARD_MM, STICKER_MM } from './faces.ts';
import { ACCENT, BLACK, GREY, type Lettering, movedPen, PALE, type Pen, type Stroke } from './pen.ts';

export const A4_MM = { width: 210, height: 297 } as const;
export const CARDS_A_SHEET = 5;
export const STICKERS_A_SHEET = 24;

const STICKER_COLUMNS = 3;
const STICKER_ROWS = STICKERS_A_SHEET / STICKER_COLUMNS;
/** Between the columns of Avery L7159; its rows touch. */
const STICKER_GAP_MM = 2.55;

export const CARDS_LEFT_MM = (A4_MM.width - 2 * CARD_MM.width) / 2;
const CARDS_TOP_MM = (A4_MM.height - CARDS_A_SHEET * CARD_MM.height) / 2;
const STICKERS_LEFT_MM = (A4_MM.width - STICKER_COLUMNS * STICKER_MM.width - (STICKER_COLUMNS - 1) * STICKER_GAP_MM) / 2;
const STICKERS_TOP_MM = (A4_MM.height - STICKER_ROWS * STICKER_MM.height) / 2;

const MARK: Stroke = { widthMm: 0.1, colour: BLACK };
const CORNER: Stroke = { widthMm: 0.1, colour: PALE };
const TEAR: Stroke = { widthMm: 0.2, colour: GREY, dashMm: 1.2 };
/** A mark stands off the edge, so that a cut a little beside it leaves nothing on the card. */
const MARK_OFF_MM = 1;
const MARK_MM = 3;
const CORNER_MM = 1.5;
/** Sheets of labels have narrow margins: words start further in. */
const TEXT_IN_MM = 4;
const RULE_MM = 100;
/** Most printers leave 4 to 6 mm at the edges white. */
const HEADER_MM = 7.6;
const FOOTER_MM = A4_MM.height - 6.2;
const NOTE: Lettering = { font: 'plain', sizePt: 6.5, colour: GREY };
const TITLE: Lettering = { font: 'bold', sizePt: 7.5, colour: ACCENT };

/** @param place 0 to 4, from the top. @returns pens that draw from the top left corner of the card and of its stub. */
export function cardPlace(pen: Pen, place: number): { card: Pen; stub: Pen } {
  const top = CARDS_TOP_MM + place * CARD_MM.height;
  return { card: movedPen(pen, CARDS_LEFT_MM, top), stub: movedPen(pen, CARDS_LEFT_MM + CARD_MM.width, top) };
}

/** @param place 0 to 23, by rows. */
export function stickerPlace(pen: Pen, place: number): Pen {
  const [column, row] = [place % STICKER_COLUMNS, Math.floor(place / STICKER_COLUMNS)];
  return movedPen(pen, STICKERS_LEFT_MM + column * (STICKER_MM.width + STICKER_GAP_MM), STICKERS_TOP_MM + row * STICKER_MM.height);
}

/** All of a sheet of cards but the faces. @param cards how many are on it, 1 to 5. @param sheet counts from 1. */
export function drawCardSheet(pen: Pen, cards: number, sheet: number, sheets: number): void {
  const right = CARDS_LEFT_MM + 2 * CARD_MM.width;
  const tear = CARDS_LEFT_MM + CARD_MM.width;
  const bottom = CARDS_TOP_MM + cards * CARD_MM.height;
  const columns = [CARDS_LEFT_MM, right];
  const rows = Array.from({ length: cards + 1 }, (_, row) => CARDS_TOP_MM + row * CARD_MM.height);
  drawCutMarks(pen, columns, rows, [CARDS_LEFT_MM, right], [CARDS_TOP_MM, bottom]);
  for (const y of rows.slice(1, -1)) drawCorner(pen, tear, y);
  pen.line(tear, CARDS_TOP_MM, tear, bottom, TEAR);
  drawHeader(pen, 'Vestibule cards', CARDS_LEFT_MM, right, sheet, sheets);
  pen.text(
    CARDS_LEFT_MM,
    FOOTER_MM,
    'Secret until handed out: every stub is a key. Cut at the marks. Hand out card and stub together; the visitor tears them at the dashed line.',
    NOTE,
  );
}

/** What a sheet of stickers says above and below them. */
export interface SheetWords {
  readonly title: string;
  readonly footer: string;
}

const STICKER_WORDS: SheetWords = {
  title: 'Vestibule test stickers',
  footer: 'For 24 labels of 63.5 x 33.9 mm a sheet (Avery L7159 and its like), or cut at the marks. Each sticker serves for one test.',
};

/** All of a sheet of stickers but the faces. @param stickers how many are on it, 1 to 24. */
export function drawStickerSheet(pen: Pen, stickers: number, sheet: number, sheets: number, words = STICKER_WORDS): void {
  const rowCount = Math.ceil(stickers / STICKER_COLUMNS);
  const right = A4_MM.width - STICKERS_LEFT_MM;
  const bottom = STICKERS_TOP_MM + rowCount * STICKER_MM.height;
  const columns = Array.from({ length: STICKER_COLUMNS }, (_, column) => STICKERS_LEFT_MM + column * (STICKER_MM.width + STICKER_GAP_MM));
  const rows = Array.from({ length: rowCount + 1 }, (_, row) => STICKERS_TOP_MM + row * STICKER_MM.height);
  drawCutMarks(
    pen,
    columns.flatMap((x) => [x, x + STICKER_MM.width]),
    rows,
    [STICKERS_LEFT_MM, right],
    [STICKERS_TOP_MM, bottom],
  );
  drawHeader(pen, words.title, STICKERS_LEFT_MM + TEXT_IN_MM, right - TEXT_IN_MM, sheet, sheets);
  pen.text(STICKERS_LEFT_MM + TEXT_IN_MM, FOOTER_MM, words.footer, NOTE);
}

/** Short lines beyond the edges, at each place where a cut runs. */
function drawCutMarks(
  pen: Pen,
  columns: readonly number[],
  rows: readonly number[],
  sides: readonly [number, number],
  ends: readonly [number, number],
): void {
  const [left, right] = sides;
  const [top, bottom] = ends;
  for (const x of columns) {
    pen.line(x, top - MARK_OFF_MM, x, top - MARK_OFF_MM - MARK_MM, MARK);
    pen.line(x, bottom + MARK_OFF_MM, x, bottom + MARK_OFF_MM + MARK_MM, MARK);
  }
  for (const y of rows) {
    pen.line(left - MARK_OFF_MM, y, left - MARK_OFF_MM - MARK_MM, y, MARK);
    pen.line(right + MARK_OFF_MM, y, right + MARK_OFF_MM + MARK_MM, y, MARK);
  }
}

/** For those who cut by hand: a small cross where four faces meet. */
function drawCorner(pen: Pen, x: number, y: number): void {
  pen.line(x - CORNER_MM, y, x + CORNER_MM, y, CORNER);
}

/** What the sheet is, and a rule that shows whether the printer kept to the scale. */
function drawHeader(pen: Pen, title: string, left: number, right: number, sheet: number, sheets: number): void {
  pen.text(left, HEADER_MM, title, TITLE);
  pen.text(left + pen.widthMm(title, TITLE) + 2, HEADER_MM, `sheet ${sheet} of ${sheets}`, NOTE);
  const note = `Print at 100 %: this line is ${RULE_MM} mm long`;
  const from = right - RULE_MM;
  pen.line(from, HEADER_MM, right, HEADER_MM, MARK);
  for (let mm = 0; mm <= RULE_MM; mm += 10) pen.line(from + mm, HEADER_MM, from + mm, HEADER_MM - (mm % 50 === 0 ? 1.6 : 0.9), MARK);
  pen.text(from + 2, HEADER_MM - 1.9, note, { ...NOTE, sizePt: 5.5 });
}
