/**
 * One card as a picture for a phone's screen: the card's code and what it is, never its key. White to the edges, since a dark
 * background would eat the quiet zone.
 */
import { CARD_VERSION } from './faces.ts';
import { drawPixelText, GLYPH_ROWS } from './pixel-letters.ts';
import { Bitmap } from './png.ts';
import { makeQr, QUIET_MODULES } from './qr.ts';

export const PICTURE_FORMATS = ['png', 'svg'] as const;
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** 848 pixels across: a phone shows it without making it larger, and a module stays a whole number of pixels. */
const MODULE_PX = 16;
const SIDE_MODULES = 17 + 4 * CARD_VERSION;
const WIDTH_MODULES = SIDE_MODULES + 2 * QUIET_MODULES;
const SYMBOL_TOP_MODULES = 11;
const HEIGHT_MODULES = 72;

interface Caption {
  readonly text: string;
  readonly topModules: number;
  /** Height of a capital: a multiple of 7/16, so that its pixels are whole. */
  readonly capitalModules: number;
  readonly isBold: boolean;
}

const SMALL_CAPITALS = (4 * GLYPH_ROWS) / MODULE_PX;
const LARGE_CAPITALS = (6 * GLYPH_ROWS) / MODULE_PX;

/** @returns the words on the picture. @param people 1, or 2 to 99 for a group's card. */
export function captionsOf(people: number): Caption[] {
  const small = (text: string, topModules: number): Caption => ({ text, topModules, capitalModules: SMALL_CAPITALS, isBold: false });
  const below = SYMBOL_TOP_MODULES + SIDE_MODULES + QUIET_MODULES;
  const last = people > 1 ? `For ${people} people, one scan for all` : 'No name, no phone';
  return [
    { ...small(people > 1 ? 'Group card' : 'Visitor card', QUIET_MODULES), isBold: true },
    { text: 'Scan at the entrance', topModules: below + 1, capitalModules: LARGE_CAPITALS, isBold: true },
    small(last, below + 6),
  ];
}

/** @param text the signed card's code. @returns the file's bytes. */
export function drawPicture(format: PictureFormat, text: string, people: number): Uint8Array {
  switch (format) {
    case 'png':
      return drawPng(text, people);
    case 'svg':
      return new TextEncoder().encode(drawSvg(text, people));
  }
}

function drawPng(text: string, people: number): Uint8Array {
  const bitmap = new Bitmap(WIDTH_MODULES * MODULE_PX, HEIGHT_MODULES * MODULE_PX);
  for (const { row, column, length } of makeQr(text, CARD_VERSION).runs) {
    bitmap.darken((QUIET_MODULES + column) * MODULE_PX, (SYMBOL_TOP_MODULES + row) * MODULE_PX, length * MODULE_PX, MODULE_PX);
  }
  for (const { text: words, topModules, capitalModules } of captionsOf(people)) {
    drawPixelText(bitmap, words, QUIET_MODULES * MODULE_PX, topModules * MODULE_PX, (capitalModules * MODULE_PX) / GLYPH_ROWS);
  }
  return bitmap.toPng();
}

/** A capital's height in the fonts named below, of their size. */
const CAPITAL_RATIO = 0.717;

function drawSvg(text: string, people: number): string {
  const path = makeQr(text, CARD_VERSION)
    .runs.map(({ row, column, length }) => `M${QUIET_MODULES + column} ${SYMBOL_TOP_MODULES + row}h${length}v1h-${length}z`)
    .join('');
  const captions = captionsOf(people).map(
    ({ text: words, topModules, capitalModules, isBold }) =>
      `  <text x="${QUIET_MODULES}" y="${topModules + capitalModules}" font-size="${(capitalModules / CAPITAL_RATIO).toFixed(2)}"${isBold ? ' font-weight="bold"' : ''}>${words}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH_MODULES} ${HEIGHT_MODULES}" width="${WIDTH_MODULES * MODULE_PX}" height="${HEIGHT_MODULES * MODULE_PX}" font-family="Helvetica, Arial, sans-serif">`,
    `  <rect width="${WIDTH_MODULES}" height="${HEIGHT_MODULES}" fill="#ffffff"/>`,
    // Without it a renderer may soften the edges between modules.
    `  <path shape-rendering="crispEdges" d="${path}"/>`,
    ...captions,
    '</svg>',
    '',
  ].join('\n');
}
