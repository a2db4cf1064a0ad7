import t from 'tap';
import { KeyboardCodec } from '../../../hardware/scanner/keyboard-codec.ts';
import { LETTERS } from '../../../protocol/letters.ts';
import fc from '../../support/properties.ts';
import { keysOf, TYPEABLE } from '../../support/typing.ts';

const SHIFT = 0xe1;
const CAPS = 0x39;
const ALT = 0xe2;
const CONTROL = 0xe0;

const typed = (sets: readonly (readonly number[])[], codec = new KeyboardCodec()): string =>
  sets.map((usages) => codec.pressed(usages)).join('');

const text = fc.string({ unit: fc.constantFrom(...TYPEABLE) });

t.test('KeyboardCodec: gives back whatever is typed on a US keyboard', async () => {
  fc.assert(fc.property(text, (wanted) => typed(keysOf(wanted)) === wanted));
});

t.test('KeyboardCodec: a report that is sent again types nothing again', async () => {
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1 }), (wanted, times) => {
      const repeated = keysOf(wanted).flatMap((usages, at) => Array(times[at % times.length] ?? 1).fill(usages));
      return typed(repeated) === wanted;
    }),
  );
});

t.test('KeyboardCodec: a scanner in a hurry that leaves the release out between two keys is understood', async (t) => {
  t.equal(typed([[0x19], [0x06], [0x07], [0x28], []]), 'vcd\r');
  t.equal(typed([[SHIFT, 0x19], [SHIFT, 0x06], [0x07], []]), 'VCd');
});

t.test('KeyboardCodec: keys that overlap (rollover) are typed once each, in the order they went down', async (t) => {
  t.equal(typed([[0x19], [0x19, 0x06], [0x06], [0x06, 0x07], [0x07], []]), 'vcd');
  t.equal(typed([[0x19, 0x06, 0x07, 0x08, 0x09, 0x0a], []]), 'vcdefg');
});

t.test('KeyboardCodec: a phantom report leaves keys as they are and takes its modifiers', async (t) => {
  t.equal(typed([[0x19], [1, 1, 1, 1, 1, 1], [0x19], [0x19, 0x06], []]), 'vc');
  t.equal(typed([[0x19], [SHIFT, 1, 1, 1, 1, 1, 1], [SHIFT, 0x06], []]), 'vC');
  t.equal(typed([[0x19], [0x19, 1, 0x06], [0x19], []]), 'v', 'a key beside it is not believed');
});

t.test('KeyboardCodec: Caps Lock turns letters, not signs, until it is pressed again', async (t) => {
  t.equal(typed([[CAPS], [], ...keysOf('vC1!'), [CAPS], [], ...keysOf('vC1!')]), 'Vc1!vC1!');
  t.equal(typed(keysOf('vC'), new KeyboardCodec(true)), 'Vc');
});

t.test('KeyboardCodec: the letters of our codes come out in one case, Caps Lock or not', async (t) => {
  t.equal(typed(keysOf(LETTERS)), LETTERS);
  t.equal(typed([[CAPS], [], ...keysOf(LETTERS)]), LETTERS.toLowerCase());
});

t.test('KeyboardCodec: Control makes control characters', async (t) => {
  t.equal(typed([[CONTROL, 0x10], [], [CONTROL, 0x0d], [], [CONTROL, 0x30], []]), '\r\n\u001d');
});

t.test('KeyboardCodec: Alt with digits of the keypad types a character by its number, when Alt goes up', async (t) => {
  const digits = (number: string) => Array.from(number).flatMap((digit) => [[ALT, digit === '0' ? 0x62 : 0x58 + Number(digit)], [ALT]]);
  t.equal(typed([[ALT], ...digits('086'), [], [ALT], ...digits('67'), []]), 'VC');
  t.equal(typed([[ALT], ...digits('0'.repeat(50)), ...digits('9'.repeat(50)), []]).length, 1, 'a finger on the key ends nothing');
  t.equal(typed([[ALT], []]), '', 'Alt alone types nothing');
});

t.test('KeyboardCodec: reports of a real scanner that types by number, three digits in a report', async (t) => {
  // As read from a scanner by the asker of https://unix.stackexchange.com/questions/392654 (facts; the text is CC BY-SA): "SIP-4-1" and Enter.
  const reports = ['62605b', '625f5b', '626062', '625c5d', '625d5a', '625c5d', '625c61'].map((keys) => [ALT, ...Buffer.from(keys, 'hex')]);
  t.equal(typed([...reports.flatMap((keys) => [keys, []]), [0x28], []]), 'SIP-4-1\r');
});

t.test('KeyboardCodec: keys of a Datalogic Gryphon GFS4400 that types by number, one digit after another', async (t) => {
  // The first keys of the output at https://stackoverflow.com/questions/43558559 (facts; the text is CC BY-SA): Num Lock, Alt 052, Alt 056.
  const codec = new KeyboardCodec();
  const tap = (usage: number) => codec.down(usage) + codec.up(usage);
  const withAlt = (digits: readonly number[]) => codec.down(ALT) + digits.map(tap).join('') + codec.up(ALT);
  t.equal(tap(0x53) + withAlt([0x62, 0x5d, 0x5a]) + withAlt([0x62, 0x5d, 0x5e]), '48');
});

t.test('KeyboardCodec: keys one by one, as input events tell them, type the same', async (t) => {
  fc.assert(
    fc.property(text, (wanted) => {
      const codec = new KeyboardCodec();
      const characters = keysOf(wanted).map((usages, at, all) => {
        const before = all[at - 1] ?? [];
        const ups = before.filter((usage) => !usages.includes(usage)).map((usage) => codec.up(usage));
        return [...ups, ...usages.map((usage) => codec.down(usage))].join('');
      });
      return characters.join('') === wanted;
    }),
  );
  const codec = new KeyboardCodec();
  t.equal(codec.down(0x19) + codec.down(0x19) + codec.up(0x19) + codec.up(0x19), 'v');
});

t.test('KeyboardCodec: whatever comes, it types one character a new key at most, and goes on', async (t) => {
  const anything = fc.array(fc.array(fc.integer({ min: -5, max: 300 }), { maxLength: 40 }));
  fc.assert(
    fc.property(anything, (sets) => {
      const codec = new KeyboardCodec();
      const isBounded = sets.every((usages) => codec.pressed(usages).length <= usages.length + 1);
      codec.pressed([]);
      return isBounded && typed(keysOf('1'), codec) === '1';
    }),
  );
  t.equal(new KeyboardCodec().down(0x3a), '', 'a function key has no character');
});
