import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readTar, type TarEntry, writeTar } from '../../../workshop/image/tar.ts';
import fc from '../../support/properties.ts';

const name = fc.stringMatching(/^[a-zA-Z0-9_@+.-]{1,60}$/).filter((part) => part !== '.' && part !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const mode = fc.integer({ min: 0, max: 0o7777 });
const id = fc.integer({ min: 0, max: 65_534 });
const entry: fc.Arbitrary<TarEntry> = fc.oneof(
  fc.record({
    path,
    type: fc.constant('file' as const),
    mode,
    uid: id,
    gid: id,
    content: fc.uint8Array({ maxLength: 1_500 }),
    target: fc.constant(''),
  }),
  fc.record({
    path,
    type: fc.constant('directory' as const),
    mode,
    uid: id,
    gid: id,
    content: fc.constant(new Uint8Array()),
    target: fc.constant(''),
  }),
  fc.record({ path, type: fc.constant('link' as const), mode, uid: id, gid: id, content: fc.constant(new Uint8Array()), target: path }),
);
const bytesOf = (entries: Iterable<TarEntry>): Buffer => Buffer.concat([...writeTar(entries, 1_700_000_000)]);

t.test('tar: what is written is read again', async () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), (entries) => {
      const again = readTar(bytesOf(entries)).map((one) => ({ ...one, content: Buffer.from(one.content).toString('hex') }));
      t.strictSame(
        again,
        entries.map((one) => ({ ...one, content: Buffer.from(one.content).toString('hex') })),
      );
    }),
    { numRuns: 50 },
  );
});

t.test('tar: the program reads it, owners, modes, long names and all', async (t) => {
  const file = join(t.testdir(), 'a.tar');
  const long = `${'long/'.repeat(30)}name`;
  const plain = { uid: 3, gid: 7, target: '', content: Buffer.from('words') };
  writeFileSync(
    file,
    bytesOf([
      { ...plain, path: 'one', type: 'file', mode: 0o4755 },
      { ...plain, path: long, type: 'link', mode: 0o777, content: Buffer.alloc(0), target: 'one' },
    ]),
  );
  const { stdout, status } = spawnSync('tar', ['--numeric-owner', '--utc', '-tvf', file], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  t.equal(status, 0);
  t.strictSame(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.replaceAll(/ +/g, ' ')),
    ['-rwsr-xr-x 3/7 5 2023-11-14 22:13 one', `lrwxrwxrwx 3/7 0 2023-11-14 22:13 ${long} -> one`],
  );
});

t.test('tar: a device is refused', async (t) => {
  const archive = bytesOf([{ path: 'a', type: 'file', mode: 0, uid: 0, gid: 0, content: new Uint8Array(), target: '' }]);
  archive.write('3', 156);
  t.throws(() => readTar(archive), /an entry of kind 3/);
});
