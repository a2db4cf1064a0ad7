import t from 'tap';
import { type Frame, LINE_ENDS, LineFramer } from '../../../hardware/scanner/line-framer.ts';
import { LONGEST_SYMBOL_BYTES } from '../../../hardware/scanner/scan.ts';
import fc from '../../support/properties.ts';

const SEED = Number(process.env.SEED ?? 20261121);
const LONGEST = 16;

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** A frame as a test can read it. */
const shown = (frame: Frame): string =>
  frame.kind === 'frame' ? Buffer.from(frame.bytes).toString('latin1') : `${frame.why} ${frame.lengthBytes}`;

const pushAll = (chunks: readonly Uint8Array[], ends = LINE_ENDS, longestBytes = LONGEST): string[] => {
  const framer = new LineFramer(ends, longestBytes);
  return chunks.flatMap((chunk) => framer.push(chunk)).map(shown);
};

/** What a line must become, said another way than the framer says it. */
const expected = (line: string): string[] => {
  const unprintableAt = [...line].findIndex((letter) => letter < ' ' || letter > '~');
  if (unprintableAt >= 0 && unprintableAt <= LONGEST) return [`unprintable ${unprintableAt + 1}`];
  if (line.length > LONGEST) return [`overlong ${LONGEST + 1}`];
  return line === '' ? [] : [line];
};

const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: LONGEST });
const anyLine = fc.oneof(
  printable,
  fc.string({ unit: fc.constantFrom('A', 'B', '\x00', '\x1d', '\x7f', '\xff'), maxLength: LONGEST + 8 }),
  fc.string({ unit: fc.constantFrom('A', '~'), minLength: LONGEST, maxLength: 3 * LONGEST }),
);
const end = fc.constantFrom('\r', '\n', '\r\n', '\t', '\n\r\n');

const cut = (bytes: Uint8Array, at: readonly number[]): Uint8Array[] => {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
};

t.test('line framer: lines come out as they went in, or refused once, however the stream is cut', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyLine, end)), fc.array(fc.nat()), (lines, places) => {
      const stream = bytesOf(lines.flat().join(''));
      const frames = pushAll(cut(stream, places));
      t.strictSame(
        frames,
        lines.flatMap(([line]) => expected(line)),
      );
    }),
    { seed: SEED, numRuns: 500 },
  );
  t.end();
});

t.test('line framer: any bytes at all give the same frames one by one as in one piece', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat()), (stream, places) => {
      const whole = pushAll([stream]);
      t.strictSame(pushAll(cut(stream, places)), whole);
      t.strictSame(pushAll([...stream].map((byte) => Uint8Array.of(byte))), whole);
    }),
    { seed: SEED, numRuns: 300 },
  );
  t.end();
});

t.test('line framer: a symbol of the greatest length passes, one byte more is refused before its end comes', (t) => {
  const longest = 'V'.repeat(LONGEST_SYMBOL_BYTES);
  t.strictSame(pushAll([bytesOf(`${longest}\r`)], LINE_ENDS, LONGEST_SYMBOL_BYTES), [longest]);
  t.strictSame(pushAll([bytesOf(`${longest}V`)], LINE_ENDS, LONGEST_SYMBOL_BYTES), [`overlong ${LONGEST_SYMBOL_BYTES + 1}`]);
  t.end();
});

t.test('line framer: after an endless line the next one is read', (t) => {
  const framer = new LineFramer(LINE_ENDS, LONGEST);
  const flood = bytesOf('F'.repeat(100_000));
  t.equal(framer.push(flood).length + framer.push(flood).length, 1, 'reported once');
  t.strictSame(framer.push(bytesOf('FFF\rVC\r')).map(shown), ['VC']);
  t.end();
});

t.test('line framer: without ends only flush ends a line, and drop forgets it', (t) => {
  const framer = new LineFramer(new Set(), LONGEST);
  t.strictSame(framer.push(bytesOf('VC')), []);
  t.ok(framer.isInside);
  t.strictSame(framer.flush(), { kind: 'frame', bytes: new Uint8Array([0x56, 0x43]) });
  t.notOk(framer.isInside);
  t.equal(framer.flush(), undefined);
  framer.push(bytesOf('VCB'));
  t.strictSame(framer.drop(), { kind: 'refused', why: 'cut', lengthBytes: 3 });
  t.equal(framer.drop(), undefined);
  framer.push(bytesOf('A\x00B'));
  t.ok(framer.isInside, 'the rest of a refused line is under way');
  t.equal(framer.drop(), undefined, 'and was refused already');
  t.strictSame(framer.push(bytesOf('\r')).map(shown), ['unprintable 1'], 'CR is no end here');
  t.end();
});
