import t from 'tap';
import { parseReportDescriptor } from '../../../hardware/hid/report-descriptor.ts';
import { PosAssembler, type PosLayout, posLayoutOf, readPosReport } from '../../../hardware/scanner/hid-pos-codec.ts';
import { BOOT_KEYBOARD_DESCRIPTOR } from '../../../hardware/scanner/keyboard-reports.ts';
import type { Frame } from '../../../hardware/scanner/line-framer.ts';
import { LONGEST_SYMBOL_BYTES } from '../../../hardware/scanner/scan.ts';
import { HONEYWELL_FORMAT, NEWLAND_FORMAT, type PosField, type PosFormat, posDescriptor, posReports } from '../../support/pos-format.ts';
import fc from '../../support/properties.ts';

function layoutOf(format: PosFormat): PosLayout {
  const layout = posLayoutOf(parseReportDescriptor(posDescriptor(format)));
  if (layout === undefined) throw new Error('no POS scanner');
  return layout;
}

const said = (frames: readonly Frame[]): string[] =>
  frames.map((frame) => (frame.kind === 'frame' ? Buffer.from(frame.bytes).toString('latin1') : `${frame.why} ${frame.lengthBytes}`));

const assemble = (format: PosFormat, reports: readonly Uint8Array[]): string[] => {
  const assembler = new PosAssembler(layoutOf(format));
  return said(reports.flatMap((report) => assembler.push(report)));
};

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 400,
});

/** Any order, any sizes; data may be in several pieces, and need not begin at a byte. */
const anyFormat: fc.Arbitrary<PosFormat> = fc
  .record({
    reportId: fc.constantFrom(0, 1, 2, 255),
    data: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 }),
    rest: fc.subarray(['count', 'identifier', 'other'] as const),
    continued: fc.constantFrom('continued-bit', 'continued-byte', 'continued-padded'),
    seed: fc.array(fc.nat(1_000), { minLength: 7, maxLength: 7 }),
  })
  .map(({ reportId, data, rest, continued, seed }) => {
    const fields: PosField[] = [
      ...data.map((bytes) => ({ kind: 'data', bytes }) as const),
      ...rest.map((kind) => ({ kind }) as const),
      { kind: continued },
    ];
    const order = fields.map((field, at) => ({ field, at: seed[at] ?? 0 })).sort((a, b) => a.at - b.at);
    return { reportId, fields: order.map(({ field }) => field) };
  });

t.test('HID POS: a code comes out as it went in, whatever the order and the sizes of the fields', async () => {
  fc.assert(
    fc.property(anyFormat, fc.array(printable, { minLength: 1, maxLength: 3 }), (format, texts) => {
      const reports = texts.flatMap((text) => posReports(format, text));
      return JSON.stringify(assemble(format, reports)) === JSON.stringify(texts);
    }),
    { numRuns: 300 },
  );
});

t.test('HID POS: the example that a maker prints, a code in two reports', async (t) => {
  // Access-IS LSR118 product manual, revision 1.2, appendix B.1.1: 60 bytes of a boarding pass, https://manualshive.com/en/manual/access-is/lsr118/
  // The page's text has lost one of two blanks behind the name, whose field has 20 characters (IATA Resolution 792).
  const first = Buffer.concat([
    Buffer.from([2, 0x38]),
    Buffer.from(']Q0M1GATHERGOOD/MICHAEL  YABCDEF LHRDURAK 3542 052Y003D23  '),
    Buffer.from([0x73, 0, 1]),
  ]);
  const second = Buffer.concat([Buffer.from([2, 0x04]), Buffer.from(']Q0 100'), Buffer.alloc(52), Buffer.from([0x73, 0, 0])]);
  t.strictSame([first.length, second.length], [64, 64]);
  t.strictSame(assemble(HONEYWELL_FORMAT, [first, second]), ['M1GATHERGOOD/MICHAEL  YABCDEF LHRDURAK 3542 052Y003D23   100']);
  t.match(readPosReport(layoutOf(HONEYWELL_FORMAT), first), { identifier: ']Q0', isContinued: true });
});

t.test('HID POS: a scanner without an identifier, as Newland sends it', async (t) => {
  const reports = posReports(NEWLAND_FORMAT, 'V'.repeat(174));
  t.equal(reports.length, 4);
  t.equal(reports[0]?.length, 64);
  t.strictSame(assemble(NEWLAND_FORMAT, reports), ['V'.repeat(174)]);
  t.match(readPosReport(layoutOf(NEWLAND_FORMAT), reports[0] ?? new Uint8Array()), { identifier: undefined });
});

t.test('HID POS: a code that fills its last report to the byte is one code, with or without an empty report behind it', async (t) => {
  const full = posReports(HONEYWELL_FORMAT, 'V'.repeat(56));
  t.equal(full.length, 1);
  const [begun] = posReports(HONEYWELL_FORMAT, 'V'.repeat(57));
  const [empty] = posReports(HONEYWELL_FORMAT, '');
  t.strictSame(assemble(HONEYWELL_FORMAT, full), ['V'.repeat(56)]);
  t.strictSame(assemble(HONEYWELL_FORMAT, [begun ?? new Uint8Array(), empty ?? new Uint8Array()]), ['V'.repeat(56)]);
  t.strictSame(assemble(HONEYWELL_FORMAT, [empty ?? new Uint8Array()]), [], 'an empty report is no code');
});

t.test('HID POS: a line end that the scanner is set to add is not text, and each line is a code', async (t) => {
  t.strictSame(assemble(HONEYWELL_FORMAT, posReports(HONEYWELL_FORMAT, 'VCBB\r\n')), ['VCBB']);
  t.strictSame(assemble(HONEYWELL_FORMAT, posReports(HONEYWELL_FORMAT, 'VCBB\rVCDD\r')), ['VCBB', 'VCDD']);
});

t.test('HID POS: bytes that are no text refuse the whole code, however it goes on, and no other', async (t) => {
  const bad = posReports(HONEYWELL_FORMAT, `VC\u001d${'B'.repeat(120)}`);
  const good = posReports(HONEYWELL_FORMAT, 'VCGOOD');
  t.equal(bad.length, 3);
  t.strictSame(assemble(HONEYWELL_FORMAT, [...bad, ...good]), ['unprintable 3', 'VCGOOD']);
});

t.test('HID POS: nothing of a refused code is taken, not even a line of its own', async (t) => {
  const good = posReports(HONEYWELL_FORMAT, 'VCGOOD');
  for (const text of ['VC\u001dBB\rVCDD', `VC\u001d${'B'.repeat(80)}\rVCDD`, `VCFF\rVC\u001d${'B'.repeat(80)}\rVCDD`]) {
    const expected = text.startsWith('VCFF') ? ['VCFF', 'unprintable 3', 'VCGOOD'] : ['unprintable 3', 'VCGOOD'];
    t.strictSame(assemble(HONEYWELL_FORMAT, [...posReports(HONEYWELL_FORMAT, text), ...good]), expected);
  }
});

t.test('HID POS: a code that does not end is refused once, kept in bounds, and skipped to its end', async (t) => {
  const endless = posReports(HONEYWELL_FORMAT, 'V'.repeat(3 * LONGEST_SYMBOL_BYTES));
  t.strictSame(assemble(HONEYWELL_FORMAT, [...endless, ...posReports(HONEYWELL_FORMAT, 'VCGOOD')]), [
    `overlong ${LONGEST_SYMBOL_BYTES + 1}`,
    'VCGOOD',
  ]);
});

t.test(
  'HID POS: a report cut short, or with a count that it has no room for, ends its code, and the rest of that is no code',
  async (t) => {
    const [first = new Uint8Array(), second = new Uint8Array(), third = new Uint8Array()] = posReports(HONEYWELL_FORMAT, 'V'.repeat(150));
    const lying = Uint8Array.from(second);
    lying[1] = 57;
    const good = posReports(HONEYWELL_FORMAT, 'VCGOOD');
    t.strictSame(assemble(HONEYWELL_FORMAT, [first, lying, third, ...good]), ['cut 56', 'VCGOOD']);
    t.strictSame(assemble(HONEYWELL_FORMAT, [first, second.subarray(0, 40), third, ...good]), ['cut 56', 'VCGOOD']);
  },
);

t.test('HID POS: reports of other kinds are passed over', async (t) => {
  t.strictSame(assemble(HONEYWELL_FORMAT, [Uint8Array.of(3, 1, 2, 3), new Uint8Array(), ...posReports(HONEYWELL_FORMAT, 'VC')]), ['VC']);
});

t.test('HID POS: a code that broke off is dropped when told, and the next one is whole', async (t) => {
  const assembler = new PosAssembler(layoutOf(HONEYWELL_FORMAT));
  const [first = new Uint8Array()] = posReports(HONEYWELL_FORMAT, 'V'.repeat(100));
  t.strictSame(assembler.push(first), []);
  t.equal(assembler.isInside, true);
  t.match(assembler.drop(), { kind: 'refused', why: 'cut', lengthBytes: 56 });
  t.strictSame(said(posReports(HONEYWELL_FORMAT, 'VCNEXT').flatMap((report) => assembler.push(report))), ['VCNEXT']);
});

t.test('HID POS: no prefix of a code is a code, and the next one is whole', async () => {
  fc.assert(
    fc.property(anyFormat, printable, printable, fc.nat(1_000), (format, broken, whole, at) => {
      const assembler = new PosAssembler(layoutOf(format));
      const reports = posReports(format, broken);
      const frames = reports.slice(0, at % reports.length).flatMap((report) => assembler.push(report));
      const dropped = assembler.drop();
      const after = said(posReports(format, whole).flatMap((report) => assembler.push(report)));
      return frames.length === 0 && dropped?.kind !== 'frame' && after.length === 1 && after[0] === whole;
    }),
    { numRuns: 300 },
  );
});

t.test('HID POS: whatever comes between, no byte of it is in a code, and memory stays bounded', async () => {
  const garbage = fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 20 });
  fc.assert(
    fc.property(garbage, printable, (noise, text) => {
      const assembler = new PosAssembler(layoutOf(HONEYWELL_FORMAT));
      const frames = noise.flatMap((report) => assembler.push(report));
      const isBounded = frames.every((frame) => frame.kind === 'refused' || frame.bytes.length <= LONGEST_SYMBOL_BYTES);
      assembler.drop();
      const after = said(posReports(HONEYWELL_FORMAT, text).flatMap((report) => assembler.push(report)));
      return isBounded && after.length === 1 && after[0] === text;
    }),
  );
});

t.test('HID POS: a keyboard is none, nor is a device of that page without data', async (t) => {
  t.equal(posLayoutOf(parseReportDescriptor(BOOT_KEYBOARD_DESCRIPTOR)), undefined);
  t.equal(posLayoutOf(parseReportDescriptor(posDescriptor({ reportId: 0, fields: [{ kind: 'count' }] }))), undefined);
});
