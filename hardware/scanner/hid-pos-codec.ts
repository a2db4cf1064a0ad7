/**
 * Reports of a HID POS scanner to codes. Pure and bounded; the stale end of a code that broke off is hid-pos-scanner.ts's.
 *
 * Makers order and size the fields as they like, and a code may take several reports, so that the layout is read from the report descriptor:
 *
 *   | usage               | page 0x8C (Bar Code Scanner)                     | found as                           |
 *   |---------------------|--------------------------------------------------|------------------------------------|
 *   | 0xFB, 0xFC, 0xFD    | Symbology Identifier 1 to 3: `]`, code, modifier | one byte each, or not there        |
 *   | 0xFE                | Decoded Data                                     | bytes, 1 and up                    |
 *   | 0xFF                | Decode Data Continued                            | a bit or a byte, or not there      |
 *   | 0x3B of page 0x01   | Byte Count: how much of Decoded Data is used     | one or two bytes, or not there     |
 *
 * Source: HID Point of Sale Usage Tables 1.02, sections 3 and 3.10; HID Usage Tables 1.5, section 4 (Byte Count); ISO/IEC 15424 (identifier).
 */
import { bitsAt, elementsWith, type ReportDescriptor, type ReportField, reportBytes, usageOf } from '../hid/report-descriptor.ts';
import { type Frame, LINE_ENDS, LineFramer } from './line-framer.ts';
import { LONGEST_SYMBOL_BYTES } from './scan.ts';

const BAR_CODE_SCANNER = 0x8c;
const IDENTIFIER = [0xfb, 0xfc, 0xfd].map((id) => usageOf(BAR_CODE_SCANNER, id));
const DECODED_DATA = usageOf(BAR_CODE_SCANNER, 0xfe);
const CONTINUED = usageOf(BAR_CODE_SCANNER, 0xff);
const BYTE_COUNT = usageOf(0x01, 0x3b);

interface Place {
  readonly firstBit: number;
  readonly bits: number;
}

/** Where one kind of report keeps what. */
export interface PosReport {
  readonly reportId: number;
  /** With its id. */
  readonly lengthBytes: number;
  /** One place a byte of data, in order. */
  readonly data: readonly Place[];
  /** Three places, or none. */
  readonly identifier: readonly Place[];
  readonly byteCount: Place | undefined;
  readonly continued: Place | undefined;
}

export interface PosLayout {
  readonly hasReportIds: boolean;
  /** One at least, each with room for data. */
  readonly reports: readonly PosReport[];
}

/** @returns where scanned data is in the reports of this device; `undefined` where it is no POS scanner. */
export function posLayoutOf(descriptor: ReportDescriptor): PosLayout | undefined {
  const inputs = descriptor.fields.filter(({ kind, isConstant }) => kind === 'input' && !isConstant);
  const ids = [...new Set(inputs.map(({ reportId }) => reportId))];
  const reports = ids
    .map((reportId): PosReport => {
      const fields = inputs.filter((field) => field.reportId === reportId);
      const identifier = IDENTIFIER.flatMap((usage) => placesOf(fields, usage).slice(0, 1));
      return {
        reportId,
        lengthBytes: reportBytes(descriptor, 'input', reportId),
        data: placesOf(fields, DECODED_DATA).filter(({ bits }) => bits === 8),
        identifier: identifier.length === IDENTIFIER.length ? identifier : [],
        byteCount: placesOf(fields, BYTE_COUNT)[0],
        continued: placesOf(fields, CONTINUED)[0],
      };
    })
    .filter(({ data }) => data.length > 0);
  return reports.length === 0 ? undefined : { hasReportIds: descriptor.hasReportIds, reports };
}

/** Every element with this usage. The last usage of a field is that of all its remaining elements: 56 bytes of Decoded Data name it once. */
function placesOf(fields: readonly ReportField[], usage: number): Place[] {
  return fields.flatMap((field) => {
    const { firstBit, bitsEach: bits } = field;
    const elements = elementsWith(field, usage);
    // "Continued" written with a count of eight bits is one bit and its padding.
    const meant = bits === 1 ? elements.slice(0, 1) : elements;
    return meant.map((at) => ({ firstBit: firstBit + at * bits, bits }));
  });
}

/** One report, read. */
export interface PosPart {
  readonly bytes: Uint8Array;
  /** Three characters, `]Q1` for a QR code; `undefined` where the scanner sends none. */
  readonly identifier: string | undefined;
  /** The next report goes on with the same code. */
  readonly isContinued: boolean;
}

/**
 * @returns `undefined` for a report of another kind (status, a vendor's own), `cut` for one that is too short or whose count of bytes is more
 * than it has room for.
 */
export function readPosReport(layout: PosLayout, report: Uint8Array): PosPart | 'cut' | undefined {
  const reportId = layout.hasReportIds ? (report[0] ?? 0) : 0;
  const found = layout.reports.find((known) => known.reportId === reportId);
  if (found === undefined) return undefined;
  if (report.length < found.lengthBytes) return 'cut';
  const body = layout.hasReportIds ? report.subarray(1) : report;
  const read = ({ firstBit, bits }: Place) => bitsAt(body, firstBit, bits);
  const room = Uint8Array.from(found.data, read);
  const count = found.byteCount === undefined ? withoutPadding(room) : read(found.byteCount);
  if (count > room.length) return 'cut';
  const identifier = String.fromCharCode(...found.identifier.map(read));
  return {
    bytes: room.subarray(0, count),
    identifier: /^\][A-Za-z][0-9A-Za-z]$/.test(identifier) ? identifier : undefined,
    isContinued: found.continued !== undefined && read(found.continued) !== 0,
  };
}

/** @returns how many bytes there are without the zeros behind them. */
const withoutPadding = (bytes: Uint8Array): number => bytes.findLastIndex((byte) => byte !== 0) + 1;

/** Puts the reports of a code together. Bounded at the longest symbol: a code that never ends is refused once and skipped to its end. */
export class PosAssembler {
  readonly #layout: PosLayout;
  /** A scanner may be set to add a line end, and one with a memory may send several codes as one: what is a line is a code. */
  readonly #lines = new LineFramer(LINE_ENDS, LONGEST_SYMBOL_BYTES);
  #isSkipping = false;
  #isInside = false;

  constructor(layout: PosLayout) {
    this.#layout = layout;
  }

  /** Whether a code is under way: its last report said that there is more. */
  get isInside(): boolean {
    return this.#isInside;
  }

  /** @returns codes and refusals that this report completes, in order. */
  push(report: Uint8Array): Frame[] {
    const part = readPosReport(this.#layout, report);
    if (part === undefined) return [];
    if (part === 'cut') {
      const dropped = this.#lines.drop();
      // Whether it was a code's last report is not known: what follows may be the rest of one, and is skipped to its end.
      this.#isSkipping = true;
      this.#isInside = true;
      return [dropped ?? { kind: 'refused', why: 'cut', lengthBytes: report.length }];
    }
    const frames = this.#isSkipping ? [] : this.#lines.push(part.bytes);
    // Of a code that is refused nothing more is taken, however it goes on.
    const refusedAt = frames.findIndex(({ kind }) => kind === 'refused');
    if (refusedAt >= 0) {
      frames.length = refusedAt + 1;
      this.#isSkipping = true;
    }
    this.#isInside = part.isContinued;
    if (part.isContinued) return frames;
    const last = this.#isSkipping ? undefined : this.#lines.flush();
    this.#isSkipping = false;
    this.#lines.drop();
    return last === undefined ? frames : [...frames, last];
  }

  /** Gives up the code under way. @returns its refusal; `undefined` where there was nothing to refuse. */
  drop(): Frame | undefined {
    this.#isInside = false;
    this.#isSkipping = false;
    return this.#lines.drop();
  }
}
