import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { rawPublicKey } from '../../../protocol/ed25519.ts';
import { checkBundle } from '../../../workshop/release/check-bundle.ts';
import { makeReleaseKey, openPublicKey, openReleaseKey } from '../../../workshop/release/release-keys.ts';
import { BOARD, bundleOf, releaseKey } from '../../support/slot-machine.ts';

t.test("release key: is its owner's alone, is never written over, and opens", async (t) => {
  const dir = t.testdir();
  const publicKey = makeReleaseKey(dir);
  t.equal(statSync(join(dir, 'release.key')).mode & 0o777, 0o600);
  t.strictSame(openPublicKey(join(dir, 'release.pub')), publicKey);
  t.strictSame(rawPublicKey(openReleaseKey(join(dir, 'release.key'))), publicKey);
  t.throws(() => makeReleaseKey(dir), { code: 'config.invalid' });
  const images = join(dir, 'images');
  mkdirSync(images);
  copyFileSync(join(dir, 'release.pub'), join(images, 'release.pub'));
  t.throws(() => makeReleaseKey(images), { code: 'config.invalid' }, 'whose private half lies elsewhere');
  t.strictSame(readdirSync(images), ['release.pub']);
  t.throws(() => openPublicKey(join(dir, 'release.key')), { code: 'config.invalid' }, 'a private key has no business in an image');
  writeFileSync(join(dir, 'open.key'), readFileSync(join(dir, 'release.key')), { mode: 0o644 });
  t.throws(() => openReleaseKey(join(dir, 'open.key')), { code: 'config.invalid' });
});

t.test('bundle: the same parts, version and key give the same bytes, and it is whole', async (t) => {
  const dir = t.testdir();
  const [one, other] = [join(dir, 'one.vrelease'), join(dir, 'other.vrelease')];
  const made = await bundleOf(one, { version: '1.4.0' });
  await bundleOf(other, { version: '1.4.0' });
  t.ok(readFileSync(one).equals(readFileSync(other)));
  const checked = await checkBundle(one, [rawPublicKey(releaseKey)]);
  t.match(checked, { manifest: { version: [1, 4, 0], board: BOARD }, lengthBytes: made.lengthBytes });
  t.strictSame(checked.digest, made.digest);
  const bytes = readFileSync(one);
  for (const [name, cut, code] of [
    ['cut', bytes.subarray(0, -1), 'release.truncated'],
    ['longer', Buffer.concat([bytes, Buffer.from('x')]), 'decode.malformed'],
    ['altered', Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])]), 'release.altered'],
  ] as const) {
    writeFileSync(other, cut);
    await t.rejects(checkBundle(other, [rawPublicKey(releaseKey)]), { code }, name);
  }
});
