/**
 * HID POS scanners of any make: a report descriptor written from a list of fields, and the reports such a scanner sends. Written apart from the
 * parser and codec under test.
 */

/** `count`: bytes of data used. `identifier`: three bytes. `continued`: a bit, a byte, or a bit in a byte of its own. `other`: a maker's own bytes. */
export type PosFieldKind = 'count' | 'identifier' | 'data' | 'continued-bit' | 'continued-byte' | 'continued-padded' | 'other';

export interface PosField {
  readonly kind: PosFieldKind;
  /** `data` and `other`: how many. 1 when left out. */
  readonly bytes?: number;
}

export interface PosFormat {
  /** 0: no report ids. */
  readonly reportId: number;
  readonly fields: readonly PosField[];
}

/** Access-IS LSR118 manual, appendix B.1; Hand Held Products, USB Interfaces User's Guide, page 1-11: 64 bytes with the identifier in front. */
export const HONEYWELL_FORMAT: PosFormat = {
  reportId: 2,
  fields: [
    { kind: 'count' },
    { kind: 'identifier' },
    { kind: 'data', bytes: 56 },
    { kind: 'other', bytes: 2 },
    { kind: 'continued-padded' },
  ],
};

/** Newland NLS-FM420 integration guide, page 47 ("Getting Scanned Data"): data at once, their own symbology byte behind it. */
export const NEWLAND_FORMAT: PosFormat = {
  reportId: 2,
  fields: [{ kind: 'count' }, { kind: 'data', bytes: 56 }, { kind: 'other', bytes: 5 }, { kind: 'continued-padded' }],
};

const BITS: Record<PosFieldKind, number> = {
  count: 8,
  identifier: 24,
  data: 8,
  'continued-bit': 1,
  'continued-byte': 8,
  'continued-padded': 8,
  other: 8,
};

const input = (bits: number, count: number, flags = 0x02): number[] => [0x75, bits, 0x96, count & 0xff, count >> 8, 0x81, flags];

const ITEMS: Record<PosFieldKind, (bytes: number) => number[]> = {
  count: () => [0x05, 0x01, 0x09, 0x3b, ...input(8, 1), 0x05, 0x8c],
  identifier: () => [0x09, 0xfb, 0x09, 0xfc, 0x09, 0xfd, ...input(8, 3)],
  data: (bytes) => [0x09, 0xfe, 0x75, 8, 0x96, bytes & 0xff, bytes >> 8, 0x82, 0x02, 0x01],
  'continued-bit': () => [0x09, 0xff, ...input(1, 1)],
  'continued-byte': () => [0x09, 0xff, ...input(8, 1)],
  'continued-padded': () => [0x09, 0xff, ...input(1, 1), ...input(1, 7, 0x03)],
  other: (bytes) => [0x06, 0x66, 0xff, 0x09, 0x04, ...input(8, bytes), 0x05, 0x8c],
};

/** @returns the report descriptor of such a scanner: usage page 0x8C, a bar code scanner with one scanned data report. */
export function posDescriptor({ reportId, fields }: PosFormat): Uint8Array {
  return Uint8Array.from([
    ...[0x05, 0x8c, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x12, 0xa1, 0x02],
    ...(reportId === 0 ? [] : [0x85, reportId]),
    ...[0x15, 0x00, 0x26, 0xff, 0x00],
    ...fields.flatMap(({ kind, bytes = 1 }) => ITEMS[kind](bytes)),
    ...[0xc0, 0xc0],
  ]);
}

const roomOf = ({ fields }: PosFormat): number => fields.reduce((sum, { kind, bytes = 1 }) => sum + (kind === 'data' ? bytes : 0), 0);

/** @returns the reports of one code, its identifier `]Q1` where there is room for one. */
export function posReports(format: PosFormat, text: string): Uint8Array[] {
  const room = roomOf(format);
  const bytes = Buffer.from(text, 'latin1');
  const parts = Array.from({ length: Math.max(1, Math.ceil(bytes.length / room)) }, (_, at) => bytes.subarray(at * room, (at + 1) * room));
  return parts.map((part, at) => posReport(format, part, at < parts.length - 1));
}

/** Bits low first, as HID packs them. */
function posReport({ reportId, fields }: PosFormat, part: Uint8Array, isContinued: boolean): Uint8Array {
  const bits: number[] = [];
  const put = (value: number, count: number) => {
    for (let bit = 0; bit < count; bit++) bits.push((value >> bit) & 1);
  };
  let taken = 0;
  for (const { kind, bytes = 1 } of fields) {
    if (kind === 'count') put(part.length, 8);
    else if (kind === 'identifier') for (const character of ']Q1') put(character.charCodeAt(0), 8);
    else if (kind === 'data') for (let at = 0; at < bytes; at++) put(part[taken++] ?? 0, 8);
    else if (kind === 'other') for (let at = 0; at < bytes; at++) put(0x73, 8);
    else put(isContinued ? 1 : 0, BITS[kind]);
  }
  const report = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, at) => {
    report[at >> 3] = (report[at >> 3] ?? 0) | (bit << (at % 8));
  });
  return reportId === 0 ? report : Uint8Array.from([reportId, ...report]);
}
