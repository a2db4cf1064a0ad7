import { readFileSync } from 'node:fs';
import t from 'tap';
import { usageOfKey } from '../../../hardware/evdev/key-usages.ts';
import { KeyboardCodec } from '../../../hardware/scanner/keyboard-codec.ts';
import { TYPED_CHARACTERS, typed } from '../../support/type-events.ts';

const path = new URL('../../vectors/linux-keys.json', import.meta.url);
const { keys } = JSON.parse(readFileSync(path, 'utf8')) as {
  keys: readonly { readonly name: string; readonly code: number; readonly usage: number }[];
};

t.test('Linux keys: each of a keyboard’s keys has the usage that HID gives a key of that name', async (t) => {
  t.ok(keys.length > 100);
  for (const { name, code, usage } of keys) t.equal(usageOfKey(code), usage, name);
});

t.test('Linux keys: no other code has one', async (t) => {
  const known = new Set(keys.map(({ code }) => code));
  for (let code = 0; code < 0x300; code++) if (!known.has(code)) t.equal(usageOfKey(code), undefined, String(code));
});

t.test('Linux keys: every printable character that is typed comes back', async (t) => {
  t.equal(TYPED_CHARACTERS.length, 95);
  const codec = new KeyboardCodec();
  const text = typed(TYPED_CHARACTERS)
    .filter(({ type }) => type === 1)
    .map(({ code, value }) => (value === 1 ? codec.down(usageOfKey(code) as number) : codec.up(usageOfKey(code) as number)))
    .join('');
  t.equal(text, TYPED_CHARACTERS);
});
