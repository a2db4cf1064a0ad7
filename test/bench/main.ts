/**
 * Measurements: `npm run bench -- <name> [--json] [--full]`. Each is a module beside this one that exports `bench`.
 * With --json the last line is one JSON object; without, a table. `--part`, `--seconds` and `--profile`: docs/measurements.md.
 */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly isFull: boolean;
  /** Which of its parts to run, by the bench's own names; `undefined` for all. */
  readonly parts: readonly string[] | undefined;
  /** A directory for a profile of the CPU of what is measured. */
  readonly profile: string | undefined;
  /** How long the part that keeps a pace lasts; `undefined` for the bench's own times. */
  readonly seconds: number | undefined;
  /** Where progress goes; the result is returned. */
  readonly say: (line: string) => void;
}

export type Bench = (options: BenchOptions) => Promise<Readonly<Record<string, number | string>>>;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true },
    profile: { type: 'string' },
    seconds: { type: 'string' },
  },
});
const names = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => name.slice(0, -'.bench.ts'.length));
const name = positionals[0] ?? '';
const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
if (!names.includes(name) || (seconds !== undefined && !(seconds > 0))) {
  process.stderr.write(
    `npm run bench -- <${names.join('|')}> [--json] [--full] [--part <name>]... [--seconds <n>] [--profile <directory>]\n`,
  );
  process.exit(64);
}
const { bench } = (await import(`./${name}.bench.ts`)) as { bench: Bench };
const figures = await bench({
  isFull: values.full,
  parts: values.part,
  profile: values.profile,
  seconds,
  say: (line) => process.stderr.write(`${line}\n`),
});
if (values.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
else for (const [key, value] of Object.entries(figures)) process.stdout.write(`${key.padEnd(28)} ${value}\n`);
