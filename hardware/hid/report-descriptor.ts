/**
 * What a HID device says of its own reports: the report descriptor, parsed into fields. Pure and bounded.
 *
 * Source: USB Device Class Definition for Human Interface Devices 1.11, sections 5.3 to 5.8 and 6.2.2 (items), 8 (report constraints).
 * Where the text leaves a choice, Linux decides (drivers/hid/hid-core.c), because devices are made to work with it.
 */
import { DecodeError } from '../../protocol/errors.ts';
import { type Item, readItems } from './report-items.ts';

/** Page in the high 16 bits, usage in the low: as HID writes a full usage (section 6.2.2.8). */
export type Usage = number;

export type ReportKind = 'input' | 'output' | 'feature';

interface UsageRange {
  readonly first: Usage;
  readonly last: Usage;
}

/** One main item: `count` elements of `bitsEach`, side by side. */
export interface ReportField {
  readonly kind: ReportKind;
  /** 1 to 255, or 0 where the device has one report without an id. */
  readonly reportId: number;
  /** From the first bit behind the report id. */
  readonly firstBit: number;
  readonly bitsEach: number;
  readonly count: number;
  /** Usages of the elements, in order; the last is that of all the rest. Empty for padding. */
  readonly usages: readonly UsageRange[];
  /** Padding, or never to change. */
  readonly isConstant: boolean;
  /** `false`: each element is an index into `usages` (section 6.2.2.5, array). */
  readonly isVariable: boolean;
  readonly logicalMinimum: number;
  readonly logicalMaximum: number;
}

export interface ReportDescriptor {
  readonly fields: readonly ReportField[];
  /** Usages of the application collections, in order: what the device says it is. */
  readonly applications: readonly Usage[];
  /** Whether each report begins with a byte that holds its id. */
  readonly hasReportIds: boolean;
}

/** Linux takes no longer one (HID_MAX_DESCRIPTOR_SIZE). */
export const LONGEST_DESCRIPTOR_BYTES = 4_096;
/** As much as node-hid reads of one report; eight times what a full-speed interrupt endpoint carries in one packet is 512. */
const LONGEST_REPORT_BYTES = 2_048;
/** Far above the sum of any honest device's reports: 255 of the longest would be half a million places to look for data in. */
const MOST_BYTES_OF_ALL = 32 * LONGEST_REPORT_BYTES;
/** Linux: HID_MAX_FIELDS, report sizes up to 256 bits, HID_GLOBAL_STACK_SIZE, HID_COLLECTION_STACK_SIZE (its first piece), HID_MAX_USAGES. */
const MOST_FIELDS = 256;
const MOST_BITS_EACH = 256;
const DEEPEST_PUSH = 4;
const DEEPEST_COLLECTION = 16;
const MOST_USAGES = 1_024;

const CONSTANT = 0x01;
const VARIABLE = 0x02;
const APPLICATION = 0x01;

interface Globals {
  readonly usagePage: number;
  readonly logicalMinimum: number;
  readonly logicalMaximum: number;
  readonly bitsEach: number;
  readonly count: number;
  readonly reportId: number;
}

const NO_GLOBALS: Globals = { usagePage: 0, logicalMinimum: 0, logicalMaximum: 0, bitsEach: 0, count: 0, reportId: 0 };

interface LocalUsage extends UsageRange {
  /** A usage of 4 bytes carries its page; a shorter one takes the page that is current. */
  readonly isFull: boolean;
}

/** One end of a range of usages, as it was written. */
interface Bound {
  readonly value: number;
  readonly isFull: boolean;
}

/**
 * @throws DecodeError `decode.truncated` when the last item is cut off, `decode.overlong` past a bound (descriptor, report, depth, number of
 * fields), `decode.malformed` for collections and pops that do not match, report id 0, and an open end.
 */
export function parseReportDescriptor(bytes: Uint8Array): ReportDescriptor {
  if (bytes.length > LONGEST_DESCRIPTOR_BYTES) throw new DecodeError('decode.overlong', `report descriptor: ${bytes.length} bytes`);
  const parser = new Parser();
  for (const item of readItems(bytes)) parser.take(item);
  return parser.end();
}

class Parser {
  readonly #fields: ReportField[] = [];
  readonly #applications: Usage[] = [];
  /** Bits used so far, by kind and report id. */
  readonly #usedBits = new Map<string, number>();
  #bitsOfAll = 0;
  readonly #pushed: Globals[] = [];
  #globals = NO_GLOBALS;
  #usages: LocalUsage[] = [];
  #usageCount = 0;
  #minimum: Bound | undefined;
  #maximum: Bound | undefined;
  #depth = 0;

  take({ type, tag, unsigned, signed, sizeBytes }: Item): void {
    if (type === 'main') {
      this.#main(tag, unsigned);
      this.#usages = [];
      this.#usageCount = 0;
      this.#minimum = undefined;
      this.#maximum = undefined;
    } else if (type === 'global') this.#global(tag, unsigned, signed);
    else if (type === 'local') this.#local(tag, unsigned, sizeBytes);
  }

  end(): ReportDescriptor {
    if (this.#depth > 0) throw new DecodeError('decode.malformed', `report descriptor: ${this.#depth} collections left open`);
    const hasReportIds = this.#fields.some(({ reportId }) => reportId !== 0);
    if (hasReportIds && this.#fields.some(({ reportId }) => reportId === 0)) {
      throw new DecodeError('decode.malformed', 'report descriptor: reports with and without an id');
    }
    return { fields: this.#fields, applications: this.#applications, hasReportIds };
  }

  #main(tag: number, value: number): void {
    switch (tag) {
      case 0x8:
        this.#field('input', value);
        break;
      case 0x9:
        this.#field('output', value);
        break;
      case 0xb:
        this.#field('feature', value);
        break;
      case 0xa:
        this.#depth += 1;
        if (this.#depth > DEEPEST_COLLECTION) throw new DecodeError('decode.overlong', 'report descriptor: collections too deep');
        if (value === APPLICATION) this.#applications.push(this.#paged()[0]?.first ?? 0);
        break;
      case 0xc:
        this.#depth -= 1;
        if (this.#depth < 0) throw new DecodeError('decode.malformed', 'report descriptor: collection ended that was not open');
    }
  }

  #field(kind: ReportKind, flags: number): void {
    const { bitsEach, count, reportId, logicalMinimum, logicalMaximum } = this.#globals;
    if (bitsEach > MOST_BITS_EACH) throw new DecodeError('decode.overlong', `report descriptor: element of ${bitsEach} bits`);
    const place = `${kind} ${reportId}`;
    const firstBit = this.#usedBits.get(place) ?? 0;
    const usedBits = firstBit + bitsEach * count;
    if (usedBits > LONGEST_REPORT_BYTES * 8) throw new DecodeError('decode.overlong', `report descriptor: report of ${usedBits} bits`);
    this.#usedBits.set(place, usedBits);
    this.#bitsOfAll += bitsEach * count;
    if (this.#bitsOfAll > MOST_BYTES_OF_ALL * 8)
      throw new DecodeError('decode.overlong', `report descriptor: ${this.#bitsOfAll} bits in all`);
    if (bitsEach * count === 0) return;
    if (this.#fields.length === MOST_FIELDS) throw new DecodeError('decode.overlong', 'report descriptor: too many fields');
    this.#fields.push({
      kind,
      reportId,
      firstBit,
      bitsEach,
      count,
      usages: this.#paged(),
      isConstant: (flags & CONSTANT) !== 0,
      isVariable: (flags & VARIABLE) !== 0,
      logicalMinimum,
      logicalMaximum,
    });
  }

  #global(tag: number, unsigned: number, signed: number): void {
    const globals = this.#globals;
    switch (tag) {
      case 0x0:
        this.#globals = { ...globals, usagePage: unsigned & 0xffff };
        break;
      case 0x1:
        this.#globals = { ...globals, logicalMinimum: signed };
        break;
      case 0x2:
        // Makers write 255 in one byte, which is -1: where the minimum is not negative, nor is the maximum.
        this.#globals = { ...globals, logicalMaximum: globals.logicalMinimum >= 0 ? unsigned : signed };
        break;
      case 0x7:
        this.#globals = { ...globals, bitsEach: unsigned };
        break;
      case 0x8:
        if (unsigned === 0 || unsigned > 0xff) throw new DecodeError('decode.malformed', `report descriptor: report id ${unsigned}`);
        this.#globals = { ...globals, reportId: unsigned };
        break;
      case 0x9:
        this.#globals = { ...globals, count: unsigned };
        break;
      case 0xa:
        if (this.#pushed.length === DEEPEST_PUSH) throw new DecodeError('decode.overlong', 'report descriptor: pushes too deep');
        this.#pushed.push(globals);
        break;
      case 0xb: {
        const popped = this.#pushed.pop();
        if (popped === undefined) throw new DecodeError('decode.malformed', 'report descriptor: pop without push');
        this.#globals = popped;
      }
    }
  }

  #local(tag: number, value: number, sizeBytes: number): void {
    const isFull = sizeBytes === 4;
    switch (tag) {
      case 0x0:
        this.#use({ value, isFull }, { value, isFull });
        break;
      case 0x1:
        this.#minimum = { value, isFull };
        break;
      case 0x2:
        this.#maximum = { value, isFull };
    }
    // Some barcode readers write the maximum first (Linux, drivers/hid/hid-cypress.c, CP_RDESC_SWAPPED_MIN_MAX).
    if (this.#minimum === undefined || this.#maximum === undefined) return;
    this.#use(this.#minimum, this.#maximum);
    this.#minimum = undefined;
    this.#maximum = undefined;
  }

  #use(from: Bound, to: Bound): void {
    const page = this.#globals.usagePage << 16;
    const first = (from.isFull ? from.value : page | (from.value & 0xffff)) >>> 0;
    const last = (to.isFull ? to.value : ((from.isFull ? from.value : page) & 0xffff0000) | (to.value & 0xffff)) >>> 0;
    if (last < first) throw new DecodeError('decode.malformed', 'report descriptor: usages end before they begin');
    this.#usageCount += 1;
    if (this.#usageCount > MOST_USAGES) throw new DecodeError('decode.overlong', 'report descriptor: too many usages');
    this.#usages.push({ first, last, isFull: from.isFull });
  }

  /** Usages that were written before their page take the page that is current at the main item (section 6.2.2.8), the last ones only, as in Linux. */
  #paged(): UsageRange[] {
    const { usagePage } = this.#globals;
    const usages: UsageRange[] = this.#usages.map(({ first, last }) => ({ first, last }));
    for (let at = this.#usages.length - 1; at >= 0; at--) {
      const usage = this.#usages[at];
      if (usage === undefined || usage.isFull) continue;
      if (usage.first >>> 16 === usagePage) break;
      usages[at] = { first: withPage(usagePage, usage.first), last: withPage(usagePage, usage.last) };
    }
    return usages;
  }
}

const withPage = (page: number, usage: Usage): Usage => ((page << 16) | (usage & 0xffff)) >>> 0;

export const usageOf = (page: number, id: number): Usage => withPage(page, id);

/** @returns the usage of each element that has one of its own, in order, at most `most`; the last is that of all further elements. */
export function usagesInOrder({ usages }: ReportField, most: number): Usage[] {
  const inOrder: Usage[] = [];
  for (const { first, last } of usages) {
    for (let usage = first; usage <= last; usage++) {
      if (inOrder.length === most) return inOrder;
      inOrder.push(usage);
    }
  }
  return inOrder;
}

/** @returns which elements have this usage, counted from 0, ascending. Looks at usages and not at elements, of which a hostile device has millions. */
export function elementsWith({ usages, count }: ReportField, usage: Usage): number[] {
  const elements: number[] = [];
  let before = 0;
  for (const { first, last } of usages) {
    const at = before + usage - first;
    if (usage >= first && usage <= last && at < count) elements.push(at);
    before += last - first + 1;
  }
  if (usages.at(-1)?.last === usage) for (let at = before; at < count; at++) elements.push(at);
  return elements;
}

/** @returns bytes of the whole report with its id, as read from the device. */
export function reportBytes({ fields, hasReportIds }: ReportDescriptor, kind: ReportKind, reportId: number): number {
  const bits = fields
    .filter((field) => field.kind === kind && field.reportId === reportId)
    .reduce((most, { firstBit, bitsEach, count }) => Math.max(most, firstBit + bitsEach * count), 0);
  return Math.ceil(bits / 8) + (hasReportIds ? 1 : 0);
}

/** @param body the report without its id. @returns up to 32 bits from `firstBit`, unsigned; bits past the end are 0. Source: section 8.4 (little endian). */
export function bitsAt(body: Uint8Array, firstBit: number, bits: number): number {
  let value = 0;
  const used = Math.min(bits, 32);
  for (let bit = 0; bit < used; ) {
    const at = firstBit + bit;
    const inByte = Math.min(8 - (at % 8), used - bit);
    const piece = ((body[at >> 3] ?? 0) >> (at % 8)) & ((1 << inByte) - 1);
    value += piece * 2 ** bit;
    bit += inByte;
  }
  return value;
}
