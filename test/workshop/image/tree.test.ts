import t from 'tap';
import type { TarEntry } from '../../../workshop/image/tar.ts';
import { Tree } from '../../../workshop/image/tree.ts';

const file = (path: string, words: string): TarEntry => ({
  path,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  content: Buffer.from(words),
  target: '',
});

t.test('tree: directories that nobody named are there, parents first, by name', async (t) => {
  const tree = new Tree();
  tree.addFile('b/c/d', 'words');
  tree.addFile('a', 'words');
  t.strictSame(
    tree.entries().map(({ path, type }) => `${path} ${type}`),
    ['a file', 'b directory', 'b/c directory', 'b/c/d file'],
  );
});

t.test('tree: what a package has in /lib lies in /usr/lib, and a directory is not replaced by one', async (t) => {
  const tree = new Tree();
  tree.addDirectory('usr/lib', 0o700);
  tree.addArchive([{ ...file('usr/lib', ''), type: 'directory' }, file('lib/x', 'one'), file('usr/lib/x', 'other')], () => true);
  t.strictSame(
    tree.entries().map(({ path, mode }) => [path, mode]),
    [
      ['usr', 0o755],
      ['usr/lib', 0o700],
      ['usr/lib/x', 0o644],
    ],
  );
  t.equal(Buffer.from(tree.file('usr/lib/x')).toString(), 'other', 'the later one');
});

t.test('tree: a hard link is a file of the same content, one to nothing is refused', async (t) => {
  const tree = new Tree();
  const link: TarEntry = { ...file('b', ''), type: 'hard-link', target: 'a' };
  tree.addArchive([file('a', 'words'), link], (path) => path !== 'a');
  t.equal(Buffer.from(tree.file('b')).toString(), 'words');
  t.throws(() => tree.addArchive([{ ...link, target: 'none' }], () => true), /a link to nothing/);
  t.throws(() => tree.file('none'), /no file none/);
});
