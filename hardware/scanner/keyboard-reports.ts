/**
 * Reports of a keyboard to the keys that are down. Pure and bounded.
 *
 * Read from the report descriptor, so that it matters not whether a scanner speaks as a boot keyboard, has a report id, or sends a bit a key.
 * Source: HID 1.11, section 6.2.2.5 (arrays and variables) and appendix B.1 (boot keyboard); HID Usage Tables 1.5, section 10.
 */
import {
  bitsAt,
  elementUsage,
  parseReportDescriptor,
  type ReportDescriptor,
  type ReportField,
  reportBytes,
} from '../hid/report-descriptor.ts';

const KEYBOARD_PAGE = 0x07;

interface KeyboardReport {
  readonly reportId: number;
  readonly lengthBytes: number;
  readonly fields: readonly ReportField[];
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
  const ids = [...new Set(fields.map(({ reportId }) => reportId))];
  const reports = ids.map((reportId) => ({
    reportId,
    lengthBytes: reportBytes(descriptor, 'input', reportId),
    fields: fields.filter((field) => field.reportId === reportId),
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

function keysOf(field: ReportField, body: Uint8Array): number[] {
  const keys: number[] = [];
  for (let at = 0; at < field.count; at++) {
    const value = bitsAt(body, field.firstBit + at * field.bitsEach, field.bitsEach);
    if (field.isVariable && value === 0) continue;
    // In an array a value is a place among the usages, counted from the logical minimum; outside it is no key.
    const index = field.isVariable ? at : value - field.logicalMinimum;
    if (!field.isVariable && (index < 0 || value > field.logicalMaximum)) continue;
    const usage = elementUsage(field, index);
    if (usage !== undefined && usage >>> 16 === KEYBOARD_PAGE && (usage & 0xffff) !== 0) keys.push(usage & 0xffff);
  }
  return keys;
}
