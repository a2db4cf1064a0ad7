/**
 * A black and white picture as PNG: one bit a pixel, no text, no time.
 * Source: W3C, Portable Network Graphics (Third Edition): signature (5.2), chunks (5.3), IHDR (11.2.1), filter 0 (9.2).
 */
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BIT_DEPTH = 1;
const GREYSCALE = 0;

/** White until darkened. */
export class Bitmap {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Rows of whole bytes behind one filter byte each; a bit set is white. */
  readonly #rows: Uint8Array;
  readonly #rowBytes: number;

  constructor(widthPx: number, heightPx: number) {
    this.widthPx = widthPx;
    this.heightPx = heightPx;
    this.#rowBytes = 1 + Math.ceil(widthPx / 8);
    this.#rows = new Uint8Array(this.#rowBytes * heightPx).fill(0xff);
    for (let row = 0; row < heightPx; row++) this.#rows[row * this.#rowBytes] = 0;
  }

  /** Blackens a rectangle; what lies outside of the picture is left out. */
  darken(leftPx: number, topPx: number, widthPx: number, heightPx: number): void {
    for (let y = Math.max(0, topPx); y < Math.min(this.heightPx, topPx + heightPx); y++) {
      for (let x = Math.max(0, leftPx); x < Math.min(this.widthPx, leftPx + widthPx); x++) {
        const at = y * this.#rowBytes + 1 + (x >> 3);
        this.#rows[at] = (this.#rows[at] ?? 0) & ~(0x80 >> (x & 7));
      }
    }
  }

  toPng(): Uint8Array {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(this.widthPx, 0);
    header.writeUInt32BE(this.heightPx, 4);
    header.set([BIT_DEPTH, GREYSCALE, 0, 0, 0], 8);
    return new Uint8Array(
      Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', deflateSync(this.#rows)), chunk('IEND', new Uint8Array(0))]),
    );
  }
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const checked = Buffer.concat([Buffer.from(type, 'ascii'), content]);
  const framed = Buffer.alloc(4 + checked.length + 4);
  framed.writeUInt32BE(content.length, 0);
  checked.copy(framed, 4);
  framed.writeUInt32BE(crc32(checked), 4 + checked.length);
  return framed;
}
