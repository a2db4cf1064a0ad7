/** Every link from one of our pages to a file of ours leads somewhere, and every npm script that a page names exists. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../..');
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root }).map((path) => join(root, path));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

t.test('docs: links between pages lead somewhere', async (t) => {
  const dead = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target.split('#')[0] ?? '')
      .filter((target) => target !== '' && !/^[a-z]+:/.test(target) && !existsSync(join(dirname(page), target)))
      .map((target) => `${relative(root, page)} -> ${target}`),
  );
  t.ok(pages.length > 10, `${pages.length} pages`);
  t.strictSame(dead, []);
});

/** What is between fences, line by line; `undefined` where a fence stays open. */
function fenced(page: string): string[] | undefined {
  const parts = readFileSync(page, 'utf8').split(/^```.*$/m);
  return parts.length % 2 === 0 ? undefined : parts.filter((_, at) => at % 2 === 1).flatMap((block) => block.split('\n'));
}

t.test('docs: commands for operators and technicians can be pasted', async (t) => {
  for (const page of ['docs/operator.md', 'docs/technician.md', 'docs/cards.md'].map((path) => join(root, path))) {
    const lines = fenced(page);
    t.ok(lines, `${relative(root, page)}: each fence is closed`);
    t.strictSame(
      lines?.filter((line) => /^vestibule |[ "]<[a-z]+>/.test(line)),
      [],
      'nothing that is no command here, and nothing that a shell reads a file from',
    );
  }
});

t.test('docs: each measurement is described, and each that is described exists', async (t) => {
  const there = globSync('*.bench.ts', { cwd: join(root, 'test/bench') }).map((name) => name.slice(0, -'.bench.ts'.length));
  const page = readFileSync(join(root, 'docs/measurements.md'), 'utf8');
  const described = [...page.matchAll(/^## .*`npm run bench -- (\w+)`$/gm)].map(([, name]) => name);
  t.strictSame(described.toSorted(), there.toSorted());
});

t.test('docs: scripts that pages name exist', async (t) => {
  const unknown = pages.flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/npm run ([a-z][\w:-]*)/g)]
      .map(([, script = '']) => script)
      .filter((script) => scripts[script] === undefined)
      .map((script) => `${relative(root, page)}: npm run ${script}`),
  );
  t.strictSame(unknown, []);
});
