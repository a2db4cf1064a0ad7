import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { systemUser } from '../../cli/system-user.ts';
import { openIdentity } from '../../gateway/identity.ts';
import { openLedgerFile } from '../../gateway/ledger.ts';
import { gatewayPaths } from '../../gateway/paths.ts';
import { encodeCode } from '../../protocol/code.ts';
import { newPlaceId } from '../../protocol/ids.ts';
import { newKeyCode } from '../../protocol/key-code.ts';
import { VestibuleProcess } from '../support/child.ts';

t.test('audit: a user of a container that has a number and no name is written down by the number', (t) => {
  const nobody = () => {
    throw Object.assign(new Error('uv_os_get_passwd returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
  };
  t.match(systemUser(nobody), /^uid-\d+$/);
  t.equal(systemUser(), userInfo().username);
  t.end();
});

t.test('audit: what can not be written down is not done', async (t) => {
  const data = join(t.testdir(), 'data');
  const run = (words: string, input?: string) => VestibuleProcess.run([...words.split(' '), '--data', data], input);
  const key = encodeCode({ kind: 'key', keyCode: newKeyCode() });
  await run('venue add --name Library');
  await run('operator add bob', 'correct horse battery\n');
  const paths = gatewayPaths(join(data, 'gateway'));
  const kiosk = newPlaceId();
  const ledger = openLedgerFile(paths.ledger, (await openIdentity(join(data, 'gateway'))).storeKey);
  t.teardown(() => ledger.close());
  const insert = 'INSERT INTO quarantine (kiosk, digest, received_at_ms, reason, content, size_bytes) VALUES (?, ?, 0, ?, ?, 1)';
  ledger.prepare(insert).run(kiosk, Buffer.alloc(32), 'decode.malformed', Buffer.alloc(1));

  writeFileSync(paths.audit, Buffer.alloc(8_192, 7));
  const fails = (words: string, input?: string) => t.rejects(run(words, input), /\[store\.\w+\]/, words);
  await fails('operator add eve --role manager', 'correct horse battery\n');
  await fails('operator add grafana --program');
  await fails('operator remove bob');
  await fails(`gateway drop-quarantine ${kiosk}`);
  await fails('cards lost', `${key}\n`);
  t.equal(await run('operator list'), 'bob  read-only');
  t.equal(ledger.prepare('SELECT count(*) FROM quarantine').pluck().get(), 1);
  t.equal(await run('cards lost --count'), '0 cards are on the list');
});
