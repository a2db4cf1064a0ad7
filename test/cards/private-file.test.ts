import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { refuseTaken, translated, writePrivateFile } from '../../cards/private-file.ts';

const content = Buffer.from('secret');

t.test('private file: is readable by its owner alone, and leaves no draft', (t) => {
  const dir = t.testdir();
  writePrivateFile(join(dir, 'a'), content, false);
  t.equal(readFileSync(join(dir, 'a'), 'utf8'), 'secret');
  t.equal(statSync(join(dir, 'a')).mode & 0o777, 0o600);
  t.strictSame(readdirSync(dir), ['a']);
  t.end();
});

t.test('private file: a name that is taken is refused unless it may be replaced', (t) => {
  const dir = t.testdir({ a: 'before', elsewhere: 'kept' });
  t.throws(() => writePrivateFile(join(dir, 'a'), content, false), { code: 'config.invalid', message: /--force/ });
  t.equal(readFileSync(join(dir, 'a'), 'utf8'), 'before');
  writePrivateFile(join(dir, 'a'), content, true);
  t.equal(readFileSync(join(dir, 'a'), 'utf8'), 'secret');
  symlinkSync(join(dir, 'elsewhere'), join(dir, 'link'));
  writePrivateFile(join(dir, 'link'), content, true);
  t.equal(readFileSync(join(dir, 'elsewhere'), 'utf8'), 'kept', 'what a link points at is not written to');
  mkdirSync(join(dir, 'folder'));
  t.throws(() => writePrivateFile(join(dir, 'folder'), content, true), { code: 'config.invalid', message: /is a directory/ });
  t.strictSame(readdirSync(dir).sort(), ['a', 'elsewhere', 'folder', 'link']);
  t.end();
});

t.test('private file: a place where nothing can be made is told in words', (t) => {
  const dir = t.testdir({ file: '' });
  t.throws(() => writePrivateFile(join(dir, 'absent', 'a'), content, false), { code: 'config.invalid', message: /directory is not there/ });
  t.throws(() => writePrivateFile(join(dir, 'file', 'a'), content, false), { code: 'config.invalid', message: /directory is not there/ });
  for (const place of ['absent', 'file'])
    for (const mayReplace of [false, true])
      t.throws(
        () => refuseTaken(join(dir, place, 'a'), mayReplace),
        { code: 'config.invalid', message: /directory is not there/ },
        'before',
      );
  t.doesNotThrow(() => refuseTaken(join(dir, 'a'), false));
  t.end();
});

t.test('private file: what the system says becomes whose turn it is', (t) => {
  const told = (code: string) => translated('x', Object.assign(new Error(code), { code }));
  const expected: Record<string, string> = {
    EEXIST: 'config.invalid',
    EACCES: 'config.invalid',
    ENOSPC: 'store.disk_full',
    EDQUOT: 'store.disk_full',
    EROFS: 'store.read_only',
    EIO: 'store.failed',
  };
  for (const [code, ours] of Object.entries(expected)) t.match(told(code), { code: ours }, code);
  const bug = new TypeError('bug');
  t.equal(translated('x', bug), bug, 'a bug stays one');
  t.match(told('ERR_INVALID_ARG_TYPE'), { code: 'ERR_INVALID_ARG_TYPE' });
  writeFileSync(join(t.testdir(), 'x'), '');
  t.end();
});
