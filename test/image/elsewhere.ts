/** The image as somebody else builds it: at another place, as another user with other habits, and from nothing that a build here has left. */
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Image } from '../../workshop/image/build-image.ts';
import type { DebianLock } from '../../workshop/image/debian-lock.ts';
import { needPrograms } from '../support/guest/debian.ts';
import { runCommand } from '../support/guest/run-command.ts';
import { imageAt, packagesCache, root } from './built.ts';

/** Debian's `nobody`. */
const OTHER_USER = '65534';
const LEFT_BEHIND = /^(?:\.git|\.tap|node_modules|dist|data|hardware\/native\/(?:build|built|prebuilt|build-tmp[^/]*))$/;

/**
 * @param directory is made, and is not ours alone. @param say told how it differs.
 * @returns the image, of the sources as they are here now.
 */
export async function buildElsewhere(directory: string, lock: DebianLock, say: (words: string) => void): Promise<Image> {
  const source = join(directory, 'a-copy');
  const cache = join(directory, 'cache/vestibule-image');
  mkdirSync(join(cache, 'debian'), { recursive: true });
  cpSync(root, source, { recursive: true, filter: (path) => !LEFT_BEHIND.test(relative(root, path)) });
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'));
  writeFileSync(join(directory, 'lock.json'), JSON.stringify(lock));
  // Each is believed by its digest, wherever it comes from.
  if (existsSync(packagesCache))
    for (const file of readdirSync(packagesCache).filter((name) => name.endsWith('.deb')))
      cpSync(join(packagesCache, file), join(cache, 'debian', file));

  const { setpriv } = await needPrograms(['setpriv']);
  const asOther = [setpriv, '--reuid', OTHER_USER, '--regid', OTHER_USER, '--clear-groups'];
  await runCommand('chmod', ['0755', directory]);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await runCommand('chown', ['-hR', `${OTHER_USER}:${OTHER_USER}`, directory]);
  const mayRead =
    isRoot &&
    (await runCommand(asOther[0] ?? '', [...asOther.slice(1), 'test', '-r', join(root, 'node_modules/.bin')]).then(
      () => true,
      () => false,
    ));
  say(mayRead ? 'by another user' : 'by the same user: no other may read these sources');
  // Nothing of ours comes along, tap's own options for Node neither.
  const habits = [
    '-i',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    `HOME=${directory}`,
    `XDG_CACHE_HOME=${join(directory, 'cache')}`,
    'USER=other',
    'TZ=Asia/Kathmandu',
    'LANG=tr_TR.UTF-8',
    'LC_ALL=tr_TR.UTF-8',
  ];
  const run = (...command: string[]): Promise<string> =>
    runCommand('env', [...habits, ...(mayRead ? asOther : []), 'sh', '-c', 'umask 077; exec "$@"', 'sh', ...command], { cwd: source });
  await run(process.execPath, 'hardware/native/pack.js', 'arm64');
  const card = join(directory, 'another name.img');
  await run(process.execPath, 'cli/vestibule.js', 'image', '--screen', 'none', '--lock', join(directory, 'lock.json'), '--out', card);
  return imageAt(card);
}
