import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import t from 'tap';
import { fetchPackages, type LockedPackage, readLock } from '../../../workshop/image/debian-lock.ts';
import { INSTALLED, LEFT_OUT, UNPACKED } from '../../../workshop/image/packages.ts';

const own = resolve(import.meta.dirname, '../../../workshop/image/debian.lock.json');
const { signal } = new AbortController();

t.test('lock: the one of the repository names each package once, and all that are wanted', async (t) => {
  const { packages } = readLock(own);
  const names = packages.map(({ name }) => name);
  t.equal(new Set(names).size, names.length);
  for (const screen of ['none', 'chromium'] as const) {
    const there = packages.filter(({ screens }) => screens.includes(screen)).map(({ name }) => name);
    const isThere = (wanted: string) =>
      there.some((name) => name === wanted || (wanted === 'linux-image-arm64' && name.startsWith('linux-image-')));
    t.strictSame(
      [...INSTALLED[screen], ...UNPACKED].filter((name) => !isThere(name)),
      [],
    );
    t.strictSame(
      there.filter((name) => LEFT_OUT.has(name)),
      [],
    );
  }
});

t.test('lock: a file that is no lock is refused', async (t) => {
  const path = join(t.testdir(), 'lock.json');
  for (const wrong of [{}, { epochS: 1, suite: 'x', packages: [{ name: 'x', path: '../etc/passwd' }] }]) {
    writeFileSync(path, JSON.stringify(wrong));
    t.throws(() => readLock(path), { code: 'config.invalid' });
  }
});

t.test('lock: a package is fetched once, believed by its digest, and its absence is told', async (t) => {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, answer) => {
    asked.push(url);
    answer.writeHead(url.includes('gone') ? 404 : 200).end('a package');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.teardown(() => server.close());
  const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cache = join(t.testdir(), 'cache');
  const sha256 = createHash('sha256').update('a package').digest('hex');
  const locked: LockedPackage = {
    name: 'x',
    version: '1',
    architecture: 'all',
    path: 'debian/pool/x.deb',
    sizeBytes: 9,
    sha256,
    screens: ['none'],
  };
  const fetched = await fetchPackages([locked], { mirror, cache, signal });
  t.strictSame([...fetched.values()], [join(cache, `${sha256}.deb`)]);
  await fetchPackages([locked], { mirror, cache, signal });
  t.strictSame(asked, ['/debian/pool/x.deb']);
  // What a power cut left of a download, or anybody put there.
  writeFileSync(join(cache, `${sha256}.deb`), '');
  await fetchPackages([locked], { mirror, cache, signal });
  t.equal(readFileSync(join(cache, `${sha256}.deb`), 'utf8'), 'a package');
  const other = { ...locked, sha256: '0'.repeat(64) };
  await t.rejects(fetchPackages([other], { mirror, cache, signal }), { code: 'config.invalid', message: /not the package/ });
  await t.rejects(fetchPackages([{ ...other, path: 'debian/pool/gone.deb' }], { mirror, cache, signal }), {
    code: 'config.invalid',
    message: /404/,
  });
  t.strictSame(readdirSync(cache), [`${sha256}.deb`], 'nothing else is kept');
});
