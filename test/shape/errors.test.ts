/** docs/errors.md has one heading for each error code, and names no code that does not exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const codes = [...read('protocol/errors.ts').matchAll(/^ {2}\| '([a-z_]+\.[a-z_]+)'/gm)].map((match) => match[1] ?? '');
const headings = [...read('docs/errors.md').matchAll(/^### `([a-z_]+\.[a-z_]+)`/gm)].map((match) => match[1] ?? '');

t.test('errors: every code has its heading in docs/errors.md', async (t) => {
  t.ok(codes.length > 20, `${codes.length} codes read`);
  t.strictSame(
    codes.filter((code) => !headings.includes(code)),
    [],
  );
});

t.test('errors: every heading in docs/errors.md is a code', async (t) => {
  t.strictSame(
    headings.filter((heading) => !codes.includes(heading)),
    [],
  );
});

t.test('errors: every code is used by some room', async (t) => {
  const rooms = ['protocol', 'disk', 'hardware', 'kiosk', 'gateway', 'core', 'cards', 'workshop', 'cli'];
  const sources = rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== 'errors.ts')
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
  );
  t.strictSame(
    codes.filter((code) => !sources.some((source) => source.includes(`'${code}'`))),
    [],
  );
});
