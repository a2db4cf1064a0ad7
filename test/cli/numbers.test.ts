/** Numbers that were typed wrong, and readers that leave early. */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import t from 'tap';
import { counted, decimalOf, portOf, wholeNumberOf } from '../../cli/numbers.ts';
import { VestibuleProcess } from '../support/child.ts';

const root = resolve(import.meta.dirname, '../..');

t.test('numbers: what is none, or has a comma, is told with its option', async (t) => {
  t.equal(decimalOf('--threshold', '37.8'), 37.8);
  t.throws(() => decimalOf('--threshold', '37,8'), {
    code: 'config.invalid',
    message: '--threshold: "37,8" is no number (a point, not a comma: 37.8)',
  });
  for (const text of ['', 'warm', '1e9', '0x10', '.5', '1.', 'NaN', 'Infinity'])
    t.throws(() => decimalOf('--hours', text), { message: `--hours: "${text}" is no number` });
  t.equal(portOf('--port', '0'), 0);
  for (const text of ['', '65536', '-1', '88x', '1.5']) t.throws(() => portOf('--port', text), { message: /is no port, 0 to 65535$/ });
  t.equal(wholeNumberOf('--count', '12'), 12);
  for (const text of ['0', '-3', '1.5', '']) t.throws(() => wholeNumberOf('--count', text), { message: /is no whole number/ });
});

t.test('numbers: one is told as one', async (t) => {
  t.strictSame(
    [0, 1, 2].map((count) => counted(count, 'record')),
    ['0 records', '1 record', '2 records'],
  );
  t.equal(counted(1, 'entry', 'entries'), '1 entry');
  t.equal(counted(3, 'entry', 'entries'), '3 entries');
});

t.test('commands: a port that is none is refused before anything is begun', async (t) => {
  for (const args of [
    ['gateway', 'run', '--tls-port', 'x'],
    ['kiosk', 'run', '--page-port', 'x'],
    ['venue', 'add', '--name', 'Shop', '--threshold', '37,8'],
  ])
    await t.rejects(VestibuleProcess.run([...args, '--data', join(t.testdir(), 'data')]), { message: /config\.invalid/ }, args.join(' '));
});

t.test('commands: a reader that leaves early ends nothing with a stack', async (t) => {
  const vestibule = `"${join(root, 'node_modules/.bin/node')}" "${join(root, 'cli/main.ts')}"`;
  const command = `${vestibule} venue add --name Shop --data "${join(t.testdir(), 'data')}" | true; exit "\${PIPESTATUS[0]}"`;
  t.match(spawnSync('bash', ['--norc', '-c', command], { encoding: 'utf8' }), { status: 0, stderr: '' });
});
