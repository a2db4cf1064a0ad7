/** `vestibule release make` of an image: the release is what the image says it is. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeSbom } from '../../workshop/image/sbom.ts';
import { imageParts, imageSbom } from '../../workshop/image/take-releases.ts';
import { VestibuleProcess } from '../support/child.ts';

t.test('release make: takes the version of the image, and refuses another', async (t) => {
  const directory = t.testdir();
  const image = join(directory, 'kiosk.img');
  const { boot, root } = imageParts(image);
  mkdirSync(`${image}.parts`);
  writeFileSync(boot, 'boot');
  writeFileSync(root, 'root');
  const sbom = makeSbom({ version: '7.8.9', suite: 'trixie', epochS: 0, debian: [], npmLock: { packages: {} }, isThere: () => true });
  writeFileSync(imageSbom(image), sbom);
  await VestibuleProcess.run(['release', 'key', join(directory, 'keys')]);
  const make = (...more: string[]) =>
    VestibuleProcess.run([
      'release',
      'make',
      '--image',
      image,
      '--key',
      join(directory, 'keys/release.key'),
      ...more,
      join(directory, 'made.vrelease'),
    ]);

  t.match(await make(), /release 7\.8\.9 for rpi-arm64/);
  t.match(await make('--release', '7.8.9'), /release 7\.8\.9/);
  await t.rejects(make('--release', '7.9.0'), { message: /the image is\s+7\.8\.9[\s\S]*config\.invalid/ });
});

t.test('release make: an image without its bill of materials is what it is said to be', async (t) => {
  const directory = t.testdir();
  const image = join(directory, 'kiosk.img');
  mkdirSync(`${image}.parts`);
  for (const path of Object.values(imageParts(image))) writeFileSync(path, 'part');
  await VestibuleProcess.run(['release', 'key', join(directory, 'keys')]);
  const made = ['--key', join(directory, 'keys/release.key'), '--release', '1.4.0', join(directory, 'made.vrelease')];
  for (const sbom of [undefined, '{}', 'no JSON']) {
    if (sbom !== undefined) writeFileSync(imageSbom(image), sbom);
    t.match(await VestibuleProcess.run(['release', 'make', '--image', image, ...made]), /release 1\.4\.0 for rpi-arm64/);
  }
});

t.test('kiosk update: names a file, and refuses what a kiosk would pass over without a word', async (t) => {
  const directory = t.testdir({ kiosk: {}, stick: {}, 'next.vrelease': 'bundle' });
  const update = (file: string) => VestibuleProcess.run(['kiosk', 'update', join(directory, file), '--data', directory]);
  t.match(await update('next.vrelease'), /the kiosk looks at it/);
  await t.rejects(update('stick'), { message: /is no file[\s\S]*config\.invalid/ });
  await t.rejects(update('absent'), { message: /is not there[\s\S]*config\.invalid/ });
});
