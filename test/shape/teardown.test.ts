/** What every test with a directory of its own relies on; test/support/teardown-first.ts makes it so. */
import { existsSync } from 'node:fs';
import t from 'tap';

let wasThere: boolean | undefined;

t.test('teardown: what runs in a test’s directory is stopped', (t) => {
  const dir = t.testdir();
  t.teardown(() => {
    wasThere = existsSync(dir);
  });
  t.end();
});

t.test('teardown: before the directory is removed', (t) => {
  t.equal(wasThere, true);
  t.end();
});
