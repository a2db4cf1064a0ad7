import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';

const script = join(import.meta.dirname, 'take-policies.ts');

/** Runs one until it has said so many versions, and kills it in the middle of the next. @returns what it said. */
async function killAfter(dir: string, lines: number): Promise<string[]> {
  const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (said.length === lines) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return said;
}

t.test(
  'policy: killed while it takes one document after another, a kiosk holds the last that it confirmed, or the one after',
  async (t) => {
    const dir = t.testdir();
    let confirmed = 0;
    for (const lines of [1, 9, 30, 61]) {
      const [first = '', ...rest] = await killAfter(dir, lines);
      const held = Number(first.split(' ')[0]);
      t.ok(first.endsWith(' held'), first);
      // One in the pipe at most was not read before the kill; what is confirmed is never lost.
      if (confirmed > 0) t.ok(held >= confirmed, `${held} held, ${confirmed} confirmed`);
      confirmed = Math.max(held, ...rest.map((line) => Number(line.split(' ')[0])));
      t.strictSame(
        rest.filter((line) => !line.endsWith(' held')),
        [],
      );
    }
  },
);
