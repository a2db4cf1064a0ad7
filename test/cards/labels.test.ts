import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { printLabels, terminalSymbol } from '../../cards/labels.ts';
import { decodeCode, encodeCode } from '../../protocol/code.ts';
import { readSheet } from '../support/read-sheet.ts';

const codeOf = (at: number, host = 'gateway.example') =>
  encodeCode({ kind: 'enrolment', secret: new Uint8Array(16).fill(at), gatewayKeyHash: new Uint8Array(16).fill(200), host, port: 8_883 });
const labelOf = (at: number, host?: string) => ({
  text: codeOf(at, host),
  number: at,
  venue: 'Bücherei am Fluß und ein Name, der länger ist als jedes Etikett – 図書館',
  lines: ['Door: in and out', 'Until 2026-11-23 04:46 UTC'],
});

t.test('labels: fifty on three sheets, each read back as its code, readable by their owner alone', async (t) => {
  const path = join(t.testdir(), 'labels.pdf');
  const labels = Array.from({ length: 50 }, (_, at) => labelOf(at + 1));
  t.equal(await printLabels(labels, path, false), 3);
  t.equal(statSync(path).mode & 0o777, 0o600);
  const read = await readSheet(readFileSync(path));
  t.strictSame(read.map(({ text }) => text).toSorted(), labels.map(({ text }) => text).toSorted());
  t.match(decodeCode(read[0]!.text), { kind: 'enrolment', host: 'gateway.example', port: 8_883 });
  t.ok(
    read.every(({ sizeMm }) => sizeMm > 20 && sizeMm < 30),
    'as large as a label allows',
  );
  await t.rejects(printLabels(labels, path, false), { code: 'config.invalid' }, 'it writes over nothing unasked');
});

t.test('labels: a gateway with a long name still fits', async (t) => {
  const dir = t.testdir();
  const long = labelOf(1, `${'a'.repeat(120)}.example`);
  await printLabels([long], join(dir, 'long.pdf'), false);
  t.strictSame(
    (await readSheet(readFileSync(join(dir, 'long.pdf')))).map(({ text }) => text),
    [long.text],
  );
});

t.test('labels: in the terminal a symbol has its quiet zone and no line longer than another', (t) => {
  const lines = terminalSymbol(codeOf(1)).map((line) => line.replace('\u001b[30;107m', '').replace('\u001b[0m', ''));
  t.equal(new Set(lines.map((line) => line.length)).size, 1);
  t.equal(lines.length, Math.ceil((lines[0] ?? '').length / 2));
  t.match(lines[0], /^ +$/);
  t.ok(lines.every((line) => line.startsWith('    ')));
  t.end();
});
