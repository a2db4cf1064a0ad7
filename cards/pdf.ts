/**
 * A4 pages as PDF. The only file here that knows pdfkit. Nothing in the file tells when, where or by whom it was made:
 * the document's id and date are the same for all.
 */
import PdfDocument from 'pdfkit';
import type { Lettering, Pen } from './pen.ts';

const POINTS_PER_MM = 72 / 25.4;
const A4_POINTS: [number, number] = [210 * POINTS_PER_MM, 297 * POINTS_PER_MM];
/** The fonts that every PDF reader has; nothing is embedded. */
const FONTS = { plain: 'Helvetica', bold: 'Helvetica-Bold', typewriter: 'Courier-Bold' } as const;
/** pdfkit insists on a date and hashes the document's id from it: 1970 for all, so that no sheet can be told from another or placed in time. */
const NO_DATE = new Date(0);

export interface PdfPages {
  readonly pen: Pen;
  addPage(): void;
  /** Nothing may be drawn afterwards. @returns the file; whoever holds it fills it with zeros after use. */
  finish(): Promise<Uint8Array>;
}

/** @param title shown by PDF readers in their title bar; says what the file is, nothing more. */
export function openPdf(title: string): PdfPages {
  const pdf = new PdfDocument({
    autoFirstPage: false,
    size: A4_POINTS,
    margin: 0,
    pdfVersion: '1.4',
    lang: 'en',
    displayTitle: true,
    info: { Title: title, Producer: 'Vestibule', Creator: 'Vestibule', CreationDate: NO_DATE },
  });
  const chunks: Buffer[] = [];
  pdf.on('data', (chunk: Buffer) => chunks.push(chunk));
  const written = new Promise<void>((resolve, reject) => pdf.once('end', resolve).once('error', reject));
  return {
    pen: penOn(pdf),
    addPage: () => void pdf.addPage(),
    async finish() {
      pdf.end();
      await written;
      const file = new Uint8Array(Buffer.concat(chunks));
      for (const chunk of chunks) chunk.fill(0);
      return file;
    },
  };
}

function penOn(pdf: PDFKit.PDFDocument): Pen {
  const points = (mm: number): number => mm * POINTS_PER_MM;
  const choose = ({ font, sizePt }: Lettering) => pdf.font(FONTS[font]).fontSize(sizePt);
  const widthPt = (text: string, lettering: Lettering): number =>
    choose(lettering).widthOfString(text, { characterSpacing: lettering.spacingPt ?? 0 });
  return {
    text(xMm, baselineMm, text, lettering) {
      const left = lettering.align === 'right' ? points(xMm) - widthPt(text, lettering) : points(xMm);
      choose(lettering)
        .fillColor(lettering.colour)
        .text(text, left, points(baselineMm), { baseline: 'alphabetic', lineBreak: false, characterSpacing: lettering.spacingPt ?? 0 });
    },
    rectangles(rectangles, colour) {
      if (rectangles.length === 0) return;
      for (const { xMm, yMm, widthMm, heightMm } of rectangles) pdf.rect(points(xMm), points(yMm), points(widthMm), points(heightMm));
      pdf.fill(colour);
    },
    line(fromXMm, fromYMm, toXMm, toYMm, { widthMm, colour, dashMm }) {
      pdf.lineWidth(points(widthMm)).strokeColor(colour);
      if (dashMm === undefined) pdf.undash();
      else pdf.dash(points(dashMm), { space: points(dashMm) });
      pdf.moveTo(points(fromXMm), points(fromYMm)).lineTo(points(toXMm), points(toYMm)).stroke();
    },
    shape(xMm, yMm, unitMm, path, colour) {
      pdf.save().translate(points(xMm), points(yMm)).scale(points(unitMm)).path(path).fill(colour).restore();
    },
    widthMm: (text, lettering) => widthPt(text, lettering) / POINTS_PER_MM,
  };
}
