/** What faces and sheets are drawn with: millimetres from the top left corner, whoever makes the file. */

/** `#rrggbb`. */
export type Colour = string;

export const BLACK: Colour = '#000000';
/** Dark enough to read on a monochrome printer. */
export const ACCENT: Colour = '#0b4f5c';
export const GREY: Colour = '#55606a';
export const PALE: Colour = '#b9c1c7';

export interface Lettering {
  readonly font: 'plain' | 'bold' | 'typewriter';
  readonly sizePt: number;
  readonly colour: Colour;
  /** Between characters, on top of the font's own. */
  readonly spacingPt?: number;
  /** Where `xMm` lies in the line; left unless said. */
  readonly align?: 'left' | 'right';
}

export interface Stroke {
  readonly widthMm: number;
  readonly colour: Colour;
  /** Length of dashes and of the gaps between; a full line unless said. */
  readonly dashMm?: number;
}

export interface Rectangle {
  readonly xMm: number;
  readonly yMm: number;
  readonly widthMm: number;
  readonly heightMm: number;
}

export interface Pen {
  /** One line of text on a baseline; never wrapped. Characters of Windows-1252 only. */
  text(xMm: number, baselineMm: number, text: string, lettering: Lettering): void;
  /** Filled as one shape, so that no seam shows between neighbours. */
  rectangles(rectangles: readonly Rectangle[], colour: Colour): void;
  line(fromXMm: number, fromYMm: number, toXMm: number, toYMm: number, stroke: Stroke): void;
  /** @param path SVG path data in units of `unitMm`. */
  shape(xMm: number, yMm: number, unitMm: number, path: string, colour: Colour): void;
  /** @returns how wide the line would be. */
  widthMm(text: string, lettering: Lettering): number;
}

/** @returns a pen whose origin lies at a place of `pen`'s. */
export const movedPen = (pen: Pen, xMm: number, yMm: number): Pen => ({
  text: (x, baseline, text, lettering) => pen.text(x + xMm, baseline + yMm, text, lettering),
  rectangles: (rectangles, colour) =>
    pen.rectangles(
      rectangles.map((rectangle) => ({ ...rectangle, xMm: rectangle.xMm + xMm, yMm: rectangle.yMm + yMm })),
      colour,
    ),
  line: (fromX, fromY, toX, toY, stroke) => pen.line(fromX + xMm, fromY + yMm, toX + xMm, toY + yMm, stroke),
  shape: (x, y, unitMm, path, colour) => pen.shape(x + xMm, y + yMm, unitMm, path, colour),
  widthMm: (text, lettering) => pen.widthMm(text, lettering),
});
