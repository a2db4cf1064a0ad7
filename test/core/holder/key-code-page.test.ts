/** The browser's own reading of key codes gives what ours gives; in Node, whose WebCrypto is the browsers'. */

import t from 'tap';
import { encodeCode } from '../../../protocol/code.ts';
import { cardOfProof, decodeProof } from '../../../protocol/holder.ts';
import { formatKeyCode, parseTypedKeyCode } from '../../../protocol/key-code.ts';
import { deriveVisitor as ours } from '../../../protocol/visitor.ts';
import { fromHex, readVectors } from '../../support/codes.ts';
import fc from '../../support/properties.ts';

interface PageCode {
  readKeyCode(text: string): { keyCode?: Uint8Array; fault?: string; symbols?: number };
  deriveVisitor(keyCode: Uint8Array): Promise<{ publicKey: string; privateKey: unknown }>;
  prove(action: string, challenge: { core: string; challenge: string }, visitor: unknown): Promise<object>;
  canDerive(): Promise<boolean>;
}
const page = (await import(new URL('../../../core/holder/page/key-code.js', import.meta.url).href)) as PageCode;

t.test('page: any key code is read as we read it, typed in any way or scanned', async () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.boolean(),
      fc.constantFrom('', ' ', '-', '\n'),
      (keyCode, isLower, between) => {
        const typed = formatKeyCode(keyCode).replaceAll('-', between);
        const text = isLower ? typed.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'i') : typed;
        const read = page.readKeyCode(text).keyCode;
        const scanned = page.readKeyCode(encodeCode({ kind: 'key', keyCode })).keyCode;
        return read !== undefined && scanned !== undefined && Buffer.compare(read, keyCode) === 0 && Buffer.compare(scanned, keyCode) === 0;
      },
    ),
  );
});

t.test('page: what we refuse it refuses, whichever symbol is wrong', async () => {
  const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZU';
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(34), fc.constantFrom(...SYMBOLS), (keyCode, at, symbol) => {
      const code = formatKeyCode(keyCode);
      const text = code.slice(0, at) + symbol + code.slice(at + 1);
      let isOurs = true;
      try {
        parseTypedKeyCode(text);
      } catch {
        isOurs = false;
      }
      return (page.readKeyCode(text).keyCode !== undefined) === isOurs;
    }),
  );
});

t.test('page: faults are told apart', async (t) => {
  const code = formatKeyCode(new Uint8Array(16));
  t.strictSame(page.readKeyCode(''), { fault: 'part', symbols: 0 });
  t.strictSame(page.readKeyCode(code.slice(0, 12)), { fault: 'part', symbols: 10 });
  t.strictSame(page.readKeyCode(`${code}0`), { fault: 'long', symbols: 31 });
  t.strictSame(page.readKeyCode('U'), { fault: 'strange', symbols: 1 });
  t.equal(page.readKeyCode(`2${code.slice(1)}`).fault, 'version');
  t.equal(page.readKeyCode(`${code.slice(0, -1)}Z`).fault, 'check');
  const card = encodeCode({ kind: 'unsigned', card: ours(new Uint8Array(16)).card });
  t.equal(page.readKeyCode(card).keyCode, undefined, 'a card is no key code');
});

t.test('page: the key it makes and what it signs are those of the vectors, and the key code is wiped', async (t) => {
  const vectors = readVectors('holder.json');
  t.ok(await page.canDerive());
  const keyCode = fromHex(vectors.keyCode);
  const visitor = await page.deriveVisitor(keyCode);
  t.ok(keyCode.every((byte) => byte === 0));
  const { core, challenge } = JSON.parse(vectors.challengeText) as { core: string; challenge: string };
  for (const { action, text } of vectors.proofs) {
    const proof = JSON.stringify(await page.prove(action, { core, challenge }, visitor));
    t.equal(proof, text);
    t.same(cardOfProof(decodeProof(proof)), fromHex(vectors.card));
  }
  for (const { keyCode: code, publicKey } of readVectors('visitor.json').visitors)
    t.equal((await page.deriveVisitor(fromHex(code))).publicKey, Buffer.from(fromHex(publicKey)).toString('base64url'));
});
