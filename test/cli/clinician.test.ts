import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { decodeCode } from '../../protocol/code.ts';
import { VestibuleProcess } from '../support/child.ts';
import { readSheet } from '../support/read-sheet.ts';

const { run } = VestibuleProcess;

t.test('clinician: a code is shown or printed once, listed without it, revoked, and written down', async (t) => {
  const dir = t.testdir();
  const data = join(dir, 'data');
  await run(['venue', 'add', '--name', 'Clinic', '--data', data]);
  const shown = await run(['clinician', 'add', '--venue', 'Clinic', '--label', 'Desk 1', '--data', data]);
  const code = shown.split('\n').at(-1) ?? '';
  t.match(decodeCode(code), { kind: 'clinician' });
  const pdf = join(dir, 'clinician.pdf');
  await run(['clinician', 'add', '--venue', 'Clinic', '--label', 'Desk 2', '--out', pdf, '--data', data]);
  t.equal(statSync(pdf).mode & 0o777, 0o600);
  const kinds = (await readSheet(readFileSync(pdf)))
    .map(({ text }) => decodeCode(text))
    .map((read) => (read.kind === 'result' ? read.result : read.kind));
  t.strictSame(kinds.toSorted(), ['clinician', 'negative', 'positive', 'void']);
  await t.rejects(run(['clinician', 'add', '--venue', 'Clinic', '--label', 'x', '--out', pdf, '--data', data]), /config\.invalid/);
  await t.rejects(
    run(['clinician', 'revoke', '1', '7', '--data', data]),
    /clinician 7: not on the list;\s+nothing was revoked \[config\.invalid\]/,
  );
  t.equal(await run(['clinician', 'revoke', '1', '--data', data]), 'clinician 1 revoked');
  t.equal(await run(['clinician', 'revoke', '1', '--data', data]), 'clinician 1: revoked already');
  const list = await run(['clinician', 'list', '--data', data]);
  t.match(list, /^ {3}2 {2}good since [\d-]+ {2}Clinic, Desk 2\n {3}1 {2}revoked [\d-]+ {2}Clinic, Desk 1$/);
  t.notMatch(`${list}${await run(['clinician', 'list', '--json', '--data', data])}`, code);
  const audit = await run(['audit', 'list', '--data', data]);
  t.match(audit, /clinician\.add/);
  t.match(audit, /clinician\.revoke 1/);
  t.notMatch(audit, code);
});
