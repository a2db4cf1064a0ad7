import t from 'tap';
import { parseReportDescriptor } from '../../../hardware/hid/report-descriptor.ts';
import { GAP_MS } from '../../../hardware/scanner/gap-framer.ts';
import { bootKeyboardLayout, type KeyboardLayout, keyboardLayoutOf, PressedKeys } from '../../../hardware/scanner/keyboard-reports.ts';
import { type KeyboardScannerSettings, readTypedScans } from '../../../hardware/scanner/keyboard-scanner.ts';
import { decodeCode, encodeCode } from '../../../protocol/code.ts';
import { uuidOfPublicKey } from '../../../protocol/visitor.ts';
import { FakeLink } from '../../support/fake-link.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { posDescriptor } from '../../support/pos-format.ts';
import fc from '../../support/properties.ts';
import { bootReport, keysOf, TYPEABLE } from '../../support/typing.ts';

const BOOT = bootKeyboardLayout() as KeyboardLayout;

/** Modifiers, then a bit for each of the keys 0x04 to 0x73; report id 5; a volume knob beside it as report 6. Written as makers do. */
const BITMAP_DESCRIPTOR = Buffer.from(
  ['05010906a1018505050719e029e71500250175019508810219042973957081020507c0', '050c0901a101850615002501750109e909ea9502810295068103c0'].join(
    '',
  ),
  'hex',
);
const BITMAP = keyboardLayoutOf(parseReportDescriptor(BITMAP_DESCRIPTOR)) as KeyboardLayout;

function bitmapReport(usages: readonly number[]): Uint8Array {
  const report = new Uint8Array(16);
  report[0] = 5;
  for (const usage of usages) {
    const bit = usage >= 0xe0 ? usage - 0xe0 : 8 + usage - 4;
    report[1 + (bit >> 3)] = (report[1 + (bit >> 3)] ?? 0) | (1 << (bit % 8));
  }
  return report;
}

function setUp(layout = BOOT, part: Partial<KeyboardScannerSettings> = {}) {
  const clock = new ManualClock();
  const link = new FakeLink();
  const stop = new AbortController();
  const refused: string[] = [];
  const texts: string[] = [];
  const settings = { device: 'scanner', clock, onRefused: (why: string, length: number) => refused.push(`${why} ${length}`), ...part };
  const done = (async () => {
    for await (const { text } of readTypedScans(link, layout, settings, stop.signal)) texts.push(text);
  })();
  const type = (text: string, report = bootReport) => {
    for (const keys of keysOf(text)) link.feed(report(keys));
  };
  const end = async () => {
    await clock.advance(1_000);
    stop.abort();
    await done;
  };
  return { clock, link, texts, refused, type, end, done };
}

t.test('keyboard scanner: what is typed up to Enter, Tab or silence is a scan', async (t) => {
  const { clock, texts, type, end } = setUp();
  type('VCONE');
  await clock.advance(GAP_MS);
  type('VCTWO\rVCTHREE\t');
  await end();
  t.strictSame(texts, ['VCONE', 'VCTWO', 'VCTHREE']);
});

t.test('keyboard scanner: one that types slowly, and holds each key for a while, is read whole', async (t) => {
  const { clock, link, texts, end } = setUp();
  for (const keys of keysOf('VCSLOW')) {
    link.feed(bootReport(keys));
    await clock.advance(GAP_MS - 30);
  }
  await end();
  t.strictSame(texts, ['VCSLOW']);
});

t.test(
  'keyboard scanner: a code that began before the device was open is refused, wherever it began, and the next one is whole',
  async (t) => {
    const [early, whole] = ['early', 'whole'].map((name) => encodeCode({ kind: 'unsigned', card: uuidOfPublicKey(Buffer.from(name)) }));
    const reports = keysOf(`${early}\r`).map(bootReport);
    for (let missed = 1; missed < reports.length; missed++) {
      const { link, texts, type, end } = setUp();
      for (const report of reports.slice(missed)) link.feed(report);
      type(`${whole}\r`);
      await end();
      const [text, ...others] = texts.toReversed();
      t.equal(text, whole);
      t.ok(others.length <= 1, 'one answer to it at most: its visitor has to scan again');
      for (const part of others) t.throws(() => decodeCode(part), { name: 'CodeError' }, `${missed} reports missed`);
    }
  },
);

t.test('keyboard scanner: prefix and suffix are taken off where they are there, and nothing else is', async (t) => {
  const { texts, refused, type, end } = setUp(BOOT, { prefix: '~A', suffix: '##' });
  type('~AVCONE##\rVCTWO\r~AVCTHREE\rVC##~A\r~A##\r');
  await end();
  t.strictSame(texts, ['VCONE', 'VCTWO', 'VCTHREE', 'VC##~A']);
  t.strictSame(refused, ['empty 4']);
});

t.test('keyboard scanner: the symbology identifier is taken off before the prefix', async (t) => {
  const { texts, type, end } = setUp(BOOT, { prefix: '~' });
  type(']Q1~VC\r');
  await end();
  t.strictSame(texts, ['VC']);
});

t.test('keyboard scanner: reports with an id and a bit a key are read alike, and other reports passed over', async (t) => {
  const { link, texts, type, end } = setUp(BITMAP);
  link.feed(Uint8Array.of(6, 1));
  type('VCbb1!\r', bitmapReport);
  link.feed(Uint8Array.of(6, 0));
  await end();
  t.strictSame(texts, ['VCbb1!']);
});

t.test('keyboard scanner: control characters in a code refuse it, and the next is read', async (t) => {
  const { link, texts, refused, type, end } = setUp();
  type('VC');
  for (const keys of [[0xe0, 0x30], []]) link.feed(bootReport(keys));
  type('BB\rVCGOOD\r');
  await end();
  t.strictSame([texts, refused], [['VCGOOD'], ['unprintable 3']]);
});

t.test('keyboard scanner: half a code at the unplugging is cut', async (t) => {
  const { link, texts, refused, type, done } = setUp();
  type('VCWHOLE\rVCHA');
  link.unplug();
  await t.rejects(done, { code: 'device.gone' });
  t.strictSame([texts, refused], [['VCWHOLE'], ['cut 4']]);
});

t.test('keyboard reports: keys of a boot report come in its order, phantom states as they are, other values not at all', async (t) => {
  const keys = new PressedKeys(BOOT);
  t.strictSame(keys.push(Uint8Array.of(0x22, 0, 6, 5, 4, 0, 0, 0)), [0xe1, 0xe5, 6, 5, 4]);
  t.strictSame(keys.push(Uint8Array.of(0, 0, 1, 1, 1, 1, 1, 1)), [1, 1, 1, 1, 1, 1]);
  t.strictSame(keys.push(Uint8Array.of(0, 0xff, 4, 0xf0, 0, 0, 0, 0)), [4], 'the reserved byte and what is past the last key are none');
  t.equal(keys.push(Uint8Array.of(0, 0, 4)), undefined, 'a short report tells nothing');
});

t.test('keyboard reports: each report of a keyboard tells of its own keys only', async (t) => {
  // Two reports: modifiers and six keys as report 1, a bit a key as report 2.
  const half = (id: string, items: string) => `05010906a10185${id}0507${items}c0`;
  const sixKeys = '19e029e7150025017501950881021500256575089506190029658100';
  const bits = '1904297315002501750195708102';
  const descriptor = Buffer.from(half('01', sixKeys) + half('02', bits), 'hex');
  const layout = keyboardLayoutOf(parseReportDescriptor(descriptor)) as KeyboardLayout;
  const keys = new PressedKeys(layout);
  t.strictSame(keys.push(Uint8Array.of(1, 0x02, 4, 0, 0, 0, 0, 0)), [0xe1, 4]);
  t.strictSame(keys.push(Uint8Array.of(2, 0b10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), [0xe1, 4, 5]);
  t.strictSame(keys.push(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)), [5]);
});

t.test('keyboard reports: a POS scanner is no keyboard', async (t) => {
  t.equal(keyboardLayoutOf(parseReportDescriptor(posDescriptor({ reportId: 0, fields: [{ kind: 'data', bytes: 8 }] }))), undefined);
});

t.test('keyboard reports: whatever comes, keys are usages of the page, and bounded in number', async () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), fc.boolean(), (reports, isBoot) => {
      const keys = new PressedKeys(isBoot ? BOOT : BITMAP);
      return reports.every((report) => (keys.push(report) ?? []).every((usage) => usage > 0 && usage <= 0xe7));
    }),
  );
});

t.test('keyboard scanner: whatever was typed before, a code after a line end is read whole', async () => {
  const noise = fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { maxLength: 30 });
  const text = fc.string({
    unit: fc.constantFrom(...TYPEABLE.filter((character) => /[A-Z]/.test(character))),
    minLength: 1,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(noise, text, async (reports, code) => {
      const { link, texts, type, end } = setUp();
      for (const report of reports) link.feed(report);
      // All keys up; then the end of whatever that was.
      link.feed(bootReport([]));
      type('\r');
      type(`${code}\r`);
      await end();
      return texts.at(-1)?.toUpperCase() === code;
    }),
    { numRuns: 50 },
  );
});
