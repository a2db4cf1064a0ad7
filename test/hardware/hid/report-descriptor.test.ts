import t from 'tap';
import {
  bitsAt,
  elementsWith,
  LONGEST_DESCRIPTOR_BYTES,
  parseReportDescriptor,
  type ReportDescriptor,
  reportBytes,
  usagesInOrder,
} from '../../../hardware/hid/report-descriptor.ts';
import { BOOT_KEYBOARD_DESCRIPTOR } from '../../../hardware/scanner/keyboard-reports.ts';
import { codeOf } from '../../../protocol/errors.ts';
import { HONEYWELL_FORMAT, posDescriptor } from '../../support/pos-format.ts';
import fc from '../../support/properties.ts';

const SEED = Number(process.env.SEED ?? 20261122);
const parse = (...bytes: number[]): ReportDescriptor => parseReportDescriptor(Uint8Array.from(bytes));
const usages = (descriptor: ReportDescriptor, field = 0, count = 1): (number | undefined)[] => {
  const found = descriptor.fields[field];
  if (found === undefined) return [];
  const inOrder = usagesInOrder(found, count);
  return Array.from({ length: count }, (_, at) => inOrder[at] ?? inOrder.at(-1));
};
/** One 8-bit input with what is before it. */
const withInput = (...items: number[]): ReportDescriptor => parse(...items, 0x75, 8, 0x95, 1, 0x81, 2);

t.test('report descriptor: the boot keyboard of HID 1.11, appendix B.1', async (t) => {
  const descriptor = parseReportDescriptor(BOOT_KEYBOARD_DESCRIPTOR);
  t.strictSame(descriptor.applications, [0x0001_0006]);
  t.equal(descriptor.hasReportIds, false);
  t.equal(reportBytes(descriptor, 'input', 0), 8);
  t.equal(reportBytes(descriptor, 'output', 0), 1);
  t.match(
    descriptor.fields.map(({ kind, firstBit, bitsEach, count, isConstant, isVariable }) => [
      kind,
      firstBit,
      bitsEach,
      count,
      isConstant,
      isVariable,
    ]),
    [
      ['input', 0, 1, 8, false, true],
      ['input', 8, 8, 1, true, false],
      ['output', 0, 1, 5, false, true],
      ['output', 5, 3, 1, true, false],
      ['input', 16, 8, 6, false, false],
    ],
  );
  t.strictSame(
    usages(descriptor, 0, 8),
    [0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7].map((id) => 0x0007_0000 + id),
  );
  t.strictSame([descriptor.fields[4]?.logicalMinimum, descriptor.fields[4]?.logicalMaximum], [0, 101]);
});

t.test('report descriptor: a HID POS scanner with report ids', async (t) => {
  const descriptor = parseReportDescriptor(posDescriptor(HONEYWELL_FORMAT));
  t.equal(descriptor.hasReportIds, true);
  t.equal(reportBytes(descriptor, 'input', 2), 64);
  t.equal(descriptor.fields[0]?.logicalMaximum, 255);
  t.strictSame(usages(descriptor, 2, 57), Array(57).fill(0x008c_00fe), 'the last usage is that of all the rest');
});

t.test('report descriptor: fields of each kind and report have bits of their own', async (t) => {
  const descriptor = parse(0x05, 1, 0x75, 8, 0x85, 1, 0x95, 2, 0x81, 2, 0xb1, 2, 0x85, 2, 0x81, 2, 0x85, 1, 0x81, 2);
  t.strictSame(
    descriptor.fields.map(({ kind, reportId, firstBit }) => [kind, reportId, firstBit]),
    [
      ['input', 1, 0],
      ['feature', 1, 0],
      ['input', 2, 0],
      ['input', 1, 16],
    ],
  );
  t.equal(reportBytes(descriptor, 'input', 1), 5);
});

t.test('report descriptor: push and pop keep globals, and locals end with their main item', async (t) => {
  const pushed = parse(0x05, 7, 0x75, 8, 0x95, 1, 0xa4, 0x05, 8, 0x75, 4, 0x09, 1, 0x81, 2, 0xb4, 0x09, 4, 0x81, 2, 0x81, 2);
  t.strictSame(
    pushed.fields.map(({ bitsEach }, at) => [bitsEach, usages(pushed, at)[0]]),
    [
      [4, 0x0008_0001],
      [8, 0x0007_0004],
      [8, undefined],
    ],
  );
});

t.test('report descriptor: a usage takes the page before it, or the one that comes before the main item, or carries its own', async (t) => {
  t.strictSame(usages(withInput(0x05, 0x8c, 0x09, 0xfe)), [0x008c_00fe]);
  t.strictSame(usages(withInput(0x05, 0x01, 0x09, 0xfe, 0x05, 0x8c)), [0x008c_00fe], 'as Linux reads it');
  t.strictSame(usages(withInput(0x05, 0x01, 0x0b, 0xfe, 0x00, 0x8c, 0x00)), [0x008c_00fe]);
  t.strictSame(usages(withInput(0x06, 0x66, 0xff, 0x09, 0x04)), [0xff66_0004], 'vendor pages are not negative');
  const both = parse(0x05, 1, 0x09, 0x3b, 0x05, 0x8c, 0x09, 0xfe, 0x75, 8, 0x95, 2, 0x81, 2);
  t.strictSame(usages(both, 0, 2), [0x0001_003b, 0x008c_00fe]);
});

t.test('report descriptor: a range of usages whose maximum comes first is a range all the same', async (t) => {
  t.strictSame(usages(withInput(0x05, 0x07, 0x29, 0x65, 0x19, 0x04)), [0x0007_0004]);
});

t.test('report descriptor: long items are stepped over', async (t) => {
  t.strictSame(usages(withInput(0xfe, 3, 0x55, 0x81, 0x02, 0xc0, 0x05, 0x8c, 0x09, 0xfe)), [0x008c_00fe]);
});

t.test('report descriptor: a maximum of 255 in one byte is 255 where the minimum is not negative', async (t) => {
  t.equal(withInput(0x15, 0, 0x25, 0xff).fields[0]?.logicalMaximum, 255);
  t.equal(withInput(0x15, 0x81, 0x25, 0x7f).fields[0]?.logicalMinimum, -127);
});

/** Each with an id of its own, of what is current. */
const reportsOf = (reports: number): number[] => Array.from({ length: reports }, (_, at) => [0x85, 1 + at, 0x81, 2]).flat();

t.test('report descriptor: what does not add up is refused by a code', async (t) => {
  const refused: readonly (readonly [string, string, readonly number[]])[] = [
    ['an end that was not begun', 'decode.malformed', [0xc0]],
    ['a collection left open', 'decode.malformed', [0xa1, 1]],
    ['a pop without a push', 'decode.malformed', [0xb4]],
    ['report id 0', 'decode.malformed', [0x85, 0]],
    ['report id 256', 'decode.malformed', [0x86, 0, 1]],
    ['usages that end before they begin', 'decode.malformed', [0x05, 7, 0x19, 9, 0x29, 4]],
    ['reports with and without an id', 'decode.malformed', [0x75, 8, 0x95, 1, 0x81, 2, 0x85, 1, 0x81, 2]],
    ['a report past the bound', 'decode.overlong', [0x75, 8, 0x96, 0xff, 0xff, 0x81, 2]],
    ['a report past the bound by 32-bit numbers', 'decode.overlong', [0x75, 255, 0x97, 0xff, 0xff, 0xff, 0xff, 0x81, 2]],
    ['elements too large', 'decode.overlong', [0x76, 0x01, 0x01, 0x95, 1, 0x81, 2]],
    ['pushes too deep', 'decode.overlong', Array(5).fill(0xa4)],
    ['collections too deep', 'decode.overlong', Array(17).fill([0xa1, 0]).flat()],
    ['too many fields', 'decode.overlong', [0x75, 1, 0x95, 1, ...Array(257).fill([0x81, 2]).flat()]],
    ['too many usages', 'decode.overlong', Array(1_025).fill([0x09, 1]).flat()],
    ['reports past the bound together', 'decode.overlong', [0x75, 8, 0x96, 0x00, 0x08, ...reportsOf(33)]],
    ['too many bytes', 'decode.overlong', Array(LONGEST_DESCRIPTOR_BYTES + 1).fill(0x00)],
    ['a cut item', 'decode.truncated', [0x26, 0xff]],
    ['a cut long item', 'decode.truncated', [0xfe, 9]],
  ];
  for (const [what, code, bytes] of refused) t.throws(() => parse(...bytes), { code }, what);
});

t.test('report descriptor: whatever the bytes, a descriptor or a code comes out, and fields stay in their bounds', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    // Nearly right ones: a good one with a byte changed.
    fc.tuple(fc.nat(120), fc.nat(255)).map(([at, value]) => {
      const changed = Uint8Array.from(posDescriptor(HONEYWELL_FORMAT));
      changed[at % changed.length] = value;
      return changed;
    }),
  );
  fc.assert(
    fc.property(bytes, (descriptor) => {
      try {
        const { fields } = parseReportDescriptor(descriptor);
        return fields.every(({ firstBit, bitsEach, count }) => firstBit + bitsEach * count <= 2_048 * 8);
      } catch (error) {
        return codeOf(error)?.startsWith('decode.') === true;
      }
    }),
    { seed: SEED, numRuns: 500 },
  );
});

t.test('report descriptor: the elements with a usage are those that have it one by one, the last usage all the rest', async () => {
  const range = fc.tuple(fc.nat(6), fc.nat(4)).map(([first, more]) => ({ first, last: first + more }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 5 }), fc.nat(20), fc.nat(12), (ranges, count, usage) => {
      const [field] = withInput(0x05, 1).fields;
      if (field === undefined) return false;
      const odd = { ...field, usages: ranges, count };
      const inOrder = usagesInOrder(odd, count);
      const oneByOne = Array.from({ length: count }, (_, at) => inOrder[at] ?? inOrder.at(-1));
      const found = oneByOne.flatMap((is, at) => (is === usage ? [at] : []));
      return JSON.stringify(elementsWith(odd, usage)) === JSON.stringify(found);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

t.test('report descriptor: every prefix is refused by a code', async (t) => {
  for (const whole of [BOOT_KEYBOARD_DESCRIPTOR, posDescriptor(HONEYWELL_FORMAT)]) {
    for (let length = 1; length < whole.length; length++) {
      // The first four items open no collection: they are a descriptor of nothing.
      if (length === 2 || length === 4) continue;
      t.throws(() => parseReportDescriptor(whole.subarray(0, length)), { code: /^decode\.(truncated|malformed)$/ }, `${length} bytes`);
    }
  }
});

t.test('bitsAt: takes bits low first, whatever they straddle, and zeros behind the end', async (t) => {
  const body = Uint8Array.of(0b1011_0010, 0b0000_0110, 0xff, 0xff, 0xff, 0x7f);
  t.equal(bitsAt(body, 0, 8), 0b1011_0010);
  t.equal(bitsAt(body, 1, 1), 1);
  t.equal(bitsAt(body, 4, 8), 0b0110_1011);
  t.equal(bitsAt(body, 16, 32), 0x7fff_ffff);
  t.equal(bitsAt(body, 44, 8), 0b0111);
  t.equal(bitsAt(body, 4_000, 8), 0);
});
