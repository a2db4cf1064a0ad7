/** Files that are whole or as they were, and what a file system says as a code. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { diskCodeOf, onDisk, systemCodeOf } from '../../disk/faults.ts';
import { drafted, replaceFile, writeOnce, writeWhole } from '../../disk/files.ts';
import { ConfigError, StoreError } from '../../protocol/errors.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

t.test('files: one that is written once stays as it is; one that is replaced is the new one; neither leaves a draft', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'a');
  writeOnce(path, bytes('first'), 0o600);
  writeOnce(path, bytes('second'), 0o644);
  t.equal(readFileSync(path, 'utf8'), 'first');
  replaceFile(path, bytes('third'), 0o640);
  t.equal(readFileSync(path, 'utf8'), 'third');
  t.equal(statSync(path).mode & 0o777, 0o640);
  writeWhole(path, bytes('fourth'), 0o600);
  t.equal(readFileSync(path, 'utf8'), 'fourth');
  t.strictSame(readdirSync(dir), ['a']);
});

t.test('files: whatever fails on the way leaves the file as it was, and no draft', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'a');
  writeFileSync(path, 'before');
  const failing = () => {
    throw new Error('between');
  };
  t.throws(() => drafted(path, bytes('after'), 0o600, failing), { message: 'between' });
  t.equal(readFileSync(path, 'utf8'), 'before');
  mkdirSync(join(dir, 'taken'));
  t.throws(() => replaceFile(join(dir, 'taken'), bytes('x'), 0o600), { code: 'store.failed' });
  t.throws(() => replaceFile(join(dir, 'none', 'a'), bytes('x'), 0o600), { code: 'store.failed', message: /ENOENT/ });
  t.throws(() => writeOnce(join(dir, 'none', 'a'), bytes('x'), 0o600), { code: 'store.failed' });
  t.strictSame(readdirSync(dir).sort(), ['a', 'taken']);
});

t.test('faults: what the system says is somebody’s turn; what is no file’s fault stays what it is', async (t) => {
  const of = (code: string) => Object.assign(new Error(code), { code, syscall: 'write' });
  const codes = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EPERM', 'EIO'].map((code) => diskCodeOf(of(code)));
  const [full, readOnly] = ['store.disk_full', 'store.read_only'];
  t.strictSame(codes, [full, full, full, readOnly, readOnly, readOnly, 'store.failed']);
  t.equal(diskCodeOf(Object.assign(new Error('x'), { code: 'SQLITE_FULL' })), undefined);
  t.equal(systemCodeOf('ENOSPC'), undefined);
  const throwing = (error: unknown) => () =>
    onDisk('thing', () => {
      throw error;
    });
  t.throws(throwing(of('ENOSPC')), new StoreError('store.disk_full', 'thing: ENOSPC'));
  t.throws(throwing(new ConfigError('config.invalid', 'x')), { code: 'config.invalid' });
  t.throws(throwing(new TypeError('bug')), TypeError);
  t.equal(
    onDisk('thing', () => existsSync('/')),
    true,
  );
});
