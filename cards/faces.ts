/**
 * What is on a card, on its stub and on a sticker. A face is drawn from its own top left corner, in millimetres.
 * Nothing on a card tells the key code, and no number is on both card and stub: whoever finds the one can not find the other.
 *
 * Module sizes: makers name 0.25 mm for standard readers and 4 printer dots or more a module, and advise to print as large as the paper
 * allows (DENSO WAVE, "Point for setting the module size", qrcode.com/en/howto/cell.html). Cheap readers, webcams and worn paper
 * want more: here 0.9 mm (35 mil, 21 dots at 600 dpi) on cards and stubs, 0.6 mm (24 mil, 14 dots) on stickers.
 */
import { ACCENT, BLACK, GREY, type Lettering, type Pen } from './pen.ts';
import { makeQr, type QrSymbol } from './qr.ts';

/** ISO/IEC 7810, ID-1 ("CR80"), the size of a bank card. */
export const CARD_MM = { width: 85.6, height: 53.98 } as const;
/** One of 24 on a sheet: the label stock sold as Avery L7159 and its like. */
export const STICKER_MM = { width: 63.5, height: 33.9 } as const;

export const CARD_MODULE_MM = 0.9;
export const STICKER_MODULE_MM = 0.6;
/** The smallest QR versions that hold a signed card, a signed sticker and a key code at error correction M. */
export const CARD_VERSION = 7;
export const CARD_MODULES = 17 + 4 * CARD_VERSION;
export const KEY_VERSION = 2;

const MARGIN_MM = 5.5;
const LABEL: Lettering = { font: 'bold', sizePt: 7, colour: ACCENT, spacingPt: 0.8 };
const HEADING: Lettering = { font: 'bold', sizePt: 13, colour: BLACK };
const BODY: Lettering = { font: 'plain', sizePt: 8, colour: BLACK };
const SMALL: Lettering = { font: 'plain', sizePt: 6.5, colour: GREY };
const TYPED: Lettering = { font: 'typewriter', sizePt: 12, colour: BLACK };
const MARK: Lettering = { font: 'bold', sizePt: 8, colour: ACCENT };
/** The arch of an entrance and the door in it: 10 units wide, 12 high. */
const ARCH = 'M0 12 V5 A5 5 0 0 1 10 5 V12 H7.8 V5 A2.8 2.8 0 0 0 2.2 5 V12 Z M3.7 12 V5.2 A1.3 1.3 0 0 1 6.3 5.2 V12 Z';

/**
 * @param text the signed card's code, 174 or 176 letters.
 * @param people 1 for a visitor's card, 2 to 99 for a group's.
 */
export function drawCard(pen: Pen, text: string, people: number): void {
  const symbol = makeQr(text, CARD_VERSION);
  const side = symbol.modules * CARD_MODULE_MM;
  const top = (CARD_MM.height - side) / 2;
  drawSymbol(pen, symbol, top, top, CARD_MODULE_MM);
  const left = top + side + 5.5;
  const isGroup = people > 1;
  pen.text(left, top + 2, isGroup ? 'GROUP CARD' : 'VISITOR CARD', LABEL);
  pen.text(left, top + 10.2, 'Scan at', HEADING);
  pen.text(left, top + 15.6, 'the entrance', HEADING);
  if (isGroup) pen.text(left, top + 22.4, `For ${people} people`, { ...BODY, font: 'bold', sizePt: 9 });
  const lines = isGroup ? ['One scan for all.', 'No name, no phone.'] : ['No name, no phone.'];
  const body = top + (isGroup ? 26.6 : 22);
  lines.forEach((line, at) => {
    pen.text(left, body + at * 3.7, line, BODY);
  });
  pen.shape(left, top + side - 5, 5 / 12, ARCH, ACCENT);
  pen.text(left + 5.6, top + side, 'Vestibule', MARK);
}

/**
 * @param text the key code's code, 38 letters.
 * @param typed the same as people type it: six groups with hyphens between.
 * @param people as on the card that it belongs to.
 */
export function drawStub(pen: Pen, text: string, typed: string, people: number): void {
  const symbol = makeQr(text, KEY_VERSION);
  const side = symbol.modules * CARD_MODULE_MM;
  const right = CARD_MM.width - MARGIN_MM;
  // In line with the card's symbol beside it.
  const bottom = (CARD_MM.height + CARD_MODULES * CARD_MODULE_MM) / 2;
  pen.text(MARGIN_MM, 8.7, people > 1 ? 'KEY TO YOUR GROUP CARD' : 'KEY TO YOUR CARD', LABEL);
  pen.text(right, 8.7, 'NOT FOR THE DOOR', { ...LABEL, colour: GREY, align: 'right' });
  pen.text(MARGIN_MM, 16.2, 'Keep this at home.', HEADING);
  pen.text(MARGIN_MM, 20.9, 'It is the only way to read your notices', BODY);
  pen.text(MARGIN_MM, 24.6, 'and to take everything back.', BODY);
  drawSymbol(pen, symbol, right - side, bottom - side, CARD_MODULE_MM);
  const groups = typed.split('-');
  pen.text(MARGIN_MM, bottom - 9.6, groups.slice(0, 3).join(' '), TYPED);
  pen.text(MARGIN_MM, bottom - 4.4, groups.slice(3).join(' '), TYPED);
  pen.text(MARGIN_MM, bottom, 'Show it to nobody. It can not be replaced.', SMALL);
}

/** @param text the signed sticker's code, 174 letters. */
export function drawSticker(pen: Pen, text: string): void {
  const symbol = makeQr(text, CARD_VERSION);
  const side = symbol.modules * STICKER_MODULE_MM;
  const top = (STICKER_MM.height - side) / 2;
  drawSymbol(pen, symbol, top, top, STICKER_MODULE_MM);
  const left = top + side + 4;
  pen.text(left, top + 2, 'TEST STICKER', { ...LABEL, sizePt: 6.5 });
  pen.text(left, top + 8.6, 'For one test', { ...HEADING, sizePt: 10.5 });
  pen.text(left, top + 13.2, 'Scan it with the', { ...BODY, sizePt: 7.5 });
  pen.text(left, top + 16.5, 'visitor’s card.', { ...BODY, sizePt: 7.5 });
  pen.text(left, top + 19.9, 'Serves 14 days from then.', { ...SMALL, sizePt: 5.5 });
  pen.shape(left, top + side - 4.2, 4.2 / 12, ARCH, ACCENT);
  pen.text(left + 4.8, top + side, 'Vestibule', { ...MARK, sizePt: 7 });
}

function drawSymbol(pen: Pen, { runs }: QrSymbol, xMm: number, yMm: number, moduleMm: number): void {
  pen.rectangles(
    runs.map(({ row, column, length }) => ({
      xMm: xMm + column * moduleMm,
      yMm: yMm + row * moduleMm,
      widthMm: length * moduleMm,
      heightMm: moduleMm,
    })),
    BLACK,
  );
}
