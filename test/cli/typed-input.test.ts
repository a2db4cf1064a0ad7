import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { type Keyboard, typedChunks, typedInput } from '../../cli/typed-input.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { until } from '../support/until.ts';

function terminal(t: Test) {
  const stopping = new AbortController();
  const clock = new ManualClock();
  const keys: Keyboard & PassThrough = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
  const seen = { text: '', interrupts: 0, hasEnded: false };
  const reading = (async () => {
    for await (const chunk of typedChunks(typedInput(stopping.signal, keys, () => (seen.interrupts += 1), clock)))
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

t.test('typedInput: what comes while nobody listens is the next one’s, in order, and who has left is told nothing', async (t) => {
  const keys = Object.assign(new PassThrough(), { setRawMode: () => {} });
  const typing = typedInput(new AbortController().signal, keys);
  const heard: string[] = [];
  const listen = (name: string) =>
    typing.listen({ chunk: (bytes) => void heard.push(`${name} ${bytes}`), over: () => void heard.push(`${name} over`) });
  const leave = listen('first');
  keys.write('one');
  await until(() => heard.length === 1);
  leave();
  keys.write('two');
  keys.write('three');
  listen('second');
  leave();
  await until(() => heard.length === 3);
  keys.end('four');
  await until(() => heard.length === 5);
  listen('third');
  await until(() => heard.length === 6);
  t.strictSame(heard, ['first one', 'second two', 'second three', 'second four', 'second over', 'third over']);
});
