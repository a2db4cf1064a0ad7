import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { inStore, lockFile } from '../../core/sqlite.ts';
import { StoreError } from '../../protocol/errors.ts';

const failing = (code: string) => () => {
  throw Object.assign(new Error('as the system says it'), { code });
};

t.test('stores: what a disk, a file or another process did is a StoreError that names the store', async (t) => {
  const codes = {
    SQLITE_FULL: 'store.disk_full',
    ENOSPC: 'store.disk_full',
    SQLITE_READONLY_DBMOVED: 'store.read_only',
    EROFS: 'store.read_only',
    EACCES: 'store.read_only',
    SQLITE_CORRUPT: 'store.corrupt',
    SQLITE_NOTADB: 'store.corrupt',
    SQLITE_BUSY_SNAPSHOT: 'store.busy',
    SQLITE_IOERR_WRITE: 'store.failed',
    SQLITE_CANTOPEN: 'store.failed',
    EIO: 'store.failed',
  } as const;
  for (const [cause, code] of Object.entries(codes)) {
    t.throws(() => inStore('day 2026-11-21', failing(cause)), { name: 'StoreError', code, message: `day 2026-11-21: ${cause}` });
  }
});

t.test('stores: a bug, and what has been translated already, come through as they are', async (t) => {
  const bug = new TypeError('a bug');
  const known = new StoreError('store.busy', 'day 2026-11-20: SQLITE_BUSY');
  for (const error of [bug, known]) {
    t.throws(
      () =>
        inStore('core.db', () => {
          throw error;
        }),
      error,
    );
  }
  t.throws(() => inStore('core.db', failing('SQLITE_CONSTRAINT_CHECK')), { code: 'SQLITE_CONSTRAINT_CHECK' });
});

t.test('stores: a file that may not grow is full', async (t) => {
  const db = new Database(join(t.testdir(), 'small.db'));
  db.exec('CREATE TABLE row (bytes BLOB)');
  db.pragma('max_page_count = 4');
  const insert = db.prepare('INSERT INTO row VALUES (randomblob(8000))');
  t.throws(() => inStore('small', () => [1, 2, 3].map(() => insert.run())), { name: 'StoreError', code: 'store.disk_full' });
  db.close();
});

t.test('locks: one holder at a time, and free when it lets go', async (t) => {
  const path = join(t.testdir(), 'lock');
  const release = lockFile(path, 'lock')!;
  t.equal(lockFile(path, 'lock'), undefined);
  release();
  const again = lockFile(path, 'lock');
  t.ok(again);
  again?.();
});
