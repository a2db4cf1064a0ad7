import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { type Keyboard, typedInput } from '../../cli/typed-input.ts';
import { ManualClock } from '../support/manual-clock.ts';

function terminal(t: Test) {
  const stopping = new AbortController();
  const clock = new ManualClock();
  const keys: Keyboard & PassThrough = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
  const seen = { text: '', interrupts: 0, hasEnded: false };
  const reading = (async () => {
    for await (const chunk of typedInput(stopping.signal, keys, () => (seen.interrupts += 1), clock))
      seen.text += Buffer.from(chunk).toString('latin1');
    seen.hasEnded = true;
  })();
  t.teardown(async () => {
    stopping.abort();
    await reading;
  });
  const type = async (text: string, pauseMs = 0) => {
    for (const key of text) {
      keys.write(key);
      await clock.advance(pauseMs);
    }
    await clock.advance(200);
  };
  return { clock, keys, seen, type };
}

t.test('typedInput: Ctrl-C that a person presses stops, Ctrl-D ends', async (t) => {
  const { seen, type } = terminal(t);
  await type('\x03');
  t.equal(seen.interrupts, 1);
  await type('\x04');
  t.strictSame(seen, { text: '', interrupts: 1, hasEnded: true });
});

t.test('typedInput: control bytes within a code that somebody made up stop nothing', async (t) => {
  const { clock, keys, seen, type } = terminal(t);
  for (const code of ['VC\x03BC\r', '\x03\r', 'VC\x04\r', '\x04\r', 'VC\x03', '\x03\x04\x03V\r']) {
    await type(code, 5);
    keys.write(code);
    await clock.advance(200);
  }
  t.match(seen, { interrupts: 0, hasEnded: false });
  t.ok(seen.text.startsWith('VC\x03BC\rVC\x03BC\r'), 'they go the way of every byte, to be refused there');
});
