/**
 * Reports of a keyboard to the keys that are down. Pure and bounded.
 *
 * Read from the report descriptor, so that it matters not whether a scanner speaks as a boot keyboard, has a report id, or sends a bit a key.
 * Source: HID 1.11, section 6.2.2.5 (arrays and variables) and appendix B.1 (boot keyboard); HID Usage Tables 1.5, section 10.
 */
import {
  bitsAt,
  parseReportDescriptor,
  type ReportDescriptor,
  type ReportField,
  reportBytes,
  usagesInOrder,
} from '../hid/report-descriptor.ts';

const KEYBOARD_PAGE = 0x07;
/** A bit for each of the page's 256 keys, an array beside it, and room. What says that it has more is no keyboard, and would cost the loop its time. */
const MOST_KEYS = 1_024;

interface KeyField {
  readonly field: ReportField;
  /** Usages of the elements on this page, 0 for one of another; the last is that of all the rest. */
  readonly keys: readonly number[];
}

interface KeyboardReport {
  readonly reportId: number;
  readonly lengthBytes: number;
  readonly fields: readonly KeyField[];
}

export interface KeyboardLayout {
  readonly hasReportIds: boolean;
  /** One at least. */
  readonly reports: readonly KeyboardReport[];
}

/** @returns where keys are in the reports of this device; `undefined` where it is no keyboard. */
export function keyboardLayoutOf(descriptor: ReportDescriptor): KeyboardLayout | undefined {
  const fields = descriptor.fields.filter(
    ({ kind, isConstant, usages }) => kind === 'input' && !isConstant && usages.some(({ first }) => first >>> 16 === KEYBOARD_PAGE),
  );
  if (fields.reduce((sum, { count }) => sum + count, 0) > MOST_KEYS) return undefined;
  const ids = [...new Set(fields.map(({ reportId }) => reportId))];
  const reports = ids.map((reportId) => ({
    reportId,
    lengthBytes: reportBytes(descriptor, 'input', reportId),
    fields: fields.filter((field) => field.reportId === reportId).map((field) => ({ field, keys: keysIn(field) })),
  }));
  return reports.length === 0 ? undefined : { hasReportIds: descriptor.hasReportIds, reports };
}

/** Source: HID 1.11, appendix B.1: eight modifiers, a byte, (five lamps,) six keys. */
export const BOOT_KEYBOARD_DESCRIPTOR = Buffer.from(
  '05010906a101050719e029e71500250175019508810295017508810195057501050819012905910295017503910195067508150025650507190029658100c0',
  'hex',
);

/** For a keyboard whose descriptor can not be read. */
export const bootKeyboardLayout = (): KeyboardLayout | undefined => keyboardLayoutOf(parseReportDescriptor(BOOT_KEYBOARD_DESCRIPTOR));

/** Which keys are down, over all reports of one keyboard: each report tells of its own fields only. */
export class PressedKeys {
  readonly #layout: KeyboardLayout;
  readonly #byReport = new Map<number, readonly number[]>();

  constructor(layout: KeyboardLayout) {
    this.#layout = layout;
  }

  /**
   * @returns usages of the keys that are down, in the order the report has them; phantom states 0x01 to 0x03 as they come. `undefined` for
   * a report that tells of no keys, and for one that is cut short.
   */
  push(report: Uint8Array): readonly number[] | undefined {
    const { hasReportIds, reports } = this.#layout;
    const reportId = hasReportIds ? (report[0] ?? 0) : 0;
    const known = reports.find((candidate) => candidate.reportId === reportId);
    if (known === undefined || report.length < known.lengthBytes) return undefined;
    const body = hasReportIds ? report.subarray(1) : report;
    this.#byReport.set(
      reportId,
      known.fields.flatMap((field) => keysOf(field, body)),
    );
    return [...this.#byReport.values()].flat();
  }
}

const keysIn = (field: ReportField): number[] =>
  usagesInOrder(field, MOST_KEYS).map((usage) => (usage >>> 16 === KEYBOARD_PAGE ? usage & 0xffff : 0));

function keysOf({ field, keys }: KeyField, body: Uint8Array): number[] {
  const down: number[] = [];
  for (let at = 0; at < field.count; at++) {
    const value = bitsAt(body, field.firstBit + at * field.bitsEach, field.bitsEach);
    if (field.isVariable && value === 0) continue;
    // In an array a value is a place among the usages, counted from the logical minimum; outside it is no key.
    const index = field.isVariable ? at : value - field.logicalMinimum;
    if (!field.isVariable && (index < 0 || value > field.logicalMaximum)) continue;
    const key = keys[Math.min(index, keys.length - 1)] ?? 0;
    if (key !== 0) down.push(key);
  }
  return down;
}
