/** An enrolment code as a QR symbol that a page draws: rows of modules. The only importer of qrcode in this room. Source: ISO/IEC 18004. */
import qrcode from 'qrcode';

/** @param text upper-case letters, digits and `$%*+-./: ` only. @returns a line a row, `1` for a dark module; without the quiet zone. */
export function symbolRows(text: string): string[] {
  const { modules } = qrcode.create([{ data: text, mode: 'alphanumeric' }], { errorCorrectionLevel: 'M' });
  return Array.from({ length: modules.size }, (_, row) =>
    Array.from({ length: modules.size }, (_cell, column) => (modules.get(row, column) ? '1' : '0')).join(''),
  );
}
