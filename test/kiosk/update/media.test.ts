/** Which bundles are found on what somebody plugged in. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findBundles } from '../../../kiosk/update/media.ts';

t.test('media: a bundle is found behind thousands of photographs', async (t) => {
  const dir = t.testdir({ media: { stick: {} } });
  const stick = join(dir, 'media', 'stick');
  for (let at = 0; at < 1_500; at++) writeFileSync(join(stick, `IMG_${at}.JPG`), '');
  const path = join(stick, 'vestibule-1.5.0.vrelease');
  writeFileSync(path, 'x');
  t.strictSame(
    (await findBundles(dir, [join(dir, 'media')])).map((found) => found.path),
    [path],
  );
});

t.test('media: of more than a thousand bundles a thousand are looked at', async (t) => {
  const dir = t.testdir({ media: {} });
  for (let at = 0; at < 1_100; at++) writeFileSync(join(dir, 'media', `${at}.vrelease`), '');
  t.equal((await findBundles(dir, [join(dir, 'media')])).length, 1_000);
});

t.test('media: links in a circle, directories of a bundle’s name and what lies too deep are no bundles', async (t) => {
  const dir = t.testdir({ media: { stick: { 'next.vrelease': {}, one: { two: { 'deep.vrelease': 'x' } } } } });
  const media = join(dir, 'media');
  symlinkSync(media, join(media, 'stick', 'round'));
  mkdirSync(join(media, 'empty'));
  symlinkSync(join(media, 'self.vrelease'), join(media, 'self.vrelease'));
  t.strictSame(await findBundles(dir, [media]), []);
});
