/**
 * QR symbols as grids of modules, drawn by whoever asks. The only file here that knows the qrcode library.
 * Source: ISO/IEC 18004: alphanumeric mode packs two characters into 11 bits; 7-M holds 178 of them, 2-M holds 38; a quiet zone of 4 modules.
 */
import qrcode from 'qrcode';

/** Error correction M gives back 15 % of the codewords: creased paper, a thumb, a scratch. */
const CORRECTION = 'M';
export const QUIET_MODULES = 4;

/** ISO/IEC 18004, table 7: characters of alphanumeric mode that versions 1, 2, 3 … hold at error correction M. */
const CAPACITIES = [20, 38, 61, 90, 122, 154, 178, 221, 259, 311, 366, 419, 483, 528, 600];

/** @returns the smallest version that holds so many characters; `undefined` past 600. */
export const versionFor = (characters: number): number | undefined => {
  const at = CAPACITIES.findIndex((capacity) => characters <= capacity);
  return at < 0 ? undefined : at + 1;
};

/** A stretch of dark modules in one row. */
export interface DarkRun {
  readonly row: number;
  readonly column: number;
  readonly length: number;
}

export interface QrSymbol {
  /** Modules a side, without the quiet zone: 17 + 4 x version. */
  readonly modules: number;
  readonly runs: readonly DarkRun[];
}

/** @param text upper-case letters, digits and `$%*+-./: ` only. @param version 1 to 40; fixed, so that all cards look alike. */
export function makeQr(text: string, version: number): QrSymbol {
  const { modules } = qrcode.create([{ data: text, mode: 'alphanumeric' }], { errorCorrectionLevel: CORRECTION, version });
  const runs: DarkRun[] = [];
  for (let row = 0; row < modules.size; row++) {
    for (let column = 0; column < modules.size; ) {
      let end = column;
      while (end < modules.size && modules.get(row, end)) end++;
      if (end > column) runs.push({ row, column, length: end - column });
      column = end + 1;
    }
  }
  return { modules: modules.size, runs };
}
