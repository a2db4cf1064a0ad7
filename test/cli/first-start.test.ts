/** What is read once before a kiosk's first start after an installation: by a process that always ends, and that leaves what Node made of the sources. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../..');
const node = join(root, 'node_modules/.bin/node');
const LONGEST_MS = 60_000;

const start = (cache: string, ...args: string[]) =>
  spawnSync(node, args, {
    cwd: root,
    env: { ...process.env, NODE_COMPILE_CACHE: cache, NODE_OPTIONS: '' },
    timeout: LONGEST_MS,
    encoding: 'utf8',
  });

t.test('first start: what reads the sources does not wait for its own threads at its end', (t) => {
  const cache = t.testdir();
  const flags = JSON.parse(readFileSync(join(root, 'cli/kiosk-flags.json'), 'utf8')) as string[];
  const { signal } = start(cache, ...flags, 'cli/kiosk-sources.ts', 'kiosk', '--help');
  // By its own hand: an exit(3) is what waited for ever, now and then. Ended by this test's patience it would be SIGTERM.
  t.equal(signal, 'SIGKILL');
  const kept = readdirSync(cache, { recursive: true }).length;
  t.ok(kept > 100, `${kept} files are kept`);
  t.end();
});

t.test('first start: a kiosk goes on after it, and the next start does not read all again', (t) => {
  const cache = t.testdir();
  const first = start(cache, 'cli/vestibule.js', 'kiosk', 'run', '--help');
  t.equal(first.status, 0);
  t.match(first.stdout, /Usage: vestibule kiosk run/);
  // A wait without a word is for whoever sits at a terminal; a journal has no use for it.
  t.equal(first.stderr, '');
  const mark = () => statSync(join(cache, 'kiosk')).mtimeMs;
  const marked = mark();
  t.equal(start(cache, 'cli/vestibule.js', 'kiosk', 'run', '--help').status, 0);
  t.equal(mark(), marked);
  t.end();
});
