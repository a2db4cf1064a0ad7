/** What a gateway hands out of a bundle, and what it says when the disk does not give it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BundleShelf } from '../../gateway/rollout/bundle-shelf.ts';

t.test('bundle shelf: a piece ends where the bundle does, and another bundle is not there', async (t) => {
  const dir = t.testdir();
  writeFileSync(join(dir, 'in'), 'a whole release');
  const shelf = new BundleShelf(join(dir, 'releases'));
  shelf.put('ab', join(dir, 'in'));
  const piece = await shelf.piece('ab', 8, 99);
  t.equal(Buffer.from(piece?.bytes ?? []).toString(), 'release');
  t.equal(piece?.lengthBytes, 15);
  t.equal((await shelf.piece('ab', 15, 20))?.bytes.length, 0);
  t.equal(await shelf.piece('cd', 0, 1), undefined);
});

t.test('bundle shelf: a disk that does not give it is a refusal with a code, and no bug of the gateway', async (t) => {
  const dir = t.testdir();
  mkdirSync(join(dir, 'ab.vrelease'));
  await t.rejects(new BundleShelf(dir).piece('ab', 0, 0), { code: 'store.failed' });
});
