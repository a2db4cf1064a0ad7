/** The command line as a person uses it: real processes, a real data directory, codes typed as a scanner types them. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { auditRoad } from '../support/audit-road.ts';
import { VestibuleProcess } from '../support/child.ts';
import { readSheet } from '../support/read-sheet.ts';

const start = (data: string): VestibuleProcess => new VestibuleProcess(['start', '--data', data]);
const isReady = (line: string): boolean => line.includes('Vestibule is ready');

t.test('start: makes everything, takes typed cards, stops at Ctrl-C, and goes on where it was', async (t) => {
  const data = join(t.testdir(), 'data');
  const first = start(data);
  await first.line(isReady);
  const codes = (await readSheet(readFileSync(join(data, 'sample-cards.pdf'))))
    .map(({ text }) => text)
    .filter((text) => text.startsWith('VC'));
  t.equal(codes.length, 5, 'five sample cards');
  t.equal(statSync(data).mode & 0o777, 0o700, 'the directory is for its owner alone');
  for (const code of codes) first.type(`${code}\n`);
  first.type('4006381333931\n');
  await first.line((line) => line.includes('Not a card'));
  t.equal(first.written.match(/Welcome/g)?.length, 5, 'each card is welcomed');
  t.equal(await first.end('SIGINT'), 0, 'Ctrl-C is a clean end');
  t.notMatch(first.written, codes[0] ?? '', 'what is scanned is not shown');

  const second = start(data);
  await second.line(isReady);
  second.type(`${codes[0]}\n`);
  // Who is in is held in RAM only: after a restart the card is welcomed again, and the core merges.
  await second.line((line) => line.includes('Welcome'));
  t.equal(await second.end('SIGTERM'), 0);

  const third = start(data);
  await third.line((line) => line.includes('online'));
  const asked = await VestibuleProcess.run(
    ['core', 'overlaps', '--purpose', 'a test', '--minutes', '0.001', '--data', data, '--json'],
    `${codes[0]}\n`,
  );
  const answer = JSON.parse(asked) as { contacts: unknown[]; audit: { entry: number } };
  t.equal(answer.contacts.length, 4, 'the four others were there at the same time');
  t.equal(answer.audit.entry, 1, 'the look is in the audit log');
  t.equal(await third.end('SIGTERM'), 0);

  const { rows, scans } = await auditRoad(data);
  const checkIns = rows.filter(({ event }) => event.type === 'check-in');
  t.equal(checkIns.length, 6, 'every scan is in the ledger once');
  t.equal(scans.length, 6, 'and in the core once');
});

t.test('start: a second one in the same directory is refused and says so', async (t) => {
  const data = join(t.testdir(), 'data');
  const first = start(data);
  await first.line(isReady);
  const second = start(data);
  await t.rejects(second.line(isReady), /config\.locked/);
  t.equal(await second.ended(), 78, 'EX_CONFIG: systemd is not to restart it');
  t.equal(await first.end('SIGTERM'), 0, 'the first is not disturbed');
});

t.test('kiosk: every fault of its settings is told at once, with exit status 78', async (t) => {
  const dir = t.testdir({ 'settings.json': JSON.stringify({ direction: 'up', page: { port: 99_999 }, colour: 'red' }) });
  const kiosk = new VestibuleProcess(['kiosk', 'run', '--data', dir, '--config', join(dir, 'settings.json')]);
  const fault = await kiosk.line((line) => line.includes('config.invalid'));
  t.match(fault, /direction/);
  t.match(fault, /page\.port/);
  t.match(fault, /colour/);
  t.equal(await kiosk.ended(), 78);
});

t.test('core: what is asked needs a card that is ours, given where nobody else sees it', async (t) => {
  const data = join(t.testdir(), 'data');
  const running = start(data);
  await running.line(isReady);
  await t.rejects(VestibuleProcess.run(['core', 'overlaps', '--purpose', 'a test', '--data', data], 'hello\n'), /code\.not_ours/);
  await running.end('SIGTERM');
});

t.test('cards: printed before the gateway first starts, they are for the gateway that comes', async (t) => {
  const data = join(t.testdir(), 'data');
  await VestibuleProcess.run(['cards', '--visitors', '1', '--out', join(data, 'card.pdf'), '--data', data]).catch(() => undefined);
  const issuer = JSON.parse(await VestibuleProcess.run(['cards', 'issuer', '--json', '--data', data])) as { deployment: string };
  await VestibuleProcess.run(['venue', 'add', '--name', 'Library', '--data', data]);
  t.equal(readFileSync(join(data, 'gateway', 'keys', 'deployment'), 'utf8').trim(), issuer.deployment);
  t.ok(existsSync(join(data, 'issuer', 'issuer.key')));
});

t.test('gateway: a kiosk is admitted by its public file, shown, and revoked', async (t) => {
  const data = join(t.testdir(), 'data');
  await VestibuleProcess.run(['kiosk', 'key', '--data', data]);
  const file = join(data, 'kiosk', 'kiosk.json');
  const { kiosk } = JSON.parse(readFileSync(file, 'utf8')) as { kiosk: string };
  const [venue = ''] = (
    await VestibuleProcess.run(['venue', 'add', '--name', 'Library', '--timezone', 'Europe/Berlin', '--data', data])
  ).split(' ');
  await VestibuleProcess.run(['gateway', 'admit', file, '--venue', venue, '--direction', 'both', '--data', data]);
  t.match(await VestibuleProcess.run(['gateway', 'status', '--data', data]), new RegExp(`kiosk ${kiosk} admitted both at Library`));
  await VestibuleProcess.run(['gateway', 'revoke', kiosk, '--data', data]);
  t.match(await VestibuleProcess.run(['gateway', 'status', '--data', data]), /REVOKED/);
  writeFileSync(join(data, 'other.json'), '{}');
  await t.rejects(
    VestibuleProcess.run(['gateway', 'admit', join(data, 'other.json'), '--venue', venue, '--data', data]),
    /config\.invalid/,
  );
});
