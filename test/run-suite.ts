/**
 * Runs one of the slower suites, or several beside each other: `npm run test:<name> -- [--full] [--seed N] [--jobs N]`.
 * A suite reads its size and seed with `test/support/suite-size.ts`; without `--full` it is small enough for every push.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { full: { type: 'boolean', default: false }, seed: { type: 'string' }, jobs: { type: 'string', default: '1' } },
});
const files = positionals.flatMap((suite) =>
  readdirSync(join(import.meta.dirname, suite))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', suite, name)),
);
const env = { ...process.env, VESTIBULE_SUITE_FULL: values.full ? '1' : '', VESTIBULE_SUITE_SEED: values.seed ?? '' };
// tap writes its configured plugins into node_modules once; a fresh clone that has not run `npm test` yet has its defaults.
spawnSync('tap', ['build'], { stdio: 'ignore' });
const ran = spawnSync('tap', [`--jobs=${values.jobs}`, `--timeout=${values.full ? 7200 : 1200}`, ...files], { stdio: 'inherit', env });
process.exitCode = ran.status ?? 1;
