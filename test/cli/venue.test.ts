import { mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeCode } from '../../protocol/code.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { deriveVisitor } from '../../protocol/visitor.ts';
import { VestibuleProcess } from '../support/child.ts';

const { run } = VestibuleProcess;

t.test('venue: added, edited and listed; faults name the rule; each change is in the audit log', async (t) => {
  const data = join(t.testdir(), 'data');
  const where = ['--site', 'Market square', '--region', 'North', '--kind', 'culture', '--timezone', 'Europe/Berlin'];
  const doors = ['--entrance', 'Main door=both', '--entrance', 'Exit=out'];
  const added = await run(['venue', 'add', '--name', 'Library', ...where, ...doors, '--data', data]);
  const [id = ''] = added.split(' ');
  t.match(added, /Library {2}\(Europe\/Berlin\)\n {2}kind culture, site Market square, region North\n/);
  t.match(added, /entrance \w{16} {2}Exit {2}out\n {2}entrance \w{16} {2}Main door {2}both/);
  await run(['venue', 'edit', id, '--threshold', '37.8', '--unsigned', 'refused', '--remove-entrance', 'Exit', '--data', data]);
  await t.rejects(run(['venue', 'edit', id, '--threshold', '50', '--data', data]), /threshold.*config\.invalid/s);
  const flags = ['--flag-notices', 'off', '--flag-overlap-minutes', '30', '--flag-suspected', 'on'];
  t.match(await run(['venue', 'edit', 'Library', ...flags, '--data', data]), /flags: told to nobody, a suspected case/);
  t.match(await run(['venue', 'edit', id, '--flag-notices', 'on', '--data', data]), /flags: told to whoever met 30 min, a suspected case/);
  const { venues } = JSON.parse(await run(['venue', 'list', '--json', '--data', data]));
  t.match(venues, [
    { id, kind: 'culture', threshold: 3_780, unsignedCards: 'refused', entrances: [{ name: 'Main door', direction: 'both' }] },
  ]);
  t.equal(await run(['venue', 'remove', 'Library', '--data', data]), `venue ${id}: removed`);
  t.equal(await run(['venue', 'list', '--data', data]), 'no venue was added yet');
  t.equal(await run(['operator', 'list', '--data', data]), 'nobody may log in yet');
  await t.rejects(run(['venue', 'remove', id, '--data', data]), /config\.invalid/);
  const audit = await run(['audit', 'list', '--data', data]);
  t.match(audit, new RegExp(`venue\\.add ${id}`));
  t.match(audit, new RegExp(`venue\\.remove ${id}`));
  t.match(audit, new RegExp(`venue\\.edit ${id} threshold unsignedCards entrances`));
});

t.test('cards: one is reported lost by the key on its stub, typed or scanned, or by the card; neither is kept or shown', async (t) => {
  const data = join(t.testdir(), 'data');
  await run(['venue', 'add', '--name', 'Library', '--data', data]);
  const keyCode = newKeyCode();
  const { card } = deriveVisitor(keyCode);
  const key = encodeCode({ kind: 'key', keyCode });
  const lost = await run(['cards', 'lost', '--data', data], `${key}\n${encodeCode({ kind: 'unsigned', card })}\n`);
  t.match(lost, /^reported lost\non the list already\na running gateway tells its kiosks .*\n1 card is on the list$/);
  t.equal(await run(['cards', 'found', '--data', data], `${key}\n`), 'taken off the list');
});

t.test('enrol: who gave out codes and took them back is in the audit log, and no code is', async (t) => {
  const data = join(t.testdir(), 'data');
  // Its first start says where kiosks reach it.
  const gateway = new VestibuleProcess(['gateway', 'run', '--data', data, '--tls-port', '0', '--tcp-port', '0', '--web-port', '0']);
  await gateway.line((line) => line.startsWith('gateway ready'));
  await gateway.end('SIGTERM');
  const [venue = ''] = (await run(['venue', 'add', '--name', 'Library', '--data', data])).split(' ');
  const code = (await run(['enrol', '--venue', venue, '--data', data])).split('\n').at(-1) ?? '';
  await run(['enrol', '--venue', venue, '--count', '3', '--out', join(data, 'labels.pdf'), '--data', data]);
  await run(['enrol', 'withdraw', '2', '--data', data]);
  // Its name leaves no room for that of its draft: a file that is refused when it is written, as by a full disk, and not before.
  const unfit = join(data, `${'x'.repeat(250)}.pdf`);
  await t.rejects(run(['enrol', '--venue', venue, '--count', '2', '--out', unfit, '--data', data]), /ENAMETOOLONG.*store\.failed/s);
  t.match(await run(['enrol', 'list', '--data', data]), /\b5 +withdrawn.*\n.*\b4 +open/s, 'what nobody could read is good for nobody');
  const log = join(data, 'gateway', 'audit.db');
  renameSync(log, `${log}.whole`);
  mkdirSync(log);
  await t.rejects(run(['enrol', '--venue', venue, '--data', data]), /store\./);
  rmdirSync(log);
  renameSync(`${log}.whole`, log);
  t.notMatch(await run(['enrol', 'list', '--data', data]), /^ +7 +open/m, 'nor what could not be written down, and was shown to nobody');
  const audit = await run(['audit', 'list', '--data', data]);
  t.match(audit, /code\.give 1\n/);
  t.match(audit, /code\.give 2-4\n/);
  t.match(audit, /code\.withdraw 2/);
  t.match(audit, /code\.withdraw 5 not printed/);
  t.match(audit, /look\.codes\n/);
  t.match(code, /^V/);
  t.notMatch(audit, code);
});

t.test('venue: an edit of which a part can not be done is not done at all, and the audit log says both', async (t) => {
  const data = join(t.testdir(), 'data');
  const [venue = ''] = (await run(['venue', 'add', '--name', 'Library', '--entrance', 'Exit=out', '--data', data])).split(' ');
  const edit = ['venue', 'edit', venue, '--name', 'Archive', '--entrance', 'Exit=both', '--remove-entrance', 'Side door', '--data', data];
  await t.rejects(run(edit), /no entrance "Side door"; it has "Exit".*config\.invalid/s);
  const { venues } = JSON.parse(await run(['venue', 'list', '--json', '--data', data]));
  t.match(venues, [{ name: 'Library', entrances: [{ name: 'Exit', direction: 'out' }] }]);
  t.match(await run(['audit', 'list', '--data', data]), /venue\.edit \w+ name entrances\n.*venue\.edit\.failed \w+ config\.invalid/);
});

t.test('gateway admit: a kiosk that was revoked comes back by its id, to the door where it hung', async (t) => {
  const data = join(t.testdir(), 'data');
  const [venue = ''] = (await run(['venue', 'add', '--name', 'Library', '--data', data])).split(' ');
  await run(['kiosk', 'key', '--data', join(data, 'there')]);
  const card = join(data, 'there', 'kiosk', 'kiosk.json');
  const { kiosk } = JSON.parse(readFileSync(card, 'utf8'));
  await t.rejects(run(['gateway', 'admit', card, '--data', data]), /--venue: where does it hang/);
  await t.rejects(run(['gateway', 'admit', kiosk, '--venue', venue, '--data', data]), /was never admitted/);
  await t.rejects(run(['gateway', 'admit', card, '--venue', 'Museum', '--data', data]), /--venue: no venue "Museum".*venue list/);
  const admitted = await run(['gateway', 'admit', card, '--venue', 'Library', '--direction', 'out', '--data', data]);
  await run(['gateway', 'revoke', kiosk, '--data', data]);
  t.equal(await run(['gateway', 'admit', kiosk, '--data', data]), admitted);
  const { venues } = JSON.parse(await run(['venue', 'list', '--json', '--data', data]));
  t.match(venues, [{ entrances: [{ direction: 'out' }] }]);
  t.equal(venues[0].entrances.length, 1);
  await run(['venue', 'edit', venue, '--entrance', 'Side door=in', '--data', data]);
  await t.rejects(
    run(['gateway', 'admit', kiosk, '--entrance', 'Back door', '--data', data]),
    /Library has no door "Back door"; there are "Side door"/,
  );
  const moved = await run(['gateway', 'admit', kiosk, '--entrance', 'Side door', '--data', data]);
  const { venues: after } = JSON.parse(await run(['venue', 'list', '--json', '--data', data]));
  const { id } = after[0].entrances.find(({ name }: { name: string }) => name === 'Side door');
  t.equal(moved.trim(), `admitted kiosk ${kiosk} at entrance ${id}: Library, Side door`);
  t.match(
    await run(['gateway', 'revoke', 'Side door', '--data', data]),
    `revoked kiosk ${kiosk}: Library, Side door. It goes on welcoming people: stop it at the door, too`,
  );
  await t.rejects(run(['gateway', 'admit', 'Till 3', '--data', data]), /kiosk Till 3: no file is there, and no kiosk/);
  t.equal((await run(['gateway', 'admit', 'Side door', '--data', data])).trim(), moved.trim());
  await t.rejects(
    run(['gateway', 'rotate', 'tls', '--data', data]),
    new RegExp(`this kiosk has not said that it follows: Library, Side door \\(${kiosk}\\) \\(let it connect once`),
  );
});
