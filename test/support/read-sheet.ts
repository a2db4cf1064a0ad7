/**
 * Reads a printed sheet as a scanner would: rasterises the PDF and decodes every QR code on it, with libraries that had no part in
 * drawing it. The decoder's wasm is read from its package; nothing is fetched.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Canvas, createCanvas } from '@napi-rs/canvas';
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import { seededRandom } from './suite-size.ts';

export interface PrintedCode {
  readonly text: string;
  /** From 1. */
  readonly page: number;
  /** The symbol's top left corner and size, without its quiet zone, in millimetres on the paper. */
  readonly xMm: number;
  readonly yMm: number;
  readonly sizeMm: number;
  /** Error correction: L, M, Q or H. */
  readonly correction: string;
}

export interface Reading {
  /** Of the imaginary scanner; 200 unless said. */
  readonly dpi?: number;
  /** Standard deviation of a Gaussian blur, in pixels. */
  readonly blurPx?: number;
  /** Each pixel is made lighter or darker by up to so much of 255. */
  readonly noise?: number;
  /** For the noise. */
  readonly seed?: number;
  /** Which pages, from 1; all unless said. */
  readonly pages?: readonly number[];
}

export interface Pixels {
  /** Red, green, blue, opacity. */
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

export interface RasterPage {
  /** From 1. */
  readonly page: number;
  readonly pixels: Pixels;
  /** For a person to look at. */
  toPng(): Buffer;
}

const MM_PER_INCH = 25.4;
const POINTS_PER_INCH = 72;
const require = createRequire(import.meta.url);
const packageOf = (name: string): string => dirname(require.resolve(`${name}/package.json`));

// Only tells the decoder where its code is; it is compiled at the first reading.
prepareZXingModule({
  overrides: { wasmBinary: new Uint8Array(readFileSync(require.resolve('zxing-wasm/reader/zxing_reader.wasm'))).buffer },
});

/** Yields the pages of the PDF as images, white where nothing is printed; one at a time, since each is 15 MB at 200 dpi. */
export async function* rasterise(
  pdf: Uint8Array,
  { dpi = 200, blurPx = 0, noise = 0, seed = 1, pages: wanted }: Reading = {},
): AsyncGenerator<RasterPage, void> {
  // pdf.js takes the buffer it is given for its own.
  const loading = getDocument({
    data: Uint8Array.from(pdf),
    standardFontDataUrl: `${join(packageOf('pdfjs-dist'), 'standard_fonts')}/`,
    useSystemFonts: false,
    verbosity: 0,
  });
  const document = await loading.promise;
  for (let number = 1; number <= document.numPages; number++) {
    if (wanted !== undefined && !wanted.includes(number)) continue;
    const page = await document.getPage(number);
    const viewport = page.getViewport({ scale: dpi / POINTS_PER_INCH });
    const canvas = createCanvas(Math.ceil(viewport.width), Math.ceil(viewport.height));
    // pdf.js is typed for the browser's canvas; this one draws the same.
    await page.render({ canvas: canvas as never, viewport }).promise;
    page.cleanup();
    const printed = blurPx > 0 || noise > 0 ? worn(canvas, blurPx, noise, seed + number) : canvas;
    const { data } = printed.getContext('2d').getImageData(0, 0, printed.width, printed.height);
    yield {
      page: number,
      pixels: { data: new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength), width: printed.width, height: printed.height },
      toPng: () => printed.toBuffer('image/png'),
    };
  }
  await loading.destroy();
}

/** @returns every QR code that was found, page by page, by rows from the top and from left to right. */
export async function readSheet(pdf: Uint8Array, reading: Reading = {}): Promise<PrintedCode[]> {
  const mmPerPx = MM_PER_INCH / (reading.dpi ?? 200);
  const found: PrintedCode[] = [];
  for await (const { page, pixels } of rasterise(pdf, reading)) {
    const codes = (await readImage(pixels)).map(({ text, correction, x, y, size }) => ({
      text,
      page,
      xMm: x * mmPerPx,
      yMm: y * mmPerPx,
      sizeMm: size * mmPerPx,
      correction,
    }));
    found.push(...byRows(codes));
  }
  return found;
}

/** @returns each card's code with the key code on the stub beside it, in the order of the sheets. @throws when one has no other. */
export function pairStubs(codes: readonly PrintedCode[]): { readonly card: PrintedCode; readonly stub: PrintedCode }[] {
  const cards = codes.filter((code) => /^V[CG]/.test(code.text));
  const stubs = codes.filter((code) => code.text.startsWith('VK'));
  if (cards.length !== stubs.length) throw new Error(`${cards.length} cards and ${stubs.length} stubs`);
  return cards.map((card) => {
    const stub = codes[codes.indexOf(card) + 1];
    if (stub === undefined || !stubs.includes(stub) || stub.page !== card.page)
      throw new Error(`a card on page ${card.page} has no stub beside it`);
    return { card, stub };
  });
}

/** @returns the QR codes of one image, positions in its pixels. @param image pixels, or the bytes of a PNG. */
export async function readImage(
  image: Pixels | Uint8Array,
): Promise<{ text: string; correction: string; x: number; y: number; size: number }[]> {
  const results = await readBarcodes(image as Parameters<typeof readBarcodes>[0], {
    formats: ['QRCode'],
    maxNumberOfSymbols: 255,
    tryInvert: false,
  });
  return results
    .filter((result) => result.isValid)
    .map(({ text, ecLevel, position: { topLeft, topRight } }) => ({
      text,
      correction: ecLevel,
      x: topLeft.x,
      y: topLeft.y,
      size: Math.hypot(topRight.x - topLeft.x, topRight.y - topLeft.y),
    }));
}

/** One row's symbols stand on one line, however tall they are. */
const ROW_MM = 5;

function byRows(codes: readonly PrintedCode[]): PrintedCode[] {
  const bottomOf = (code: PrintedCode) => code.yMm + code.sizeMm;
  const rows: PrintedCode[][] = [];
  for (const code of [...codes].sort((a, b) => bottomOf(a) - bottomOf(b))) {
    const row = rows.at(-1);
    if (row?.[0] !== undefined && bottomOf(code) - bottomOf(row[0]) < ROW_MM) row.push(code);
    else rows.push([code]);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.xMm - b.xMm));
}

function worn(canvas: Canvas, blurPx: number, noise: number, seed: number): Canvas {
  const copy = createCanvas(canvas.width, canvas.height);
  const context = copy.getContext('2d');
  if (blurPx > 0) context.filter = `blur(${blurPx}px)`;
  context.drawImage(canvas, 0, 0);
  const random = seededRandom(seed);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < image.data.length; at += 4) {
    const by = (2 * random() - 1) * noise;
    for (let channel = at; channel < at + 3; channel++) image.data[channel] = image.data[channel]! + by;
  }
  context.putImageData(image, 0, 0);
  return copy;
}
