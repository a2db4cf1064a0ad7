import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import t from 'tap';
import { cardsCommand } from '../../cards/command.ts';
import { codeOf } from '../../protocol/errors.ts';
import { type DeploymentId, newPlaceId } from '../../protocol/ids.ts';
import { parseTypedKeyCode } from '../../protocol/key-code.ts';
import { readSheet } from '../support/read-sheet.ts';

/** Runs the command as the command line does, under a program that knows nothing of it. */
async function run(dataDir: string, args: readonly string[], deployment?: DeploymentId) {
  const lines: string[] = [];
  const program = new Command('vestibule').addCommand(
    cardsCommand({ out: (line) => lines.push(line), dataDir, ...(deployment === undefined ? {} : { deploymentIn: () => deployment }) }),
  );
  const error = await program.parseAsync(['cards', ...args], { from: 'user' }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { text: lines.join('\n'), code: codeOf(error), message: error instanceof Error ? error.message : '' };
}

t.test('cards: prints the sheet that was asked for, and tells what to do with it', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'cards.pdf');
  const { text, code } = await run(dir, ['--visitors', '2', '--groups', '1x5,1x7', '--groups', '1x9', '--stickers', '3', '--out', path]);
  t.equal(code, undefined);
  t.match(text, /2 sheets with 2 visitor cards, 3 group cards, 3 test stickers/);
  t.match(text, /1 group card for 7 people/);
  t.match(text, /100 mm/);
  t.match(text, /secret/);
  t.match(text, /new issuer was made/);
  const codes = await readSheet(readFileSync(path));
  t.equal(codes.length, 5 * 2 + 3);
  t.notOk(
    codes.some((one) => text.includes(one.text)),
    'no code is told',
  );
  t.match(await run(dir, ['sheet', '--visitors', '1', '--out', path]), { code: 'config.invalid', message: /is there already/ });
  t.equal((await run(dir, ['--visitors', '1', '--out', path, '--force'])).code, undefined);
});

t.test('cards: every fault is listed', async (t) => {
  const dir = t.testdir();
  const faults = await run(dir, ['--visitors', 'many', '--groups', '4y5,1x2', '--stickers', '-1']);
  t.equal(faults.code, 'config.invalid');
  t.match(faults.message, /--visitors: "many".*--groups: "4y5".*--stickers: "-1".*--out/);
  t.match(await run(dir, ['--visitors', '1', '--groups', '0x5,2x1,3x100', '--out', 'x']), {
    code: 'config.invalid',
    message: /0 cards.*1 people.*100 people/,
  });
  t.match(await run(dir, []), { code: 'config.invalid', message: /nothing to print.*--out/ });
  t.notOk(existsSync(join(dir, 'issuer')), 'no issuer is made for an order that can not be printed');
});

t.test('cards one: shows the key here, or puts it into its own file', async (t) => {
  const dir = t.testdir();
  const shown = await run(dir, ['one', '--out', join(dir, 'card.png')]);
  t.equal(shown.code, undefined);
  const typed = /^ {4}(\S+)$/m.exec(shown.text)?.[1];
  t.equal(parseTypedKeyCode(typed ?? '').length, 16);
  t.match(shown.text, /at home.*\n.*Write the key down|Write the key down/s);

  const apart = await run(dir, ['one', '--people', '3', '--format', 'svg', '--out', join(dir, 'group'), '--key-out', join(dir, 'key.txt')]);
  t.equal(apart.code, undefined);
  const kept = /^ {4}(\S+)$/m.exec(readFileSync(join(dir, 'key.txt'), 'utf8'))?.[1] ?? '';
  t.notOk(apart.text.includes(kept));
  t.match(readFileSync(join(dir, 'group'), 'utf8'), /^<svg /);
});

t.test('cards one: faults are listed', async (t) => {
  const dir = t.testdir();
  t.match(await run(dir, ['one', '--people', 'x']), { code: 'config.invalid', message: /--people: "x".*--out/ });
  t.match(await run(dir, ['one', '--out', join(dir, 'card.gif')]), { code: 'config.invalid', message: /--format: expected png or svg/ });
  t.match(await run(dir, ['one', '--people', '100', '--out', join(dir, 'card.png')]), {
    code: 'config.invalid',
    message: /100 is not 1 to 99/,
  });
});

t.test('cards issuer: tells key and deployment, and takes the deployment that lives in the data directory', async (t) => {
  const dir = t.testdir();
  const deployment = newPlaceId<DeploymentId>();
  const { text } = await run(dir, ['issuer'], deployment);
  t.match(text, new RegExp(`deployment {2}${deployment}`));
  const json = JSON.parse((await run(dir, ['issuer', '--json'])).text);
  t.strictSame(json, JSON.parse(readFileSync(join(dir, 'issuer', 'issuer.json'), 'utf8')));
  t.equal(json.deployment, deployment);
  const other = join(dir, 'other');
  const wanted = newPlaceId<DeploymentId>();
  t.match((await run(dir, ['issuer', '--json', '--data', other, '--deployment', wanted])).text, new RegExp(wanted));
  t.match(await run(dir, ['issuer', '--deployment', 'x']), { code: 'config.invalid', message: /--deployment/ });
});

t.test('cards: the help names every option and gives examples', async (t) => {
  const help: string[] = [];
  const cards = cardsCommand({ out: () => {}, dataDir: 'data' });
  cards.configureOutput({ writeOut: (text) => void help.push(text) }).outputHelp();
  for (const word of [
    '--visitors',
    '--groups',
    '--stickers',
    '--out',
    '--force',
    '--data',
    'Examples',
    'one',
    'issuer',
    '100 %',
    'No list',
  ]) {
    t.ok(help.join('').includes(word), word);
  }
});
